package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/loadgen"
)

// generator builds the client, the load and the faults.
func (s *session) generator(ctx context.Context) error {
	t := s.plan.Target
	e, err := endpoint(s.plan, s.clock)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if err := s.authenticate(ctx, &e); err != nil {
		return err
	}
	model := t.Model
	if s.platform != nil {
		e.URL, model = s.platform.URL, s.manifest.Target.Model
		if c, err := deployment(s.plan); err == nil {
			model = c.Name()
		}
	}
	if err := s.putOnWire(&e); err != nil {
		return err
	}
	if s.client, err = client(s.plan, e); err != nil {
		return &status{assay.ExitUsage, err}
	}
	if s.opt.url != "" {
		if err := s.ask(ctx, model); err != nil {
			return &status{assay.ExitPreflight, err}
		}
	}
	canary, err := s.canary(e)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if err := s.makeCold(ctx); err != nil {
		return err
	}
	deadline := t.Deadline.D()
	s.gen, err = loadgen.New(loadgen.Config{Clock: s.clock, Client: s.client, Phases: s.phases, Seed: s.plan.Seed, Cap: t.Cap, Deadline: deadline,
		Canary: canary, Retry: retry(t.Retry), Chill: s.chill(), Purse: s.purse(), RunID: s.manifest.ID, Model: model, Stream: *t.Stream, MaxRequests: s.plan.Budget.Requests})
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if err := s.store.SetManifest(func(m *assay.Manifest) { m.Schedule = s.gen.Schedule().Hash() }); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if len(s.plan.Chaos) > 0 {
		driver, err := s.drivers(ctx)
		if err != nil {
			return &status{assay.ExitPreflight, err}
		}
		steady, err := s.hypotheses(&e)
		if err != nil {
			return &status{assay.ExitUsage, err}
		}
		s.faults = &chaos.Runner{Steps: steps(s.plan), Hypotheses: steady, Driver: s.askFirst(driver), Guard: s.guardian, Clock: s.clock, Seed: s.plan.Seed, Begin: s.begun.wait, Seen: s.seen, Limits: blast(s.plan),
			Sync: func(e *assay.Event) error {
				s.hurt.Store(true)
				s.day.see(e)
				s.window.Observe(e)
				s.tell(e)
				return s.store.EmitSync(e)
			}}
		for _, line := range append(previewSuite(s.plan), previewFaults(s.plan)...) {
			fmt.Fprintln(s.io.err, line)
		}
	}
	return nil
}

// watch makes the live window, its guards and the progress view.
func (s *session) watch() error {
	schedule, err := loadgen.NewSchedule(s.phases, s.plan.Seed)
	if err != nil {
		return err
	}
	s.planned = schedule.Duration()
	s.soak.begin(s.manifest, schedule.Planned())
	o := live.Options{Clock: s.clock, Run: s.plan.Name, Target: s.manifest.Target.Name, Total: s.planned,
		InFlight: func() int { return int(s.load().InFlight) }, Sent: func() int64 { return s.load().Sent }}
	for _, p := range s.phases {
		if p.Search == nil {
			o.Phases = append(o.Phases, assay.Phase{Name: p.Name, Role: p.Role})
		}
	}
	o.Horizon = horizon(s.plan)
	guards, noData := guardsOf(s.plan)
	for _, g := range guards {
		o.Horizon = max(o.Horizon, g.Over)
	}
	if s.pauses != nil {
		o.Total = 0 // nobody knows
	}
	s.window = live.New(o)
	s.window.SetObjectives(s.objectives)
	if s.guards, err = live.NewGuards(s.window, guards); err != nil {
		return err
	}
	s.guards.NoData = noData
	terminal, width := false, func() int { return 80 }
	if f, ok := s.io.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		terminal = true
		width = func() int {
			w, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return w
		}
	}
	mode, colour := live.Choose(s.opt.ui, terminal && s.day == nil, os.Getenv)
	out := s.io.err
	if s.day != nil {
		out = s.day.out
	}
	s.progress = &live.Progress{W: out, Mode: mode, Colour: colour, Width: width}
	return nil
}

// load returns the generator's counters; zero before there is one.
func (s *session) load() loadgen.Live {
	if s.gen == nil {
		return loadgen.Live{}
	}
	return s.gen.Live()
}

// emit is where every record of every source passes.
func (s *session) emit(r assay.Record) error {
	s.observe(r)
	return s.store.Emit(r)
}

// observe shows a record to those who follow the run.
func (s *session) observe(r assay.Record) {
	s.window.Observe(r)
	s.soak.observe(r)
	if q, ok := r.(*assay.Request); ok {
		s.traceIDs.see(q)
	}
	if e, ok := r.(*assay.Event); ok {
		s.begun.see(e)
		s.tell(e)
		s.day.see(e)
		if s.meter != nil {
			s.meter.Observe(e)
		}
	}
}
