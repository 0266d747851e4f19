package plan

import (
	"fmt"
	"time"
)

// This file tells which faults the end of the load cuts short: no fault outlives it, since without requests nobody would see what it does.

// earliest returns when each fault strikes first, at the earliest, counted from its phase or the load: conditions are taken to be met at once, and the
// members before in a serial group to last as long as they say.
func (p *Plan) earliest() []time.Duration {
	out := make([]time.Duration, len(p.Chaos))
	var before time.Duration
	for i := range p.Chaos {
		f := &p.Chaos[i]
		out[i] = f.At.D()
		g := f.Group
		if g == nil {
			continue
		}
		if i == 0 || p.Chaos[i-1].Group != g {
			before = 0
		}
		out[i] += g.At.D()
		if g.Kind == "serial" {
			out[i] += before
			before += f.At.D() + f.spread() + f.For.D()
		}
	}
	return out
}

// left returns for each fault how much of its time the end of the load leaves its last strike that is certain, at most; all of it where the end
// does not come in between. begins are those of the phases. A strike that never comes has none to be cut.
func (p *Plan) left(begins map[string]time.Duration, whole time.Duration) []time.Duration {
	out := p.earliest()
	for i := range p.Chaos {
		f := &p.Chaos[i]
		from := out[i] + begins[f.phase()]
		if f.Repeat != nil && f.Repeat.Every > 0 {
			from += f.spread()
		}
		out[i] = f.For.D()
		if from < whole {
			out[i] = min(f.For.D(), whole-from)
		}
	}
	return out
}

// cuts refuses faults that have less than half of their time: what they show is not what was asked.
func (c *checker) cuts(p *Plan, begins map[string]time.Duration, whole time.Duration) {
	for i, left := range p.left(begins, whole) {
		if f := &p.Chaos[i]; left < f.For.D()/2 {
			c.bad(f.path(i)+".for", "%v would be cut short by the end of the load, %v, after %v: less than half of it; strike earlier, or lengthen the load", f.For.D(), whole, left)
		}
	}
}

// cutDoubts says which faults have not all of their time, one line each.
func (p *Plan) cutDoubts(begins map[string]time.Duration, whole time.Duration) (lines []string) {
	for i, left := range p.left(begins, whole) {
		if f := &p.Chaos[i]; left < f.For.D() {
			of := p.id(i)
			if f.Repeat != nil && f.Repeat.Every > 0 {
				of = "the last strike of " + of
			}
			lines = append(lines, fmt.Sprintf("%s will be cut short by the end of the load after %v of its %v", of, left.Round(time.Millisecond), f.For.D()))
		}
	}
	return lines
}
