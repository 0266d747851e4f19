package facts

import (
	"slices"
	"sort"

	"github.com/assay-dev/assay"
)

// segments cuts the watched time into ledgers. Injected goes before overload, overload before natural; where two
// faults overlap the earlier one keeps the stretch.
func segments(f *assay.Facts) []assay.Segment {
	cuts := []int64{f.Begin, f.End}
	add := func(t int64) {
		if f.Begin < t && t < f.End {
			cuts = append(cuts, t)
		}
	}
	for i := range f.Faults {
		if w := &f.Faults[i]; w.Applied != 0 {
			add(from(w))
			add(w.Washout)
		}
	}
	for i := range f.Phases {
		if f.Phases[i].Role == assay.RoleStress {
			add(f.Phases[i].Begin)
			add(overloadEnd(f, i))
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []assay.Segment
	for i := 1; i < len(cuts); i++ {
		s := assay.Segment{Ledger: assay.Natural, Begin: cuts[i-1], End: cuts[i]}
		s.Ledger, s.Fault = ledgerAt(f, s.Begin)
		if n := len(out); n > 0 && out[n-1].Ledger == s.Ledger && out[n-1].Fault == s.Fault {
			out[n-1].End = s.End
			continue
		}
		out = append(out, s)
	}
	return out
}

// overloadEnd is the instant at which stress phase i stops being felt: what it left in flight drains until the next phase begins, or the run
// ends. So the pauses between the steps of a search are overload too.
func overloadEnd(f *assay.Facts, i int) int64 {
	end, next := f.Phases[i].End, f.End
	for j := range f.Phases {
		switch p := &f.Phases[j]; {
		case p.Role != assay.RoleStress && p.Begin <= end && end < p.End:
			return end // other load goes on
		case p.Begin >= end:
			next = min(next, p.Begin)
		}
	}
	return max(end, next)
}

func ledgerAt(f *assay.Facts, t int64) (assay.Ledger, string) {
	for i := range f.Faults {
		if w := &f.Faults[i]; w.Applied != 0 && from(w) <= t && t < w.Washout {
			return assay.Injected, w.ID
		}
	}
	for i := range f.Phases {
		if p := &f.Phases[i]; p.Role == assay.RoleStress && p.Begin <= t && t < overloadEnd(f, i) {
			return assay.Overload, ""
		}
	}
	return assay.Natural, ""
}

// LedgerOf returns the ledger a request belongs to, and the fault in the injected one. A request that was in
// flight during any part of a fault's window or washout is the fault's; else the instant it was due decides. One that forced a cold
// start is planned.
func LedgerOf(f *assay.Facts, r *assay.Request) (assay.Ledger, string) {
	if r.Forced {
		return assay.Planned, ""
	}
	i := sort.Search(len(f.Segments), func(i int) bool { return f.Segments[i].End > r.Due })
	for j := i; j < len(f.Segments) && f.Segments[j].Begin <= max(r.Due, r.End); j++ {
		if s := &f.Segments[j]; s.Ledger == assay.Injected {
			return s.Ledger, s.Fault
		}
	}
	if i < len(f.Segments) && f.Segments[i].Begin <= r.Due {
		return f.Segments[i].Ledger, f.Segments[i].Fault
	}
	// Past the last segment: an answer cannot be due after the end of the watched time but for rounding.
	return assay.Natural, ""
}

// Within returns how much of [begin, end) lies in the given ledger.
func Within(f *assay.Facts, l assay.Ledger, begin, end int64) int64 {
	var sum int64
	for i := range f.Segments {
		if s := &f.Segments[i]; s.Ledger == l {
			sum += max(0, min(end, s.End)-max(begin, s.Begin))
		}
	}
	return sum
}

// A Watch gathers the time for which requests say whether the service was up: from each judged one until the next, at
// most the silence of the rules. The rest is unknown, neither up nor down.
type Watch struct {
	Silence int64
	Users   bool             // as [Rules] have it
	Spans   []assay.Interval // in order, disjoint
}

// Add takes the next request in order of Due.
func (w *Watch) Add(r *assay.Request) {
	if r.Forced || !r.Outcome.Judged() || w.Users && r.Outcome == assay.ClientError {
		return
	}
	if n := len(w.Spans); n > 0 && r.Due <= w.Spans[n-1].End {
		w.Spans[n-1].End = max(w.Spans[n-1].End, r.Due+w.Silence)
		return
	}
	w.Spans = append(w.Spans, assay.Interval{Begin: r.Due, End: r.Due + w.Silence})
}

// In returns how much of the known time within [f.Begin, f.End] lies in a ledger. Phases without load on purpose do not count: nobody
// asked, so nothing says that the service was up.
func (w *Watch) In(f *assay.Facts, l assay.Ledger) int64 {
	var sum int64
	for _, s := range w.Spans {
		sum += Within(f, l, s.Begin, s.End)
		for i := range f.Phases {
			if p := &f.Phases[i]; p.Role == assay.RoleIdle || p.Role == assay.RoleCold {
				if from, to := max(s.Begin, p.Begin), min(s.End, p.End); from < to {
					sum -= Within(f, l, from, to)
				}
			}
		}
	}
	return sum
}
