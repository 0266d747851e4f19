package main

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// A phaseClock lets the clock of the load phases stand still while something goes on whose length nobody knows beforehand: a question that a person
// answers, an experiment that is played. The load goes on, and what the plan leaves after it is left whenever it is over.
type phaseClock struct {
	now func() int64

	mu      sync.Mutex
	waiting int             // things that go on
	since   int64           // run time since which one does
	paused  int64           // how long ones did, before that
	bases   map[int64]int64 // paused when the phase that began at an instant did
}

// How much longer a load phase may last at most, so that a plan that nobody answers ends, and how many requests more are drawn for it beforehand.
const (
	maxPause = time.Hour
	maxDrawn = 1_000_000
)

// holdPhases makes the clock of the session's load phases, where the plan has anything that may stop it.
func (s *session) holdPhases() {
	if s.plan.Mode != modeGameDay && !slices.ContainsFunc(s.plan.Chaos, func(f plan.Fault) bool { return f.Fault == "experiment" }) {
		return
	}
	s.pauses = &phaseClock{now: func() int64 { return s.clock.Now() }, bases: map[int64]int64{}}
	for i := range s.phases {
		p := &s.phases[i]
		if _, ends := p.Arrivals.(loadgen.Lasting); ends || p.Closed != nil || p.Search != nil || p.Hold != nil || p.Cold != nil || p.External != nil {
			continue // they have a clock of their own
		}
		length := int64(p.For)
		longer := maxPause
		if p.Arrivals != nil {
			longer = min(longer, time.Duration(maxDrawn/max(1, p.Arrivals.Mean())*1e9))
		}
		p.For += longer
		p.Until = func(begin int64) int64 { return s.pauses.until(begin, length) }
	}
}

// until returns when a load phase ends that began at an instant and is planned to be so long.
func (c *phaseClock) until(begin, length int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.bases[begin]; !ok {
		c.bases[begin] = c.stood()
	}
	if c.waiting > 0 {
		return math.MaxInt64
	}
	return begin + length + c.paused - c.bases[begin]
}

// total returns for how long it has stood still until now.
func (c *phaseClock) total() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.stood())
}

func (c *phaseClock) stood() int64 {
	if c.waiting > 0 {
		return c.paused + c.now() - c.since
	}
	return c.paused
}

// pause stops the clock until resume.
func (c *phaseClock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting++; c.waiting == 1 {
		c.since = c.now()
	}
}

func (c *phaseClock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.paused += c.now() - c.since
	}
}
