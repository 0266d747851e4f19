package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
)

// Cold makes cold starts on purpose, one after another: the deployment is made cold, then one request is sent and waited for. The
// request is due at the instant at which the deployment was seen to be cold, has no schedule, and says that its cold start was forced. Where the
// platform cannot hold a request while an instance starts, the request is refused; then it is sent again,
// every quarter of a second, until it is served or its deadline has passed since the first: each attempt is a record of its own.
//
// The phase ends when all are made, or when its time is over.
type Cold struct {
	Force  int           // how many
	Every  time.Duration // at least, from one request to the next
	Settle time.Duration // between cold and the request
}

// coldMost is how long one forced cold start may take on average, unless the phase says how long it may last.
const coldMost = time.Minute

// Lasts returns how long the phase takes at most, unless it says so itself.
func (c *Cold) Lasts() time.Duration {
	return time.Duration(c.Force) * (max(c.Every, coldMost) + c.Settle)
}

const (
	chillLimit = 2 * time.Minute // for making the deployment cold once
	chillTries = 3               // failures in a row that end the phase
	coldAgain  = 250 * time.Millisecond
)

func (c *Cold) check() error {
	if c.Force < 1 || c.Force > 100_000 {
		return fmt.Errorf("cold with %d starts: want 1 to 100000", c.Force)
	}
	if c.Every < 0 || c.Settle < 0 {
		return errors.New("cold: a setting below zero")
	}
	return nil
}

// cold plays a cold phase and returns its end.
func (g *Generator) cold(p *Phase, begin int64, wait Wait) int64 {
	s := &stretch{phase: p, name: p.Name, begin: begin, length: int64(p.For), deadline: g.cfg.Deadline}
	g.enter(s)
	now := g.cfg.Clock.Now
	draw, w := p.drawer(g.sched.seed, p.Name), g.worker()
	last, failed, made := begin+s.length, 0, 0
	for next := begin; made < p.Cold.Force && max(next, now()) < last; {
		wait(g.halted, next)
		if g.stopping() {
			break
		}
		if err := g.chill(); err != nil {
			if g.stopping() {
				break
			}
			g.event(&assay.Event{Time: now(), Kind: assay.EventWarning, Phase: p.Name, Text: fmt.Sprintf("%s: the deployment was not made cold: %v", p.Name, err)})
			if failed++; failed == chillTries {
				break
			}
			next = now() + int64(time.Second)
			continue
		}
		failed = 0
		due := now() + int64(p.Cold.Settle)
		wait(g.halted, due)
		r := planned{in: unknown, out: unknown}
		draw.fill(&r)
		if g.stopping() || !g.wake(w, job{s: s, id: g.take(1) + 1, due: due, r: r, loose: true, forced: true}) {
			break
		}
		made++
		next = max(due+int64(p.Cold.Every), now())
	}
	end := now()
	if made == p.Cold.Force {
		g.note(end, p.Name, fmt.Sprintf("%s: %d cold starts were forced", p.Name, made), nil)
	} else if !g.stopping() {
		g.event(&assay.Event{Time: end, Kind: assay.EventWarning, Phase: p.Name, Text: fmt.Sprintf("%s: %d of %d cold starts were forced before it ended", p.Name, made, p.Cold.Force)})
	}
	g.leave(s, end)
	return end
}

// chill makes the deployment cold; a stop of the load ends the attempt.
func (g *Generator) chill() error {
	ctx, cancel := context.WithTimeout(g.flight, chillLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.cfg.Chill(ctx) }()
	select {
	case err := <-done:
		return err
	case <-g.halted:
		cancel()
		return <-done
	}
}

// wake sends the request of one cold start until it is served. It is false when the load is over.
func (g *Generator) wake(w *worker, j job) bool {
	limit := j.due + int64(j.s.deadline)
	j.own = j.id
	for {
		if !g.allowed() {
			return false
		}
		for !g.reserve() { // what is left of the phase before
			if g.pause(g.cfg.Clock.Now() + int64(time.Millisecond)); g.stopping() {
				return false
			}
		}
		if !g.spend(j.r.in, j.r.out) {
			g.inFlight.Add(-1)
			return false
		}
		w.try(g, j)
		switch w.r.Outcome {
		case assay.Loading, assay.Unavailable, assay.Refused, assay.Reset, assay.Unresolved, assay.Throttled:
		default:
			return true
		}
		next := w.r.End + max(int64(coldAgain), w.r.RetryAfter)
		if next >= limit {
			return true
		}
		if g.pause(next); g.stopping() {
			return false
		}
		j.due, j.attempt = next, j.attempt+1
	}
}
