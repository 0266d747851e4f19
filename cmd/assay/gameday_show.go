package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/live"
)

// An effect is what is seen of one fault, from the answer until users are well again as far as requests that ended tell.
type effect struct {
	kind, target string
	asked        time.Time  // when it was answered
	before       live.State // when it was applied; zero until then
	id           string
	armed        bool   // it is being injected, which may take as long as an experiment
	applied      int64  // run time; 0 until it was
	measured     string // its effect
	ended        string // how its life ended; "" until it has
	endedAt      int64
	failed       int64 // failures counted last
	lastFail     int64 // run time at which more were seen
	shown        time.Time
}

// How a game day waits for recovery and shows what goes on.
const (
	quiet     = 3 * time.Second  // without failure and with as many instances as before is recovered
	longest   = 30 * time.Second // after its end a fault is waited for no longer
	lost      = 3 * time.Minute  // a fault that is neither armed nor void by then is waited for no longer
	glance    = 200 * time.Millisecond
	showEvery = 2 * time.Second
)

// watch follows a fault that is about to be injected.
func (g *gameDay) watch(a *chaos.Action) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = &effect{kind: a.Kind, target: a.Target, asked: time.Now()}
}

// see takes an event of the run. It may be called on nil.
func (g *gameDay) see(e *assay.Event) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.Kind == assay.EventHypothesis {
		g.believed[e.Attrs["name"]] = map[string]string{"true": "holds", "false": "does NOT hold"}[e.Attrs["ok"]] + ": " + e.Text
	}
	f := g.now
	if f == nil || e.Fault == "" || e.Attrs["target"] != f.target || f.id != "" && e.Fault != f.id {
		return
	}
	switch f.id = e.Fault; e.Kind {
	case assay.EventFaultArmed:
		f.armed = true
	case assay.EventFaultApplied:
		f.applied = e.Time
	case assay.EventFaultVerified:
		f.measured = e.Attrs["effect"]
	case assay.EventFaultVoid:
		f.ended, f.endedAt = "void: "+e.Text, e.Time
	case assay.EventFaultClear:
		if f.ended == "" {
			f.ended, f.endedAt = "over, verified clear", e.Time
		}
	case assay.EventFaultRemaining:
		f.ended, f.endedAt = "MAY REMAIN: "+e.Text, e.Time
	}
}

// show prints what becomes of faults until ctx is done.
func (g *gameDay) show(ctx context.Context) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		st := g.s.window.State(g.s.clock.Now())
		line, over := g.look(&st)
		if line != "" {
			fmt.Fprintln(g.out, line)
		}
		if over { // not before it was said what was seen
			g.turn <- struct{}{}
		}
	}
}

// look returns the line that is due, if one is, and whether the fault is over, so that it is the turn of the next.
func (g *gameDay) look(st *live.State) (line string, over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.now
	if f == nil {
		return "", false
	}
	if f.before.Now == 0 {
		f.before, f.failed = *st, st.Failed
	}
	if st.Failed > f.failed {
		f.failed, f.lastFail = st.Failed, st.Now
	}
	since := time.Duration(st.Now - max(f.endedAt, f.lastFail))
	recovered := since >= quiet && st.Ready >= f.before.Ready
	switch {
	case f.ended != "" && (recovered || f.applied == 0 || time.Duration(st.Now-f.endedAt) >= longest), f.ended == "" && !f.armed && f.applied == 0 && time.Since(f.asked) > lost:
		g.now = nil
		return f.summary(st, recovered), true
	case f.applied != 0 && time.Since(f.shown) >= showEvery:
		f.shown = time.Now()
		state := fmt.Sprintf("in force for %v", time.Duration(st.Now-f.applied).Round(100*time.Millisecond))
		if f.ended != "" {
			state = "over; looking at recovery"
		}
		line = fmt.Sprintf("%s %s %s: %s", st.Stamp(), f.id, state, st.Since(&f.before))
		for _, b := range g.beliefsLocked() {
			line += "; " + b
		}
	}
	return line, false
}

// summary says what was measured of a fault that is over.
func (f *effect) summary(st *live.State, recovered bool) string {
	if f.applied == 0 {
		return fmt.Sprintf("%s %s on %s was not injected: %s", st.Stamp(), f.kind, f.target, f.ended)
	}
	line := fmt.Sprintf("%s %s %s after %v; effect: %s; %s", st.Stamp(), f.id, f.ended, time.Duration(f.endedAt-f.applied).Round(time.Millisecond), f.measured, st.Since(&f.before))
	switch {
	case f.lastFail != 0:
		line += fmt.Sprintf("; last failure seen %v after it began", time.Duration(f.lastFail-f.applied).Round(glance))
	default:
		line += "; no failure"
	}
	if !recovered {
		line += "; NOT recovered as far as seen"
	}
	return line + "; the report has the exact figures"
}

// beliefs says how the hypotheses were seen last.
func (g *gameDay) beliefs() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.beliefsLocked()
}

func (g *gameDay) beliefsLocked() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(g.believed)) {
		out = append(out, fmt.Sprintf("hypothesis %s %s", name, g.believed[name]))
	}
	return out
}
