package grafana

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/live"
)

// A run feeds the live window of assay with what a real run would record, so that the queries meet
// the exposition that users scrape.
type run struct {
	hurt   bool
	rnd    *rand.Rand
	clock  *clock.Clock
	window *live.Window
	n      uint64
	done   map[string]bool
}

func newRun(name string, hurt bool) *run {
	r := &run{hurt: hurt, rnd: rand.New(rand.NewPCG(1, uint64(len(name)))), clock: clock.New(), done: map[string]bool{}}
	r.window = live.New(live.Options{Clock: r.clock, Run: name, Target: "sandbox tiny", Total: time.Minute,
		Phases:   []assay.Phase{{Name: "warmup", Role: assay.RoleWarmup}, {Name: "steady", Role: assay.RoleSteady}},
		InFlight: func() int { return 3 }, Offered: func() float64 { return 20 }})
	if hurt {
		// Only the hurt run has goals and faults: without them their panels may be empty.
		limit := 0.8
		var goals []assay.Objective
		for _, m := range []string{"ttft/p95", "e2e/p95", "itl/p95", "error_ratio"} {
			goals = append(goals, assay.Objective{Metric: m, Max: &limit})
		}
		r.window.SetObjectives(goals)
	}
	r.event(assay.Event{Kind: assay.EventPhaseBegin, Phase: "warmup", Attrs: map[string]string{"role": "warmup", "rate": "20"}})
	r.event(assay.Event{Kind: assay.EventScale, Attrs: map[string]string{"desired": "2", "ready": "1"}})
	for _, id := range []string{"w-1", "w-2"} {
		r.event(assay.Event{Kind: assay.EventInstanceCreated, Instance: id, Attrs: map[string]string{"reason": "scale_from_zero"}})
		r.event(assay.Event{Kind: assay.EventInstanceReady, Instance: id})
	}
	r.window.Observe(&assay.Scrape{Target: "w-1", Time: r.clock.Now()})
	return r
}

func (r *run) handler() http.Handler { return r.window.Handler() }

func (r *run) event(e assay.Event) {
	e.Time = r.clock.Now()
	r.window.Observe(&e)
}

// once records events when their time has come.
func (r *run) once(name string, now bool, events ...assay.Event) {
	if !now || r.done[name] {
		return
	}
	r.done[name] = true
	for _, e := range events {
		r.event(e)
	}
}

// at brings the run to its next moment: a request ends, and in the hurt run a fault comes and goes.
func (r *run) at(since time.Duration) {
	s := since.Seconds()
	phase := "warmup"
	if s > 2 {
		phase = "steady"
	}
	r.once("steady", s > 2, assay.Event{Kind: assay.EventPhaseEnd, Phase: "warmup"},
		assay.Event{Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "20"}})
	if r.hurt {
		kill := map[string]string{"kind": "kill", "target": "w-1"}
		r.once("armed", s > 1, assay.Event{Kind: assay.EventFaultArmed, Fault: "f1", Attrs: kill})
		r.once("injected", s > 6, assay.Event{Kind: assay.EventFaultApplied, Fault: "f1", Attrs: kill},
			assay.Event{Kind: assay.EventInstanceExited, Instance: "w-1", Attrs: map[string]string{"reason": "crash"}},
			assay.Event{Kind: assay.EventInstanceCreated, Instance: "w-3", Attrs: map[string]string{"reason": "replace"}},
			assay.Event{Kind: assay.EventWarning, Text: "w-1 could not be scraped"})
		r.once("reverted", s > 8, assay.Event{Kind: assay.EventFaultReverted, Fault: "f1"}, assay.Event{Kind: assay.EventInstanceReady, Instance: "w-3"})
		r.once("clear", s > 10, assay.Event{Kind: assay.EventFaultClear, Fault: "f1"})
	}
	injected := r.hurt && s > 6 && s < 8
	r.n++
	if injected {
		r.window.Observe(&assay.Scrape{Target: "w-1", Time: r.clock.Now(), Error: "connection refused"})
	}
	q := &assay.Request{ID: r.n, Phase: phase, Outcome: assay.OK, Cold: assay.ColdNo}
	binary.BigEndian.PutUint64(q.TraceID[:], r.n)
	if s < 1 || r.n%25 == 0 {
		q.Cold = assay.ColdYes
	}
	wait := 100*time.Millisecond + time.Duration(r.rnd.IntN(200))*time.Millisecond
	if q.Cold == assay.ColdYes {
		wait += 3 * time.Second
	}
	q.End = r.clock.Now()
	q.FirstToken = q.End - int64(80*time.Millisecond)
	q.Due = q.FirstToken - int64(wait)
	q.Sent = q.Due + int64(100*time.Microsecond)
	for i := range 10 {
		q.Arrivals = append(q.Arrivals, q.FirstToken+int64(i)*int64(8*time.Millisecond))
	}
	if injected && r.n%4 == 0 {
		q.Outcome = assay.CutRST
	}
	r.window.Observe(q)
	for range 6 {
		r.window.Observe(&assay.Span{Name: "llm_request"})
	}
}

// play moves the runs on, twenty times a second, until ctx is done.
func play(ctx context.Context, runs ...*run) {
	begin := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, r := range runs {
				r.at(now.Sub(begin))
			}
		}
	}
}
