package loadgen

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

const (
	// lag is how late a send may be before the backlog is held to the pace.
	lag = 5 * time.Millisecond

	// haste is how many times faster than planned a backlog may go out.
	haste = 4

	// maxEmitting bounds the records that wait in an emit that blocks, which it must not.
	maxEmitting = 4096
)

// A stretch is a phase, or a step of a search, with its requests.
type stretch struct {
	phase    *Phase
	name     string
	begin    int64
	length   int64
	rate     float64
	deadline time.Duration
	id       uint64 // of the request before the first
	plan     []planned
	step     *step // nil outside a search
	number   int   // of the step
}

// A job is one request for a worker.
type job struct {
	s       *stretch
	id      uint64
	due     int64
	in, out int32
}

// pace holds a backlog to a bounded rate.
type pace struct{ next int64 }

// from returns when a request due at due may go, now being the time: at once, unless the sends are behind.
func (p *pace) from(due, now int64, rate float64) int64 {
	if now-due < int64(lag) || rate <= 0 {
		p.next = 0
		return due
	}
	at := max(now, p.next)
	p.next = at + int64(float64(time.Second)/(haste*rate))
	return at
}

// send plays one stretch and returns its end: as planned, or now if it was cut short.
func (g *Generator) send(s *stretch, wait Wait) int64 {
	role := string(s.phase.Role)
	end := s.begin + s.length
	attrs := map[string]string{"role": role, "rate": strconv.FormatFloat(s.rate, 'g', -1, 64)}
	if s.step != nil {
		attrs["of"], attrs["step"] = s.phase.Name, strconv.Itoa(s.number)
	}
	g.event(&assay.Event{Time: s.begin, Kind: assay.EventPhaseBegin, Phase: s.name, Attrs: attrs})
	g.phase.Store(&Active{Name: s.name, Role: role, Begin: s.begin, End: end, Rate: s.rate})

	now := g.cfg.Clock.Now
	cut := false
	for i := range s.plan {
		due := s.begin + s.plan[i].due
		wait(g.halted, due)
		if t := now(); t-due >= int64(lag) {
			if at := g.behind.from(due, t, s.rate); at > t {
				wait(g.halted, at)
			}
		}
		if cut = g.stopping() || s.step != nil && s.step.over(g.inFlight.Load()) || !g.allowed(); cut {
			break
		}
		g.dispatch(job{s: s, id: s.id + uint64(i) + 1, due: due, in: s.plan[i].in, out: s.plan[i].out})
	}
	if !cut {
		wait(g.halted, end)
		cut = g.stopping()
	}
	if cut {
		end = max(s.begin, min(end, now()))
	}
	g.phase.Store(nil)
	done := map[string]string{"role": role}
	if s.step != nil {
		done["of"], done["step"] = s.phase.Name, strconv.Itoa(s.number)
	}
	g.event(&assay.Event{Time: end, Kind: assay.EventPhaseEnd, Phase: s.name, Attrs: done})
	return end
}

// allowed asks the budget and the gate.
func (g *Generator) allowed() bool {
	if g.cfg.MaxRequests > 0 && g.sent.Load() >= int64(g.cfg.MaxRequests) {
		g.stop("budget", fmt.Sprintf("%d requests were sent, all that the budget allows", g.cfg.MaxRequests))
		return false
	}
	if g.cfg.Gate != nil {
		if err := g.cfg.Gate(); err != nil {
			g.stop(err.Error(), "")
			return false
		}
	}
	return true
}

// dispatch hands one request to a worker, or refuses it; it never waits. Only the pacing goroutine calls it.
func (g *Generator) dispatch(j job) {
	if j.s.step != nil {
		j.s.step.begin()
	}
	late := g.cfg.Clock.Now() - j.due
	if full := g.inFlight.Load() >= int64(g.cfg.Cap); full || late > int64(j.s.deadline) {
		why := "in-flight cap reached"
		if !full {
			why = fmt.Sprintf("generator was %.1f s late", float64(late)/1e9)
		}
		g.refused.Add(1)
		g.workers.Go(func() { g.refuse(j, why) })
		return
	}
	g.sent.Add(1)
	g.inFlight.Add(1)
	select {
	case g.jobs <- j:
	default:
		g.workers.Go(func() { g.work(j) })
	}
}

// refuse records a request that was not sent.
func (g *Generator) refuse(j job, why string) {
	var r assay.Request
	g.prepare(&r, j)
	r.Outcome, r.Error, r.End = assay.RefusedByCap, why, g.cfg.Clock.Now()
	g.finish(&r, j)
}

// prepare fills in what is known before the send, keeping the buffers of an earlier request.
func (g *Generator) prepare(r *assay.Request, j job) {
	*r = assay.Request{ID: j.id, Phase: j.s.name, Class: j.s.phase.Class, Due: j.due, TokensIn: j.in, TokensAsked: j.out,
		Arrivals: r.Arrivals[:0], Counts: r.Counts[:0]}
	r.TraceID, r.SpanID = identify(g.sched.seed, j.id)
}

// work does one request after another until there are no more.
func (g *Generator) work(j job) {
	w := worker{headers: [2][2]string{{"traceparent"}, {RunHeader, g.cfg.RunID}}}
	for ok := true; ok; j, ok = <-g.jobs {
		g.prepare(&w.r, j)
		w.prompt = appendPrompt(w.prompt[:0], int(j.in), g.sched.seed, j.id)
		w.headers[0][1] = traceparent(w.r.TraceID, w.r.SpanID)
		call := assay.Call{Model: g.cfg.Model, Prompt: string(w.prompt), MaxTokens: int(j.out), Stream: g.cfg.Stream, Headers: w.headers[:], Seed: g.sched.seed ^ j.id}
		if g.cfg.RunID == "" {
			call.Headers = w.headers[:1]
		}
		ctx, cancel := context.WithTimeout(g.flight, j.s.deadline)
		g.cfg.Client.Do(ctx, &call, &w.r)
		cancel()
		if w.r.End == 0 {
			w.r.End = g.cfg.Clock.Now()
		}
		g.inFlight.Add(-1)
		if w.r.Sent != 0 {
			g.lateness.add(w.r.Sent - w.r.Due)
		}
		g.finish(&w.r, j)
	}
}

// worker is what a worker keeps from one request to the next.
type worker struct {
	r       assay.Request
	prompt  []byte
	headers [2][2]string
}

// finish shows the request to the observer and the search, and records it.
func (g *Generator) finish(r *assay.Request, j job) {
	g.done.Add(1)
	if len(r.Arrivals) == 0 {
		r.Arrivals = nil
	}
	if len(r.Counts) == 0 {
		r.Counts = nil
	}
	if g.cfg.Observe != nil {
		g.cfg.Observe(r)
	}
	if j.s.step != nil {
		j.s.step.end(r)
	}
	if g.emitting.Add(1) > maxEmitting || g.emit(r) != nil {
		g.lost.Add(1)
	}
	g.emitting.Add(-1)
}
