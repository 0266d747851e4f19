package loadgen

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// A Search looks for the highest rate at which limits hold. It raises the rate step by step by a
// factor until a step breaks, then halves the gap, on a scale of ratios, between the highest rate
// that held and the lowest that broke. Each step is a phase of its own, named after the search with its
// number: stress/1, stress/2. A step is decided by the requests that were due in it, all of them: one that
// failed, was shed or was refused by our own cap missed each limit. Between steps nothing
// is sent until every request of the last one has ended.
type Search struct {
	Start  float64            // rate of the first step, requests per second
	SLO    map[string]float64 // highest allowed value, in seconds or as a ratio: ttft, e2e or tpot with /pNN, /mean or /max, and error_ratio
	Factor float64            // between the rates of neighbouring steps; 0: 1.5
	Step   time.Duration      // length of a step; a low rate lengthens it to get MinN requests; 0: 4 s
	For    time.Duration      // longest time it may send; the requests of the last step may take their deadline longer; 0: 30 s
	Max    float64            // highest rate tried; 0: 64 times Start
	MinN   int                // fewest requests that decide a step; 0: what the strictest quantile needs, at most 100
	Within float64            // stop when the limit is known to this ratio; 0: 1.1
	Even   bool               // even arrivals instead of Poisson

	// Tries is how often a rate must break in a row before it counts as broken; 0: 2. The second try gives a
	// platform that scales the time to do so.
	Tries int

	// Careful ends the search at the first step that breaks and at the first failed or throttled request.
	Careful bool

	Deadline time.Duration // of its requests; 0: ten times the largest time in SLO, between 2 s and the generator's
}

// filled returns a copy with the defaults set.
func (s *Search) filled() (*Search, error) {
	f := *s
	f.SLO = maps.Clone(s.SLO)
	if !(f.Start > 0) || math.IsInf(f.Start, 0) {
		return nil, fmt.Errorf("search starts at %g/s: want more than 0/s", f.Start)
	}
	if len(f.SLO) == 0 {
		return nil, errors.New("search has no slo: want at least one limit, for example ttft/p95")
	}
	limits, err := parseSLO(f.SLO)
	if err != nil {
		return nil, err
	}
	fill(&f.Factor, 1.5)
	fill(&f.Step, 4*time.Second)
	fill(&f.For, 30*time.Second)
	fill(&f.Max, 64*f.Start)
	fill(&f.Within, 1.1)
	fill(&f.Tries, 2)
	if f.MinN == 0 {
		for _, l := range limits {
			f.MinN = max(f.MinN, l.need())
		}
	}
	switch {
	case f.Factor <= 1:
		return nil, fmt.Errorf("search factor %g: want more than 1", f.Factor)
	case f.Within <= 1:
		return nil, fmt.Errorf("search within %g: want more than 1", f.Within)
	case f.Max < f.Start:
		return nil, fmt.Errorf("search max %g/s: want at least start, %g/s", f.Max, f.Start)
	case f.Step < 0 || f.For < 0 || f.Tries < 0 || f.MinN < 0 || f.Deadline < 0:
		return nil, errors.New("search: a setting below zero")
	}
	return &f, nil
}

