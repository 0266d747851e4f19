package input

import (
	"math"
	"net/http"
	"strconv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// requestOf returns what a root span tells of the request that it is. It has no schedule: it was due when it came.
func requestOf(s *assay.Span) *assay.Request {
	q := &assay.Request{Due: s.Start, Sent: s.Start, End: max(s.Start+1, s.End), TraceID: s.TraceID, SpanID: s.SpanID, Instance: s.Instance, NoSchedule: true}
	q.User, _ = s.Attr(collectors.UserAttr)
	switch v, _ := s.Attr("faas.coldstart"); v {
	case "true":
		q.Cold = assay.ColdYes
	case "false":
		q.Cold = assay.ColdNo
	}
	if q.Instance == "" {
		q.Instance, _ = s.Attr("k8s.pod.name")
	}
	q.Outcome = assay.OK
	if v, ok := number(s, "http.response.status_code"); ok && v >= 100 && v < 600 {
		q.Status = int32(v)
		q.Outcome = assay.OutcomeOf(int(v), false)
	} else if v, ok := number(s, "rpc.grpc.status_code"); ok && v >= 0 && v <= 16 {
		q.Status = int32(v)
		q.Outcome = ofGRPC(int(v))
	}
	if s.Failed && q.Outcome == assay.OK { // an error after a good beginning, or of a protocol without a status
		q.Outcome = assay.ServerError
	}
	if q.Outcome != assay.OK {
		q.Error = kindOfError(s)
		if q.Outcome == assay.ServerError && q.Error == "timeout" {
			q.Outcome = assay.Timeout
		}
	}
	return q
}

// ofGRPC returns the outcome that a status code of gRPC tells.
func ofGRPC(code int) assay.Outcome {
	switch code {
	case 0:
		return assay.OK
	case 3, 5, 6, 9, 11, 12: // invalid argument, not found, already exists, failed precondition, out of range, unimplemented
		return assay.ClientError
	case 4: // deadline exceeded
		return assay.Timeout
	case 7, 16: // permission denied, unauthenticated
		return assay.Credential
	case 8: // resource exhausted
		return assay.Throttled
	case 14:
		return assay.Unavailable
	case 1: // cancelled, by who asked
		return assay.Unfinished
	}
	return assay.ServerError
}

// kindOfError returns the class of an error, never its message.
func kindOfError(s *assay.Span) string {
	v, ok := s.Attr("error.type")
	if n, err := strconv.Atoi(v); err == nil && http.StatusText(n) != "" {
		return http.StatusText(n)
	}
	if ok && len(v) <= 60 {
		return v
	}
	return ""
}

// number returns a number among a span's attributes.
func number(s *assay.Span, key string) (float64, bool) {
	text, ok := s.Attr(key)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
