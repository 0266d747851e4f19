package k6

import (
	"strconv"

	"go.k6.io/k6/v2/lib/netext/httpext"

	"github.com/assay-dev/assay"
)

// ofTrail turns a request of k6/http into a record. k6 tells neither tokens nor the kind of every failure, and it
// stamps the end; the instants before follow from the durations. A redirect that k6 followed is a request of its own.
func (e *Extension) ofTrail(t *httpext.Trail) assay.Request {
	end := e.clock.At(t.EndTime)
	sent := end - int64(t.Duration)
	connect := max(t.Blocked, t.ConnDuration) // k6 counts the making of a connection as part of being blocked
	r := assay.Request{Due: max(1, sent-int64(connect)), Sent: max(1, sent), End: max(1, end), NoSchedule: true}
	tag := func(name string) string {
		if t.Tags == nil {
			return ""
		}
		v, _ := t.Tags.Get(name)
		return v
	}
	r.Phase = tag("scenario")
	status, _ := strconv.Atoi(tag("status"))
	code, _ := strconv.Atoi(tag("error_code"))
	r.Status = int32(status)
	if t.Waiting > 0 && status != 0 {
		r.FirstByte = r.Sent + int64(t.Sending) + int64(t.Waiting)
	}
	r.Outcome = outcomeOf(status, code, t.Failed.Valid && t.Failed.Bool)
	if r.Outcome != assay.OK {
		r.Error = tag("error")
	}
	e.identify(&r)
	r.TraceID, r.SpanID = assay.TraceID{}, assay.SpanID{} // k6/http sent none of ours
	return r
}

// outcomeOf reads k6's tags: the HTTP status, its own error code and whether the script expected the response.
func outcomeOf(status, code int, failed bool) assay.Outcome {
	switch {
	case code == 1050:
		return assay.Timeout
	case code == 1212:
		return assay.Refused
	case code == 1211:
		return assay.Timeout
	case code == 1201 || code == 1220:
		if status != 0 {
			return assay.CutRST
		}
		return assay.Reset
	case code == 1110 || code == 1111 || code == 1020: // the script's own fault
		return assay.ClientError
	case code >= 1100 && code < 1200 || code >= 1210 && code < 1220 || code >= 1300 && code < 1400:
		return assay.Unresolved
	case code == 1701:
		return assay.BadPayload
	case status == 0:
		return assay.Reset
	case status == 429:
		return assay.Throttled
	case status == 502 || status == 503 || status == 504:
		return assay.Unavailable
	case status == 401 || status == 403:
		return assay.Credential
	case status >= 500:
		return assay.ServerError
	case status >= 400 && failed:
		return assay.ClientError
	case code >= 1600 && code < 1700:
		return assay.CutRST
	case code != 0 && code < 1400: // the body ended early
		return assay.CutFIN
	}
	return assay.OK
}
