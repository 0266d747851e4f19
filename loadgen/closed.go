package loadgen

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
)

// Closed is a closed loop: N slots, each of which sends its next request when the last one has been answered and Think
// has passed. It holds the concurrency, not the rate: a target that slows down gets fewer
// requests, so latencies of a closed loop say nothing about users who come on their own. A request is due at the instant its slot was free and
// says that it has no schedule. No request begins after the phase's end.
//
// A slot waits while the cap on requests in flight is reached, and after a request that failed in less than a tenth of
// a second it rests for what is left of it: a dead target is not hammered.
type Closed struct {
	N     int
	Think Think
	Ramp  time.Duration // in which the slots begin, one after another; 0: all at once
}

// failRest is the least time from one failed request of a slot to its next.
const failRest = 100 * time.Millisecond

func (c *Closed) check() error {
	if c.N < 1 || c.N > 100_000 {
		return fmt.Errorf("closed with %d slots: want 1 to 100000", c.N)
	}
	if c.Ramp < 0 {
		return fmt.Errorf("closed with a ramp of %v: want 0s or more", c.Ramp)
	}
	if err := c.Think.check(); err != nil {
		return fmt.Errorf("closed: %w", err)
	}
	return nil
}

func slotName(phase string, slot int) string { return phase + "#" + strconv.Itoa(slot) }

// closed plays a closed phase and returns its end. Requests that are open then are waited for as those of any phase are.
func (g *Generator) closed(p *Phase, begin int64, wait Wait) int64 {
	s := &stretch{phase: p, name: p.Name, begin: begin, length: int64(p.For), deadline: g.cfg.Deadline}
	g.enter(s)
	var taken atomic.Int64
	for slot := range p.Closed.N {
		g.workers.Go(func() { g.slot(s, slot, &taken) })
	}
	end := s.begin + s.length
	wait(g.halted, end)
	if g.stopping() {
		end = max(s.begin, min(end, g.cfg.Clock.Now()))
	}
	g.leave(s, end)
	return end
}

// slot sends one request after another until the phase ends.
func (g *Generator) slot(s *stretch, slot int, taken *atomic.Int64) {
	p, now := s.phase, g.cfg.Clock.Now
	draw := p.drawer(g.sched.seed, slotName(p.Name, slot))
	think := stream(g.sched.seed, slotName(p.Name, slot), "think")
	w := g.worker()
	end := s.begin + s.length
	g.pause(s.begin + int64(p.Closed.Ramp)*int64(slot)/int64(p.Closed.N))
	for n := uint64(0); now() < end && !g.stopping(); n++ {
		r := planned{in: unknown, out: unknown}
		draw.fill(&r)
		r.user = userOf(p.Name, uint64(slot))
		for !g.reserve() {
			if g.pause(now() + int64(time.Millisecond)); now() >= end || g.stopping() {
				return
			}
		}
		due := now()
		over := p.Max > 0 && taken.Add(1) > int64(p.Max)
		if over || !g.allowed() || !g.spend(r.in, r.out) {
			g.inFlight.Add(-1)
			return
		}
		id := g.take(1) + 1
		ok := w.do(g, job{s: s, id: id, due: due, r: r, own: id, session: uint64(slot)<<40 + n, loose: true})
		next := now()
		if !ok {
			next = max(next, due+int64(failRest))
		}
		if t := p.Closed.Think.draw(think); t > 0 {
			next = max(next, w.r.End+int64(t))
		}
		if next >= end {
			return
		}
		g.pause(next)
	}
}

// follow has the later turns of a session, if there are any, follow the one that w has just done.
func (g *Generator) follow(w *worker, j job) (ok bool) {
	turns := j.r.turns
	if ok = w.r.Outcome == assay.OK; turns <= 1 || !ok {
		return ok
	}
	talk := j.s.phase.talk(g.sched.seed, j.session, j.r.class)
	for turn := int32(1); turn < turns; turn++ {
		message, output, think := talk.next()
		due := w.r.End + int64(think)
		if due >= j.s.begin+j.s.length {
			return true
		}
		if g.pause(due); g.stopping() || !g.allowed() {
			return true
		}
		j.r.in += j.r.out + message
		j.r.out = output
		if j.due, j.loose = due, true; j.reserved {
			j.id++
		} else {
			j.id = g.take(1) + 1
		}
		if !g.reserve() {
			g.refused.Add(1)
			g.refuse(j, capReached)
			return false
		}
		if !g.spend(j.r.in, j.r.out) {
			g.inFlight.Add(-1)
			return true
		}
		if w.send(g, j); w.r.Outcome != assay.OK {
			return false
		}
	}
	return true
}
