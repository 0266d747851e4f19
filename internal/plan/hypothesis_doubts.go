package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/assay-dev/assay/internal/live"
)

// Doubts says which faults the end of the load cuts short, and what of the hypotheses the plan leaves no time or no requests for, so that it would not
// be known; one line each. drawn is what the
// schedule shows of each phase, or nil for what the settings say.
func (p *Plan) Doubts(drawn []Expected) (lines []string) {
	type phase struct {
		name       string
		begin, end time.Duration
		rate       float64 // requests per second; NaN where the run decides it
	}
	var phases []phase
	at, open := time.Duration(0), false
	begins := map[string]time.Duration{}
	for i := range p.Load {
		l := &p.Load[i]
		d, ok := l.length()
		n := l.expect()
		if i < len(drawn) {
			d, n, ok = drawn[i].For, drawn[i].Requests, true
		}
		open = open || !ok
		if l.Search != nil {
			n = math.NaN()
		}
		begins[l.Name] = at
		phases = append(phases, phase{l.Name, at, at + d, n / d.Seconds()})
		at += d
	}
	if open {
		return nil
	}
	lines = p.cutDoubts(begins, at)
	short := ""
	for i := range p.Hypothesis {
		h := &p.Hypothesis[i]
		said := map[string]bool{}
		for j := range p.Chaos {
			f := &p.Chaos[j]
			for _, from := range f.nominal() {
				if f.When != "" || f.Group != nil && f.Group.When != "" {
					continue // nobody knows when
				}
				for _, ph := range phases {
					if ph.name == f.phase() {
						from += ph.begin
					}
				}
				back := from + f.For.D() + h.After.D()
				if back > at && short == "" {
					short = fmt.Sprintf("whether %s holds again %v after %s, at about %v, would not be known: the load ends at %v", h.Name, h.After.D(), p.id(j),
						back.Round(100*time.Millisecond), at.Round(100*time.Millisecond))
				}
				for _, ph := range phases {
					if from < ph.begin || from >= ph.end || h.Metric == "" || said[ph.name] {
						continue
					}
					n, least := ph.rate*h.Over.D().Seconds(), live.Least(h.Metric)
					if h.Metric == "canary_ratio" {
						n = h.Over.D().Seconds() / p.Canary.Every.D().Seconds()
					}
					if n < float64(least) {
						said[ph.name] = true
						lines = append(lines, fmt.Sprintf("%s: %d requests in %v are the least to know it, and phase %s makes about %.3g", h.Name, least, h.Over.D(), ph.name, n))
					}
				}
			}
		}
	}
	if short != "" {
		lines = append(lines, short)
	}
	return lines
}

// id returns what the faults of entry i go by.
func (p *Plan) id(i int) string {
	if name := p.Chaos[i].Name; name != "" {
		return name
	}
	return p.Chaos[i].Fault + "-" + p.Number(i)
}
