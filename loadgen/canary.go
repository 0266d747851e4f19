package loadgen

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// Canary is a request with a known answer that rides along the load, so that a target that answers quickly with garbage is found out. It
// has a ticker and places in flight of its own: neither the schedule nor the cap on requests in flight holds it up. What it
// sends is marked as a canary, counts for availability and for nothing that is measured of the load, is never repeated, and takes
// from the budget like any other request.
//
// It rests where a phase is about silence: in idle phases, on an idle-gap ladder and where cold starts are forced, since it would
// keep an instance awake.
type Canary struct {
	Client assay.Client  // that knows what a good answer holds: see [Endpoint.Expect]
	Prompt string        // fixed
	Every  time.Duration // from one to the next, the first at the load's begin; 0: 5 s
	Output int           // answer tokens asked for; 0: 16
	Class  string        // "": assay.ClassCanary
}

// maxCanaries bounds the canaries in flight, beyond what the deadline and the period make likely.
const maxCanaries = 256

// filled returns a copy with the defaults set.
func (c *Canary) filled() (*Canary, error) {
	if c == nil {
		return nil, nil
	}
	f := *c
	fill(&f.Every, 5*time.Second)
	fill(&f.Output, 16)
	fill(&f.Class, assay.ClassCanary)
	switch {
	case f.Client == nil:
		return nil, errors.New("canary: no client")
	case f.Every < 10*time.Millisecond:
		return nil, fmt.Errorf("canary every %v: want at least 10ms", f.Every)
	case f.Output < 0:
		return nil, fmt.Errorf("canary with an answer of %d tokens: want 1 or more", f.Output)
	}
	return &f, nil
}

// silent reports whether a canary would spoil what the phase is about.
func (p *Phase) silent() bool {
	_, ladder := p.Arrivals.(Ladder)
	return p.Role == assay.RoleIdle || ladder || p.Cold != nil
}

// ride sends canaries from begin on until over is closed.
func (g *Generator) ride(begin int64, over <-chan struct{}) {
	c := g.cfg.Canary
	places := make(chan struct{}, min(maxCanaries, int(g.cfg.Deadline/c.Every)+2))
	for n := int64(0); ; n++ {
		n = max(n, (g.cfg.Clock.Now()-begin)/int64(c.Every)) // after a stall, no heap of canaries
		due := begin + n*int64(c.Every)
		g.sleep(over, due)
		select {
		case <-over:
			return
		default:
		}
		s := g.on.Load()
		if g.stopping() || s == nil || s.phase.silent() {
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			g.note(due, s.name, "canary: skipped, since too many are in flight", nil)
			continue
		}
		j := job{s: s, id: g.take(1) + 1, due: due, r: planned{in: int32(len(strings.Fields(c.Prompt))), out: int32(c.Output)}}
		if !g.allowed() || !g.spend(j.r.in, j.r.out) {
			<-places
			continue
		}
		g.workers.Go(func() {
			g.canary(j)
			<-places
		})
	}
}

// canary sends one and records it.
func (g *Generator) canary(j job) {
	c, w := g.cfg.Canary, g.worker()
	g.prepare(&w.r, j)
	w.r.Class, w.r.Canary = c.Class, true
	w.headers[0][1] = traceparent(w.r.TraceID, w.r.SpanID)
	call := assay.Call{Model: g.cfg.Model, Prompt: c.Prompt, MaxTokens: c.Output, Stream: g.cfg.Stream, Headers: w.headers, Seed: g.sched.seed, Greedy: true}
	ctx, cancel := context.WithTimeout(g.flight, g.cfg.Deadline)
	c.Client.Do(ctx, &call, &w.r)
	cancel()
	if w.r.End == 0 {
		w.r.End = g.cfg.Clock.Now()
	}
	g.settled(&w.r, j.r.in, j.r.out)
	g.record(&w.r)
}
