package facts

import (
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/timeset"
)

// States divide the time of one ledger: the service was good, it was bad, or nothing tells. The three sum to the ledger's part of the watch.
//
// Time without word is neither up nor down: it is in no exposure. What is bad begins and ends in the middle of what the requests leave open, and of an episode that had not
// ended when last seen all that is known of it.
type States struct {
	Good, Bad, Unknown int64

	Up []assay.Stretch // where the good time lies
}

// States returns the states of the service in a ledger, by its episodes. Where nobody asked on purpose, in idle phases, nothing tells; nor do
// the ends of another ledger's episodes that reach into this one: neither was it up then nor did it fail of itself.
func (w *Watch) States(f *assay.Facts, l assay.Ledger) States {
	var ledger, known, bad, quiet []assay.Stretch
	for i := range f.Segments {
		if s := &f.Segments[i]; s.Ledger == l {
			ledger = append(ledger, assay.Stretch{Begin: s.Begin, End: s.End})
		}
	}
	for i := range f.Episodes {
		switch e := &f.Episodes[i]; {
		case e.Subject != assay.Service:
		case e.Ledger == l:
			bad = append(bad, Extent(e))
		default:
			quiet = append(quiet, Extent(e))
		}
	}
	for _, s := range w.Spans {
		known = append(known, assay.Stretch{Begin: s.Begin, End: s.End})
	}
	for i := range f.Phases {
		if p := &f.Phases[i]; p.Role == assay.RoleIdle || p.Role == assay.RoleCold {
			quiet = append(quiet, assay.Stretch{Begin: p.Begin, End: p.End})
		}
	}
	ledger = timeset.Union(ledger)
	known = timeset.Minus(timeset.Both(timeset.Union(known), ledger), timeset.Union(quiet))
	s := States{Up: timeset.Minus(known, timeset.Union(bad))}
	s.Good = timeset.Length(s.Up)
	s.Bad = timeset.Length(known) - s.Good
	s.Unknown = timeset.Length(ledger) - timeset.Length(known)
	return s
}

// Until returns how much of the good time lies before t.
func (s *States) Until(t int64) int64 {
	var n int64
	for _, g := range s.Up {
		n += max(0, min(t, g.End)-g.Begin)
	}
	return n
}

// Extent is the stretch that an episode is taken to have lasted for: from the middle between the last good and the first bad instant to the middle between the last bad and the first good
// one, and to its end as far as it was seen where it had not ended.
func Extent(e *assay.Episode) assay.Stretch {
	begin, end := e.BeginLo+(e.Begin-e.BeginLo)/2, e.End+(e.EndHi-e.End)/2
	if e.RightCensored {
		end = e.EndHi
	}
	return assay.Stretch{Begin: begin, End: max(begin+1, end)}
}

// Failures returns the natural episodes of the service that count as failures of it: not one that it was down by before it was first seen up, which began before there was an
// exposure.
func (s *States) Failures(f *assay.Facts) (out []*assay.Episode) {
	for i := range f.Episodes {
		e := &f.Episodes[i]
		if e.Subject == assay.Service && e.Ledger == assay.Natural && !(e.LeftCensored && s.Until(e.Begin) == 0) {
			out = append(out, e)
		}
	}
	return out
}

// Ages lays these failures on the clock of the up time: the age of each, in seconds and in order.
func (s *States) Ages(f *assay.Facts) (ages []float64) {
	for _, e := range s.Failures(f) {
		ages = append(ages, float64(s.Until(e.Begin))/float64(second))
	}
	slices.Sort(ages)
	return ages
}
