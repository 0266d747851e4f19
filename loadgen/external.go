package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
)

// An External is load that another program makes, in the place of a phase. It returns when that has ended, and soon after ctx is done: when
// the load is stopped, or the phase has lasted as long as it may. What it sends it hands to emit, from one goroutine
// at a time, requests and events on the run's clock; begin is the instant at which the phase may begin. Ids of requests are given by emit.
// An error is recorded as a warning, and the load goes on.
type External func(ctx context.Context, begin int64, emit func(assay.Record) error) error

// errTooLong ends an external load that does not end by itself.
var errTooLong = errors.New("it lasted as long as it may")

// external runs such a phase and returns its end.
func (g *Generator) external(p *Phase, begin int64) int64 {
	g.phase.Store(&Active{Name: p.Name, Role: string(p.Role), Begin: begin, End: begin + int64(p.For)})
	ctx, cancel := context.WithCancelCause(g.flight)
	defer cancel(nil)
	limit := time.AfterFunc(p.For, func() { cancel(errTooLong) })
	defer limit.Stop()
	over := make(chan struct{})
	defer close(over)
	go func() { // ends with this call
		select {
		case <-g.halted:
			cancel(context.Canceled)
		case <-over:
		}
	}()
	err := p.External(ctx, begin, func(rec assay.Record) error { return g.foreign(rec) })
	g.phase.Store(nil)
	if errors.Is(context.Cause(ctx), errTooLong) {
		g.note(g.cfg.Clock.Now(), p.Name, fmt.Sprintf("%s was ended after %v, the longest it may last", p.Name, p.For), nil)
	}
	if err != nil {
		g.event(&assay.Event{Time: g.cfg.Clock.Now(), Kind: assay.EventWarning, Phase: p.Name, Text: err.Error()})
	}
	return max(begin, g.cfg.Clock.Now())
}

// foreign counts and emits a record of an external load.
func (g *Generator) foreign(rec assay.Record) error {
	if r, ok := rec.(*assay.Request); ok {
		r.ID = g.nextID.Add(1)
		g.done.Add(1)
		switch {
		case r.Outcome == assay.RefusedByCap:
			g.refused.Add(1)
		default:
			g.sent.Add(1)
			if r.Sent != 0 && !r.NoSchedule {
				g.lateness.add(r.Sent - r.Due)
			}
			if n := int64(g.cfg.MaxRequests); n == 0 || g.sent.Load() > n { // exactly the budget is no reason to end early
				g.allowed() // stops the load if it may not go on
			}
			if g.cfg.Purse != nil {
				if err := g.cfg.Purse.Book(r); err != nil {
					g.stop("budget", err.Error())
				}
			}
		}
		if g.cfg.Observe != nil {
			g.cfg.Observe(r)
		}
	}
	err := g.emit(rec)
	if err != nil {
		g.lost.Add(1)
	}
	return err
}
