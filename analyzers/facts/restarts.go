package facts

import (
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// Restarts without an instant
//
// A dump of a cluster counts how often a container was started again and tells of its last exit alone. Each of the others is a failure somewhere between two instants, unless
// somebody else told when: the container's own log, or a counter that was looked at more often. Whether the instance was up between them is not known: that time may
// count as its exposure or not, and both are said. What lies within one stretch in which the instance is known not to have been ready is one failure with it.

// mostUndated bounds the episodes that one count of restarts makes; MTBF is withheld where there were more.
const mostUndated = 1000

// learnRestarts makes episodes of the restarts that have no instant.
func (s *instanceScan) learnRestarts(out *[]assay.Episode, emit func(assay.Episode)) {
	f := s.f
	for i := range f.Events {
		e := &f.Events[i]
		if e.Kind != assay.EventInstanceRestarted {
			continue
		}
		count, err := strconv.Atoi(e.Attrs["count"])
		if err != nil || count < 1 {
			continue
		}
		count = min(count, mostCounted)
		if e.Attrs["open"] == "true" {
			f.Undated += count
			continue
		}
		lo, hi := e.Time-e.Resolution, e.Time
		left := count - s.dated(*out, e.Instance, lo, hi)
		if left <= 0 || s.downAll(e.Instance, lo, hi) {
			continue
		}
		f.Unsure = append(f.Unsure, assay.Interval{Name: e.Instance, Begin: lo, End: hi, Source: e.Source})
		for range min(left, mostUndated) {
			x := assay.Episode{Instance: e.Instance, Cause: "restart", BeginLo: lo, Begin: hi, End: hi, EndHi: hi, Undated: true, Confidence: assay.ConfidenceLow,
				Evidence: []string{"it has no instant of its own: " + e.Text}}
			attribute(f, &x)
			emit(x)
		}
		f.Undated += max(0, left-mostUndated)
	}
}

// mostCounted bounds what one count is taken for.
const mostCounted = 1_000_000_000_000

// dated counts the failures of an instance in (lo, hi) that are told of by something else. Of a run that ends at hi since the next began then, and whose end nobody saw, it is known no better when it ended.
func (s *instanceScan) dated(out []assay.Episode, instance string, lo, hi int64) (n int) {
	unseen := slices.ContainsFunc(s.index[instance], func(i int) bool {
		l := &s.f.Lives[i]
		return l.Exit == exitUnseen && near(l.Exited, hi, second)
	})
	for i := range out {
		switch e := &out[i]; {
		case e.Instance != instance:
		case e.Begin > lo+second && e.Begin < hi-second:
			n++
		case unseen && near(e.Begin, hi, second):
			n++
			unseen = false
			e.BeginLo, e.Undated = min(e.BeginLo, lo), true
		}
	}
	return n
}

// downAll reports whether an instance is known not to have been ready from lo to hi.
func (s *instanceScan) downAll(instance string, lo, hi int64) bool {
	for _, i := range s.index[instance] {
		for _, u := range s.f.Lives[i].Unready {
			if u.Begin <= lo && (u.End >= hi || u.End == 0) {
				return true
			}
		}
	}
	return false
}

// stillDown says of an episode that had not ended with the watch why, where something told.
func (s *instanceScan) stillDown(e *assay.Episode) {
	if !e.RightCensored {
		return
	}
	for i := len(s.f.Events) - 1; i >= 0 && s.f.Events[i].Time+second >= e.Begin; i-- {
		x := &s.f.Events[i]
		if x.Kind == assay.EventAnnotation && x.Instance == e.Instance && slices.Contains(backOffs, x.Attrs["reason"]) {
			e.Evidence = append(e.Evidence, "seen last in "+x.Attrs["reason"])
			return
		}
	}
}

// backOffs are the reasons for which a container waits that ended.
var backOffs = []string{"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
