package front

import (
	"net/http"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// Statuses that nginx made up.
const (
	nginxClosed     = 444 // its configuration has it close without an answer
	nginxClientGone = 499
)

// nginx fills in what a line of nginx tells.
func (d *decoder) nginx(v *values, e *entry) (why string) {
	stamp := int64(0)
	switch {
	case len(v[stampMsec]) > 0:
		stamp, e.resolution = d.instant(v[stampMsec]), int64(time.Millisecond)
	case len(v[stampISO]) > 0:
		if stamp = d.instant(v[stampISO]); stamp%1e9 != 0 || d.fine {
			d.fine, e.resolution = true, int64(time.Millisecond)
		} else {
			e.resolution = int64(time.Second)
		}
	default:
		stamp, e.resolution = d.instant(v[stampLocal]), int64(time.Second)
	}
	if stamp == 0 {
		return noStamp
	}
	e.begin = stamp
	if t := v[requestTime]; len(t) > 0 && !dash(t) {
		if e.took = seconds(t); e.took < 0 {
			return outOfRange
		}
		e.begin, e.end = stamp-e.took, stamp
	}
	e.upstreams(v)
	if e.took >= 0 && e.upstream >= 0 {
		e.hop = max(0, e.took-e.upstream) // each is rounded to its millisecond
	}
	e.outcome = outcomeOf(e.code)
	switch {
	case e.code == nginxClientGone:
		e.gone, e.outcome, e.why = true, assay.Unfinished, clientGone
	case e.code == 0:
		e.outcome, e.why = assay.OutcomeUnknown, "no answer was begun"
	case e.outcome != assay.OK:
		e.why = http.StatusText(int(e.code))
		if e.code == nginxClosed {
			e.why = "closed without an answer"
		}
		if e.code >= 500 {
			e.why += blame(v, e)
		}
	}
	return ""
}

// blame says what an error of the hop came of, as far as the line tells.
func blame(v *values, e *entry) string {
	at := lastStatus(v[upstreamStatus])
	switch {
	case len(v[upstreamResponse]) > 0 && e.upstream < 0:
		return ", no upstream was asked"
	case len(v[upstreamConnect]) > 0 && e.connect < 0 && at != "":
		return ", no connection to the upstream"
	case len(v[upstreamHeader]) > 0 && e.first < 0 && at != "":
		return ", the upstream did not answer"
	case at != "" && at != code(e.code):
		return ", upstream " + at
	}
	return ""
}

const clientGone = "the client went away"

// outcomeOf is that of an answer with a status. What says that a client has it already, or that protocols are switched, is an answer.
func outcomeOf(status int32) assay.Outcome {
	if status == http.StatusNotModified || status == http.StatusSwitchingProtocols {
		return assay.OK
	}
	return assay.OutcomeOf(int(status), false)
}

// upstreams reads the lists.
func (e *entry) upstreams(v *values) {
	sum := func(list []byte, to, last *int64) {
		attempts(list, func(b []byte) {
			t := seconds(b)
			if t < 0 {
				if last != nil {
					*last = -1
				}
				return
			}
			if to != nil {
				*to = min(max(0, *to)+t, maxTook)
			}
			if last != nil {
				*last = t
			}
		})
	}
	sum(v[upstreamResponse], &e.upstream, nil)
	sum(v[upstreamConnect], nil, &e.connect)
	sum(v[upstreamHeader], nil, &e.first)
	for _, f := range [...]field{upstreamAddr, upstreamStatus, upstreamResponse} {
		if len(v[f]) > 0 && !dash(v[f]) {
			_, e.retries = attempts(v[f], nil)
			break
		}
	}
	attempts(v[upstreamAddr], func(b []byte) { e.server = b })
	if dash(e.server) {
		e.server = nil
	}
}

// lastStatus returns the last status of a list, "" where it has none.
func lastStatus(list []byte) string {
	var last []byte
	attempts(list, func(b []byte) { last = b })
	if n, ok := whole(last); !ok || n < 100 || n > 599 {
		return ""
	}
	return string(last)
}

// instant reads a stamp as Unix ns; 0: it is none. The last one is kept, since many lines have the same.
func (d *decoder) instant(b []byte) int64 {
	if string(b) == d.stamp && d.stamp != "" {
		return d.at
	}
	s := string(b)
	d.stamp, d.at = s, 0
	if len(s) > 40 {
		return 0
	}
	if len(s) > 12 && s[2] == '/' {
		if t, err := time.Parse("02/Jan/2006:15:04:05 -0700", s); err == nil {
			d.at = t.UnixNano()
		}
		return d.at
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		if y := t.Year(); y > 1700 && y < 2250 {
			d.at = t.UnixNano()
		}
		return d.at
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && (f > 1e11 || f < 0) { // neither seconds nor an instant of ours
		return 0
	}
	d.at = d.other(s)
	return d.at
}
