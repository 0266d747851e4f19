package loadgen

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// A Search looks for the highest rate at which limits hold. It raises the rate step by step by a
// factor until a step breaks, then halves the gap, on a scale of ratios, between the highest rate
// that may hold and the lowest that broke. Each step is a phase of its own, named after the search with its
// number: stress/1, stress/2. A step is decided by the requests that were due in it, all of them: one that
// failed, was shed or was refused by our own cap missed each limit. Between steps nothing
// is sent until every request of the last one has ended.
//
// # When a rate holds
//
// A quantile holds where the share of requests above its limit is small enough, so each rate is judged by the exact
// binomial interval of that share, at Confidence: it holds when the whole interval lies on the good side, it broke when
// all of it lies on the bad side, and it is undecided while the interval straddles the limit. An undecided rate is tried again, at most Runs
// times, and its requests are pooled. What higher rates showed counts for it too, since fewer requests miss at a lower rate. Requests
// that miss come in clusters, and a sample is worth less for that (design effect of blocks), whichever way it decides. A rate that stays
// undecided lies too close to the limit for so few requests; the search then looks below it, and reports the gap.
//
// A queue that grows takes time to be felt: in steps of a few seconds a target passes at rates above its capacity. So short steps only climb, and
// what they pass is passed without more ado. Once one broke, steps of the length Confirm decide, without the first quarter of each, in which
// the load settles; if the time does not suffice for them, what short steps showed is reported of the rate one step below
// the highest that they passed, and that it was not confirmed.
//
// # When a step is cut short
//
// A step ends early once more requests have missed a limit than could be, at Confidence, if all that are still to come met it; or when the requests in
// flight grow beyond three times what the rate and the longest time of a step that held allow by Little's law. What was cut short broke. To look after each request costs no confidence, since misses only add up: the count at the
// end would say the same. But it counts each miss as independent, before there are enough to see how they cluster, and so a limit may read low where they do.
//
// A step that did not hold while our own sends were late, by the rule that makes a run invalid, says nothing of the target: it is tried again, twice at
// most, and then its rate is left undecided, the search goes on below it, and says why. A careful search ends there.
type Search struct {
	Start  float64            // rate of the first step, requests per second
	SLO    map[string]float64 // highest allowed value, in seconds or as a ratio: ttft, e2e or tpot with /pNN, /mean or /max, and error_ratio
	Factor float64            // between the rates of neighbouring steps; 0: 1.5
	Step   time.Duration      // length of a step of the climb; a low rate lengthens it to get MinN requests; 0: 4 s
	For    time.Duration      // longest time it may send; the requests of the last step may take their deadline longer; 0: 60 s
	Max    float64            // highest rate tried; 0: 64 times Start
	MinN   int                // fewest requests of a step; 0: what the strictest quantile needs to be more than the largest value, at most 100
	Within float64            // stop when the limit is known to this ratio; 0: 1.1
	Even   bool               // even arrivals instead of Poisson

	Confirm    time.Duration // length of a step that decides; 0: four times Step
	Confidence float64       // of the interval that must clear the limit, two-sided; 0: 0.9
	Runs       int           // how often a rate is tried at most while it is undecided; 0: 2

	// Tries is how often a rate must break in a row before it counts as broken; 0: 2. The second try gives a
	// platform that scales the time to do so. What an earlier try showed is dropped.
	Tries int

	// Careful ends the search at the first step that breaks and at the first failed or throttled request. It judges by the value that a step showed, without
	// an interval: it may not send as many requests as that needs.
	Careful bool

	// Knee looks for the knee in place of a limit: see knee.go. There is no SLO then.
	Knee bool

	Deadline time.Duration // of its requests; 0: ten times the largest time in SLO, between 2 s and the generator's
}

