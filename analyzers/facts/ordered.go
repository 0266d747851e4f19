package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// What the search for hidden failures asks again and again, in order of time, so that a week of a platform that starts an instance every few seconds is
// no more than its events.

// A failure is a failed request: where it stands (see Stand), and how long it was in flight.
type failure struct{ at, due, end int64 }

// failures are those of one instance, by where they stand.
type failures struct {
	of      []failure
	longest int64 // time in flight
}

// mostFailures bounds the failures of one instance that are kept.
const mostFailures = 1 << 16

func (f *failures) add(x failure) {
	if len(f.of) < mostFailures {
		f.of = append(f.of, x)
		f.longest = max(f.longest, x.end-x.due)
	}
}

// around returns those that stand in [from, to] or may have been in flight then.
func (f *failures) around(from, to int64) []failure {
	if f == nil {
		return nil
	}
	at := func(t int64) int {
		i, _ := slices.BinarySearchFunc(f.of, t, func(x failure, t int64) int { return cmp.Compare(x.at, t) })
		return i
	}
	return f.of[at(from-f.longest):at(to+f.longest+1)]
}

// within counts those that stand in [from, to] or were in flight then.
func (f *failures) within(from, to int64) int {
	n := 0
	for _, x := range f.around(from, to) {
		if x.at >= from && x.at <= to || x.due <= to && x.end >= from {
			n++
		}
	}
	return n
}

// A place is the lives of one slot, or of all.
type place struct {
	lives []*assay.Life // by their first sign
	exits []int64
}

// from is the index of the first life that began at t or later.
func (p *place) from(t int64) int {
	i, _ := slices.BinarySearchFunc(p.lives, t, func(l *assay.Life, t int64) int { return cmp.Compare(firstOf(l), t) })
	return i
}

// place returns the lives of a slot, or all under "". Series may still have added lives since it was asked before.
func (s *instanceScan) place(slot string) *place {
	if s.places == nil || s.placed != len(s.f.Lives) {
		s.places, s.placed = places(s.f.Lives), len(s.f.Lives)
	}
	if p := s.places[slot]; p != nil {
		return p
	}
	return &place{}
}

// places sorts the lives by slot; under "" are all.
func places(lives []assay.Life) map[string]*place {
	out := map[string]*place{}
	for i := range lives {
		l := &lives[i]
		for _, slot := range []string{"", slotOf(l.Instance)} {
			p := out[slot]
			if p == nil {
				p = &place{}
				out[slot] = p
			}
			p.lives = append(p.lives, l)
			if l.Exited != 0 {
				p.exits = append(p.exits, l.Exited)
			}
		}
	}
	for _, p := range out {
		slices.SortStableFunc(p.lives, func(a, b *assay.Life) int { return cmp.Compare(firstOf(a), firstOf(b)) })
		slices.Sort(p.exits)
	}
	return out
}

// A reason explains that instances end or are started around an instant.
type reason struct {
	at, resolution     int64
	why                string
	workload, revision string // that it concerns; empty where that is not told, or where it is told of one instance
}

// A scaling is what the autoscaler wants from an instant on.
type scaling struct {
	at      int64
	desired int
}

// reasons gathers the decisions that concern all instances, and what each was asked to do, from the events in order.
func (s *instanceScan) reasons() {
	s.asked, s.makers = map[string][]reason{}, map[string]owner{}
	wanted := map[string]int{} // by workload
	for i := range s.f.Events {
		e := &s.f.Events[i]
		r := reason{at: e.Time, resolution: e.Resolution}
		switch e.Kind {
		case assay.EventScale:
			n, err := strconv.Atoi(e.Attrs["desired"])
			if err != nil {
				continue
			}
			s.scales = append(s.scales, scaling{e.Time, n})
			of := e.Attrs["workload"]
			if own, err := strconv.Atoi(e.Attrs["workload_desired"]); err == nil {
				n = own
			}
			r.workload, r.revision, _ = strings.Cut(of, "/")
			if was, known := wanted[of]; known && n < was {
				r.why = fmt.Sprintf("the autoscaler wanted %d instead of %d", n, was)
				s.decided = append(s.decided, r)
			}
			wanted[of] = n
			s.maker(r.workload, r.revision)
		case assay.EventRollout:
			r.why, r.workload = "a rollout", e.Attrs["workload"]
			s.decided = append(s.decided, r)
			s.maker(r.workload, "")
		case assay.EventInstanceDraining:
			r.why = "it was draining"
			s.asked[e.Instance] = append(s.asked[e.Instance], r)
		case assay.EventInstanceExited:
			if !planned(e.Attrs["reason"]) {
				continue
			}
			r.why = "it was told to end: " + e.Attrs["reason"]
			s.asked[e.Instance] = append(s.asked[e.Instance], r)
		default:
			continue
		}
		s.coarsest = max(s.coarsest, e.Resolution)
	}
}