func fill[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// deadline returns the deadline of the search's requests.
func (s *Search) deadline(general time.Duration) time.Duration {
	if s.Deadline > 0 {
		return min(s.Deadline, general)
	}
	longest := 0.0
	for metric, v := range s.SLO {
		if metric != "error_ratio" {
			longest = max(longest, v)
		}
	}
	if longest == 0 {
		return general
	}
	return min(general, max(2*time.Second, time.Duration(10*longest*1e9)))
}

// climb is the state of a search: which rates held and broke, and which comes next.
type climb struct {
	*Search
	held, broke float64 // 0: none yet
	tries       int     // breaks in a row of the rate in hand
	rate        float64
}

// next takes the answer for the rate in hand and sets the next one; false means that the search has ended.
func (c *climb) next(held bool) bool {
	if !held {
		if c.tries++; c.tries < c.Tries && !c.Careful {
			return true
		}
	}
	c.tries = 0
	if held {
		c.held = c.rate
	} else {
		c.broke = c.rate
	}
	switch {
	case c.Careful && !held:
		return false
	case c.broke == 0:
		if c.rate >= c.Max {
			return false
		}
		c.rate = min(c.Max, c.rate*c.Factor)
	case c.held == 0:
		c.rate /= c.Factor
		return c.rate >= c.Start/16
	case c.broke/c.held <= c.Within:
		return false
	default:
		c.rate = math.Sqrt(c.held * c.broke)
	}
	return true
}

// search runs a search phase and returns its end.
func (g *Generator) search(p *Phase, begin int64, wait Wait) int64 {
	now := g.cfg.Clock.Now
	s := p.Search
	limits, _ := parseSLO(s.SLO) // checked by New
	last := begin + int64(s.For)
	deadline := s.deadline(g.cfg.Deadline)
	c := climb{Search: s, rate: s.Start}
	why, broken, served := "", "", 0.0
	used := 0
	for n := 1; ; n++ {
		length := max(int64(s.Step), int64(float64(s.MinN)/c.rate*1e9))
		if left := last - begin; length > left {
			if length = left; float64(length)/1e9*c.rate < float64(s.MinN) || length < int64(s.Step)/2 {
				why = "the time is used up"
				break
			}
		}
		remain := 0 // 0: no limit
		if p.Max > 0 {
			if remain = p.Max - used; float64(remain) < c.rate*float64(length)/1e9 {
				if length = int64(float64(remain) / c.rate * 1e9); remain < s.MinN || remain < 1 || length < int64(s.Step)/2 {
					why = "the requests are used up"
					break
				}
			}
		}
		name := fmt.Sprintf("%s/%d", p.Name, n)
		var a Arrivals = Poisson{Profile{Rate: c.rate}}
		if s.Even {
			a = Even{Profile{Rate: c.rate}}
		}
		plan := p.draw(name, a, time.Duration(length), g.sched.seed, remain)
		st := &step{limits: limits, planned: len(plan), careful: s.Careful, rate: c.rate, served: served}
		stretch := &stretch{phase: p, name: name, begin: begin, length: length, rate: c.rate, deadline: deadline,
			id: g.take(len(plan)), plan: plan, step: st, number: n}
		end := g.send(stretch, wait)
		for settle := end + int64(deadline) + int64(g.cfg.Grace); !st.settled() && now() < settle; {
			wait(nil, now()+int64(2*time.Millisecond))
			if g.stopping() {
				break
			}
		}
		begin = max(end, now())
		if g.stopping() {
			why = "the load was stopped"
			break
		}
		v := st.judge(len(plan))
		used += v.n
		text := "held"
		switch {
		case v.unmeasured != "":
			text = "is undecided"
		case !v.held:
			text, broken = "broke", v.worst
		}
		g.step(fmt.Sprintf("%s %s/s %s: %s", name, number(c.rate), text, v.text))
		if v.unmeasured != "" {
			why = v.unmeasured + " is not measured by this client"
			break
		}
		if v.held {
			served = max(served, v.e2e)
		}
		if !c.next(v.held) {
			break
		}
		if v.failed && s.Careful {
			why = "a request failed"
			break
		}
	}
	if c.broke == 0 && c.tries > 0 { // the time ran out before a second try
		c.broke = c.rate
	}
	g.held[p.Name] = c.held
	g.conclude(p, &c, broken, why, begin)
	return begin
}

// step adds to the search path.
func (g *Generator) step(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.path = append(g.path, text)
}

// conclude records what the search found.
func (g *Generator) conclude(p *Phase, c *climb, broken, why string, at int64) {
	attrs := map[string]string{"search": p.Name}
	text := p.Name + ": no rate held"
	if c.held > 0 {
		attrs["held"] = number(c.held)
		text = fmt.Sprintf("%s: %s/s held", p.Name, number(c.held))
	}
	if c.broke > 0 {
		attrs["broke"], attrs["metric"] = number(c.broke), broken
		text += fmt.Sprintf(", %s/s broke %s", number(c.broke), broken)
	}
	if why != "" {
		attrs["ended"] = why
		text += "; it ended because " + why
	}
	g.note(at, p.Name, text, attrs)
}

// metrics returns the metrics of an SLO in order of name.
func metrics(slo map[string]float64) []string { return slices.Sorted(maps.Keys(slo)) }

// shed reports whether a careful search must stop on the outcome.
func shed(o assay.Outcome) bool { return o.Failed() || o == assay.Throttled }