// filled returns a copy with the defaults set.
func (s *Search) filled() (*Search, error) {
	f := *s
	f.SLO = maps.Clone(s.SLO)
	if !(f.Start > 0) || math.IsInf(f.Start, 0) {
		return nil, fmt.Errorf("search starts at %g/s: want more than 0/s", f.Start)
	}
	if len(f.SLO) == 0 && !f.Knee {
		return nil, errors.New("search has no slo: want at least one limit, for example ttft/p95")
	}
	if len(f.SLO) > 0 && f.Knee {
		return nil, errors.New("search for the knee has an slo: want none, or a search for saturation")
	}
	limits, err := parseSLO(f.SLO)
	if err != nil {
		return nil, err
	}
	fill(&f.Factor, 1.5)
	fill(&f.Step, 4*time.Second)
	fill(&f.For, time.Minute)
	fill(&f.Max, 64*f.Start)
	fill(&f.Within, 1.1)
	fill(&f.Tries, 2)
	fill(&f.Runs, 2)
	fill(&f.Confirm, 4*f.Step)
	if !f.Careful && !f.Knee {
		fill(&f.Confidence, 0.9)
	}
	if f.MinN == 0 {
		f.MinN = 20
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
	case f.Confidence < 0 || f.Confidence >= 1:
		return nil, fmt.Errorf("search confidence %g: want at least 0 and less than 1", f.Confidence)
	case f.Confirm < f.Step:
		return nil, fmt.Errorf("search confirm %v: want at least a step, %v", f.Confirm, f.Step)
	case f.Step < 0 || f.For < 0 || f.Tries < 0 || f.Runs < 0 || f.MinN < 0 || f.Deadline < 0:
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

// A search under way sends one step after another.
type search struct {
	g        *Generator
	p        *Phase
	wait     Wait
	limits   []limit
	deadline time.Duration
	begin    int64 // of the next step
	last     int64 // when it must have sent all
	n        int   // steps so far
	used     int   // requests so far
	served   float64
	why      string // it ended
}

func (g *Generator) newSearch(p *Phase, begin int64, wait Wait) *search {
	limits, _ := parseSLO(p.Search.SLO) // checked by New
	return &search{g: g, p: p, wait: wait, limits: limits, deadline: p.Search.deadline(g.cfg.Deadline), begin: begin, last: begin + int64(p.Search.For)}
}

// step sends at a rate until about n requests were sent, for so long at least, and waits until all have ended. It returns nil
// when the search may not go on, for the reason in why.
func (s *search) step(rate float64, n int, least time.Duration) *step {
	set := s.p.Search
	n = max(n, set.MinN)
	length := max(int64(least), int64(float64(n)/rate*1e9))
	short := func(l int64) bool { return float64(l)/1e9*rate < float64(set.MinN) || l < int64(set.Step)/2 }
	if left := s.last - s.begin; length > left {
		if length = left; short(length) {
			s.why = "the time is used up"
			return nil
		}
	}
	remain := 0 // 0: no limit
	if s.p.Max > 0 {
		if remain = s.p.Max - s.used; float64(remain) < rate*float64(length)/1e9 {
			if length = int64(float64(remain) / rate * 1e9); remain < set.MinN || remain < 1 || length < int64(set.Step)/2 {
				s.why = "the requests are used up"
				return nil
			}
		}
	}
	s.n++
	name := fmt.Sprintf("%s/%d", s.p.Name, s.n)
	var a Arrivals = Poisson{Profile{Rate: rate}}
	if set.Even {
		a = Even{Profile{Rate: rate}}
	}
	plan := s.p.draw(name, a, time.Duration(length), s.g.sched.seed, remain)
	alpha := (1 - set.Confidence) / 2
	if set.Confidence == 0 {
		alpha = 0
	}
	st := newStep(s.limits, len(plan), alpha)
	st.name, st.careful, st.rate, st.served, st.begin, st.length = name, set.Careful, rate, s.served, s.begin, length
	now := s.g.cfg.Clock.Now
	end := s.g.send(&stretch{phase: s.p, name: name, begin: s.begin, length: length, rate: rate, deadline: s.deadline,
		id: s.g.take(len(plan)), plan: plan, step: st, number: s.n}, s.wait)
	for settle := end + int64(s.deadline) + int64(s.g.cfg.Grace); !st.settled() && now() < settle; {
		s.wait(nil, now()+int64(2*time.Millisecond))
		if s.g.stopping() {
			break
		}
	}
	st.ended = max(end, now())
	s.begin = st.ended
	s.used += st.due
	if s.g.stopping() {
		s.why = "the load was stopped"
		return nil
	}
	return st
}

// search runs a search phase and returns its end.
func (g *Generator) search(p *Phase, begin int64, wait Wait) int64 {
	s := g.newSearch(p, begin, wait)
	if p.Search.Knee {
		return s.knee()
	}
	c := &climb{Search: p.Search, limits: s.limits}
	for rate, n, more := c.Start, 0, true; more; rate, n, more = c.next() {
		least := c.Step
		if c.long {
			least = c.Confirm
		}
		st := s.step(rate, n, least)
		if st == nil {
			break
		}
		v := st.judge()
		text := c.take(rate, st, v)
		g.step(fmt.Sprintf("%s %s/s %s: %s", st.name, number(rate), text, v.text))
		if v.unmeasured != "" {
			s.why = v.unmeasured + " is not measured by this client"
			break
		}
		if v.good {
			s.served = max(s.served, v.e2e)
		}
		if v.failed && c.Careful {
			s.why = "a request failed"
			break
		}
	}
	if g.held[p.Name], _ = c.held(); g.held[p.Name] == 0 { // a hold is no claim: it may stand on what passed
		g.held[p.Name] = c.passed()
	}
	g.conclude(p, c, s.why, s.begin)
	return s.begin
}

// step adds to the search path.
func (g *Generator) step(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.path = append(g.path, text)
}

// conclude records what the search found.
func (g *Generator) conclude(p *Phase, c *climb, why string, at int64) {
	attrs := map[string]string{"search": p.Name}
	text := p.Name + ": no rate held"
	held, confirmed := c.held()
	if c.Confidence > 0 {
		attrs["confidence"] = number(c.Confidence)
	}
	if held > 0 {
		attrs["held"], attrs["steps"] = number(held), c.Step.String()
		text = fmt.Sprintf("%s: %s/s held", p.Name, number(held))
		switch {
		case confirmed:
			attrs["steps"] = c.Confirm.String()
		case !c.Careful:
			attrs["unconfirmed"] = "true"
			text += " as far as short steps show"
		}
	}
	if broke := c.broke(); broke != nil {
		attrs["broke"], attrs["metric"] = number(broke.rate), broke.worst
		text += fmt.Sprintf(", %s/s broke %s", number(broke.rate), broke.worst)
	}
	open, late := c.undecided()
	if len(late) > 0 {
		attrs["late"] = strings.Join(late, " ")
		text += fmt.Sprintf(", our own sends were late at %s/s", strings.Join(late, "/s and "))
	}
	if len(open) > 0 {
		attrs["undecided"] = strings.Join(open, " ")
		text += fmt.Sprintf(", %s/s too close to call", strings.Join(open, "/s and "))
	}
	if why != "" {
		attrs["ended"] = why
		text += "; it ended because " + why
	}
	g.note(at, p.Name, text, attrs)
}

// metrics returns the metrics of an SLO in order of name.
func metrics(slo map[string]float64) []string { return slices.Sorted(maps.Keys(slo)) }
