package store

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
)

// Why what a record tells of time cannot be true.
const (
	stampFuture = "future" // later than maxFuture from now
	stampPast   = "past"   // before the year 2000
	stampOrder  = "order"  // it ends before it begins
	stampNumber = "number" // an attribute of time is no number of ns, as a NaN is none
)

var stampCauses = [...]string{stampFuture, stampPast, stampOrder, stampNumber}

// stamps rejects records whose times cannot be true: one of them would bend whatever is counted by time. Who emits it is not told, since it could do nothing about it.
type stamps struct {
	epoch  int64
	latest atomic.Int64 // run time that was within maxFuture when it was last looked
	counts [3][len(stampCauses)]atomic.Int64
}

// The kinds of records that are checked; samples are where they are written.
const (
	ofRequest = iota
	ofSpan
	ofEvent
)

var stampKinds = [...]string{"requests", "spans", "events"}

// unixLeast tells the times in attributes apart: run time stays below three years, and Unix time is above.
const unixLeast = int64(1e17)

const year2000 = 946684800 * int64(time.Second)

// in says what is wrong with an instant of run time, "" for nothing. Zero is "not seen".
func (s *stamps) in(t int64) string {
	switch {
	case t == 0:
	case t > s.latest.Load() && t > s.look():
		return stampFuture
	case t < 0 && s.epoch > year2000 && t < year2000-s.epoch:
		return stampPast
	}
	return ""
}

// look returns the latest run time that can be true now.
func (s *stamps) look() int64 {
	t := time.Now().Add(maxFuture).UnixNano() - s.epoch
	s.latest.Store(t)
	return t
}

func first(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

func (s *stamps) request(r *assay.Request) string {
	if r.End != 0 && r.End < r.Due || r.RetryAfter < 0 {
		return stampOrder
	}
	last := int64(0)
	if n := len(r.Arrivals); n > 0 {
		last = r.Arrivals[n-1]
	}
	return first(s.in(r.Due), s.in(r.End), s.in(max(r.Sent, r.FirstByte, r.FirstToken, last)))
}

func (s *stamps) span(sp *assay.Span) string {
	if sp.End < sp.Start {
		return stampOrder
	}
	return first(s.in(sp.Start), s.in(sp.End))
}

// ours are the kinds of events that the run itself makes, by their beginnings: they say what must be healed and are never left out.
var ours = []string{"fault.", "undo.", "run.", "guard.", "phase.", "load.", "hypothesis"}

func (s *stamps) event(e *assay.Event) string {
	for _, o := range ours {
		if strings.HasPrefix(e.Kind, o) {
			return ""
		}
	}
	if why := s.in(e.Time); why != "" {
		return why
	}
	if e.Resolution < 0 {
		return stampOrder
	}
	if len(e.Attrs) == 0 {
		return ""
	}
	var ns [2]int64
	for i, key := range [2]string{"start_ns", "end_ns"} {
		text := e.Attrs[key]
		if text == "" {
			continue
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return stampNumber
		}
		if v > unixLeast {
			v -= s.epoch
		}
		if why := s.in(v); why != "" {
			return why
		}
		ns[i] = v
	}
	if ns[0] != 0 && ns[1] != 0 && ns[1] < ns[0] {
		return stampOrder
	}
	for key, text := range e.Attrs {
		if text != "" && strings.HasSuffix(key, "_ns") {
			if _, err := strconv.ParseInt(text, 10, 64); err != nil {
				return stampNumber
			}
		}
	}
	return ""
}

// reject counts a record that is left out, if there is a reason for it.
func (s *stamps) reject(kind int, why string) bool {
	for i, cause := range stampCauses {
		if why == cause {
			s.counts[kind][i].Add(1)
			return true
		}
	}
	return false
}

// unrecorded adds what was left out to counts by kind and cause.
func (s *stamps) unrecorded(add func(cause string, n int64)) {
	for kind, name := range stampKinds {
		for i, cause := range stampCauses {
			add(name+"/"+cause, s.counts[kind][i].Load())
		}
	}
}
