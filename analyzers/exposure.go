package analyzers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/timeset"
)

// Exposure leaves in the report where the natural time lies in which the service and its instances were watched and worked, so that runs can
// be added up from their results alone. It is the time that [MTBF] divides by.
type Exposure struct{}

// Describe returns no metric: what the exposure is for is in the evidence of others.
func (Exposure) Describe() []assay.Desc { return nil }

// Begin starts a pass.
func (Exposure) Begin(f *assay.Facts) assay.Pass {
	return &exposurePass{f: f, watch: watchOf(f)}
}

type exposurePass struct {
	f     *assay.Facts
	watch facts.Watch
}

func (p *exposurePass) Requests(block []assay.Request) {
	for i := range block {
		p.watch.Add(&block[i])
	}
}

func (p *exposurePass) Finish(r *assay.Report) error {
	f := p.f
	if f.Manifest.Untimed {
		return nil
	}
	failed := false
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Ledger == assay.Natural && e.Subject == assay.InstanceOf {
			failed = true
		}
	}
	up := p.watch.States(f, assay.Natural).Up
	addExposure(r, assay.Exposure{Subject: assay.Service, Time: timeset.Length(up), In: up})
	for i, slot := range slotsOf(f.Fleet) {
		in := naturalIn(f, slot)
		addExposure(r, assay.Exposure{Subject: assay.InstanceOf, Unit: fmt.Sprintf("pod %d", i+1), Time: timeset.Length(in), In: in})
	}
	if len(f.Lives) == 0 && len(f.Fleet) == 0 && failed { // as MTBF takes it: nothing told of the life of instances
		addExposure(r, assay.Exposure{Subject: assay.InstanceOf, Time: timeset.Length(up), In: up})
	}
	var ids []string
	of := map[string][]assay.Stretch{}
	for i := range f.Lives {
		l := &f.Lives[i]
		if of[l.Instance] == nil {
			ids = append(ids, l.Instance)
		}
		of[l.Instance] = append(of[l.Instance], routed(f, l)...)
	}
	for _, id := range ids {
		in := naturalIn(f, of[id])
		addExposure(r, assay.Exposure{Subject: assay.InstanceOf, Unit: id, Time: timeset.Length(in), In: in})
	}
	return nil
}

// slotsOf lays the pods of a fleet one after another, as few beside one another as can be.
func slotsOf(fleet []assay.Interval) (out [][]assay.Stretch) {
	sorted := slices.Clone(fleet)
	slices.SortStableFunc(sorted, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
next:
	for _, x := range sorted {
		for i := range out {
			if out[i][len(out[i])-1].End <= x.Begin {
				out[i] = append(out[i], assay.Stretch{Begin: x.Begin, End: x.End})
				continue next
			}
		}
		out = append(out, []assay.Stretch{{Begin: x.Begin, End: x.End}})
	}
	return out
}

// routed returns when an instance was in routing, as inService counts it.
func routed(f *assay.Facts, l *assay.Life) []assay.Stretch {
	begin, end := cmp.Or(l.Ready, l.Worked), f.End
	if begin == 0 {
		return nil
	}
	for _, t := range []int64{l.Draining, l.Exited} {
		if t != 0 {
			end = min(end, t)
		}
	}
	var out []assay.Stretch
	for _, u := range l.Unready {
		out = append(out, assay.Stretch{Begin: u.Begin, End: cmp.Or(u.End, end)})
	}
	return timeset.Minus([]assay.Stretch{{Begin: begin, End: end}}, timeset.Union(out))
}

// naturalIn returns what of some stretches lies in the natural ledger and the watched time.
func naturalIn(f *assay.Facts, list []assay.Stretch) []assay.Stretch {
	var natural []assay.Stretch
	for i := range f.Segments {
		if s := &f.Segments[i]; s.Ledger == assay.Natural {
			natural = append(natural, assay.Stretch{Begin: s.Begin, End: s.End})
		}
	}
	return timeset.Both(timeset.Union(list), timeset.Union(natural))
}

// mostStretches bounds what the report holds of one unit.
const mostStretches = 1000

// addExposure adds an exposure to the report.
func addExposure(r *assay.Report, e assay.Exposure) {
	if e.Time <= 0 || len(e.In) == 0 {
		return
	}
	e.In = timeset.Outline(e.In, mostStretches)
	r.Exposure = append(r.Exposure, e)
}
