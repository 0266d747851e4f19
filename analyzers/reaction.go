package analyzers

import (
	"cmp"
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// reaction returns when the platform first reacted to the fault and when the victim was out of routing for good, not before the fault was in
// force; 0 where it did not. back counts how often the victim came back while the fault was in force and its users, well again at ended, were hurt: a
// platform that takes it out for a moment has not isolated it.
func (p *recoveryPass) reaction(w *assay.FaultWindow, ended int64) (detect, isolate int64, back int, resolution int64) {
	begin := max(w.Armed, w.Applied-1e9)
	end := max(w.Washout, w.Clear, w.Reverted)
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Time < begin || e.Time > end {
			continue
		}
		switch e.Kind {
		case assay.EventInstanceProbe:
			if e.Instance != w.Target || e.Attrs["ok"] == "true" {
				continue
			}
		case assay.EventInstanceUnready, assay.EventInstanceEjected, assay.EventInstanceExited, assay.EventInstanceDraining:
			if e.Instance != w.Target {
				continue
			}
		case assay.EventInstanceCreated:
			if e.Attrs["reason"] != "replace" {
				continue
			}
		default:
			continue
		}
		detect, resolution = max(e.Time, w.Applied), cmp.Or(e.Resolution, facts.Probe(p.f.Manifest))
		break
	}
	force := max(w.Reverted, w.Clear) // in force until then
	if force == 0 {
		force = math.MaxInt64
	}
	for _, out := range absences(p.f, w.Target) {
		if out.End != 0 && out.End <= begin || out.Begin < begin || out.Begin > min(end, ended) {
			continue
		}
		if isolate == 0 {
			isolate = max(out.Begin, w.Applied)
		}
		if out.End != 0 && out.End < min(force, ended) {
			isolate, back = 0, back+1
		}
	}
	return detect, isolate, back, resolution
}

// absences returns the stretches in which the instance was out of routing after it had been in it, in order; one without an end has End 0.
// One that started again was away until it was ready.
func absences(f *assay.Facts, instance string) []assay.Interval {
	var out []assay.Interval
	for i := range f.Lives {
		l := &f.Lives[i]
		if l.Instance != instance {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End == 0 && l.Ready > out[n-1].Begin {
			out[n-1].End = l.Ready
		}
		for _, u := range l.Unready {
			if u.End == l.Exited {
				u.End = 0
			}
			out = append(out, u)
		}
		gone := l.Draining
		if gone == 0 || l.Exited != 0 && l.Exited < gone {
			gone = l.Exited
		}
		if gone != 0 {
			out = append(out, assay.Interval{Begin: gone})
		}
	}
	return out
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
