package analyzers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// phaseTimes are the times of one thing over the starts, with the coarsest clock that any of them rests on.
type phaseTimes struct {
	seconds    []float64
	resolution int64
}

func (p phaseTimes) with(s float64, resolution int64) phaseTimes {
	return phaseTimes{append(p.seconds, s), max(p.resolution, resolution)}
}

func (p phaseTimes) middle(at float64) assay.Quantity {
	slices.Sort(p.seconds)
	q := middle(p.seconds, at)
	if q.Known() {
		q.Resolution = seconds(p.resolution)
	}
	return q
}

// resolutionOf is the coarsest clock that a phase of a start rests on.
func resolutionOf(phases []assay.Interval, name string) (r int64) {
	for _, p := range phases {
		if p.Name == name {
			r = max(r, p.Resolution)
		}
	}
	return r
}

// starts turns lives of instances into starts.
type starts struct {
	f         *assay.Facts
	readiness bool    // something tells when instances are ready
	quick     float64 // s: median time to the first token of warm requests; 0 where there are none
}

func newStarts(f *assay.Facts, quick []float64) *starts {
	b := &starts{f: f, readiness: slices.ContainsFunc(f.Lives, func(l assay.Life) bool { return l.Ready != 0 })}
	if len(quick) > 0 {
		slices.Sort(quick)
		b.quick = stat.Quantile(quick, 0.5, stat.Type7)
	}
	return b
}

// of is false for an instance that was there before the run, or that was not seen to get ready, or of which it is not known when that was.
func (b *starts) of(l *assay.Life) (assay.Start, bool) {
	s := assay.Start{Instance: l.Instance, Ledger: l.Ledger, Forced: l.Forced, Reason: l.Reason, Phases: l.Phases, Held: l.Held, Resolution: l.Coarse}
	s.Begin = cmp.Or(l.Created, l.Started)
	last := int64(0)
	for _, p := range l.Phases {
		if s.Begin == 0 || l.Created == 0 && p.Begin < s.Begin {
			s.Begin = p.Begin
		}
		last = max(last, p.End)
		s.Resolution = max(s.Resolution, p.Resolution)
	}
	if s.Begin == 0 || l.Vague {
		return s, false
	}
	if l.Trigger != 0 && l.Trigger < s.Begin {
		s.Begin = l.Trigger
	}
	waited := l.Trigger != 0 && l.First > s.Begin
	until, how := l.Ready, "trigger to routing"
	switch {
	case l.Ready != 0:
	case waited:
		until, how = l.First, "trigger to the first token: nothing told when it was ready"
	case !b.readiness && (l.Exited == 0 || l.Worked != 0 || facts.Reloaded(l)) && last != 0:
		until, how = last, "first to last phase: nothing told when it was ready"
	default:
		return s, false
	}
	if until < s.Begin-s.Resolution { // its sources contradict each other by more than their clocks
		return s, false
	}
	s.End = until
	s.FirstToken = assay.NotMeasured(assay.Seconds, "no request that waited for it was seen to get a token")
	if waited {
		s.End = l.First
		if l.Ready != 0 && l.First > l.Ready && !slices.ContainsFunc(l.Phases, func(p assay.Interval) bool { return p.Name == firstToken }) {
			s.Phases = append(slices.Clip(s.Phases), assay.Interval{Name: firstToken, Begin: l.Ready, End: l.First, Resolution: max(b.f.Manifest.Resolution, l.Coarse), Source: "client"})
		}
		if l.Ready != 0 && l.First+s.Resolution < l.Ready {
			s.Doubts = append(s.Doubts, fmt.Sprintf("it gave a token %s before it was told to be ready", duration(seconds(l.Ready-l.First))))
		}
		s.FirstToken = b.took(&s, l.First, "trigger to the first token of a request that waited; interval is the resolution of the clocks")
	}
	s.Total = b.took(&s, until, how+"; interval is the resolution of the clocks")
	s.Shares, s.Unattributed = chargePhases(s.Phases, s.Begin, s.End)
	whole := max(seconds(s.End-s.Begin), 1e-9)
	told := 0.0
	for i := range s.Shares {
		x := &s.Shares[i]
		x.Ratio = exactly(x.Seconds/whole, assay.Ratio, 1, "instance starts", "part of the time from trigger to the end of the start")
		if x.Name != firstToken {
			told += x.Seconds
		}
	}
	s.Doubts = append(s.Doubts, contradictions(s.Phases)...)
	// A platform may tell of a start that is shorter by far than what its users waited for.
	if beyond := seconds(l.First-s.Begin) - b.quick; waited && told > 0 && b.quick > 0 && told < beyond/2 && beyond-told > 2*seconds(s.Resolution)+0.05 {
		s.Doubts = append(s.Doubts, fmt.Sprintf("its phases add up to %s, but who waited for it waited %s longer than for a warm answer", duration(told), duration(beyond)))
	}
	return s, true
}

// took is the time from the begin of a start until t.
func (b *starts) took(s *assay.Start, t int64, method string) assay.Quantity {
	r := s.Resolution
	q := stretch(t-s.Begin, max(0, t-s.Begin-r), t-s.Begin+r, 1, "instance starts", method)
	q.Resolution = seconds(r)
	return q
}
