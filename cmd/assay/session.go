package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/budget"
	"github.com/assay-dev/assay/internal/chill"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/credential"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/rusage"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/internal/webhook"
	"github.com/assay-dev/assay/loadgen"
)

// A session is one execution of a plan: it joins the parts on one clock and ends them in the order that loses nothing. Its
// stages are prepare (which may refuse, and then leaves nothing behind), drive, wind down, and seal.
type session struct {
	io         stdio
	opt        runOptions
	plan       *plan.Plan
	objectives []assay.Objective
	phases     []loadgen.Phase // of the plan, or of the gentle ramp

	dir      string
	clock    *clock.Clock
	manifest *assay.Manifest
	store    *store.Writer
	guardian *chaos.Guardian
	platform *sandbox.Platform
	weights  string // directory of the sandbox's weights, if it has one of its own
	wire     *wire  // nil unless faults lie between the load and the target
	gen      *loadgen.Generator
	client   loadgen.Closer
	keeper   *credential.Keeper // of what is shown to the target; nil without auth
	canaries loadgen.Closer     // of the canary; nil without one
	hurt     atomic.Bool        // a fault was armed
	meter    *budget.Meter      // of the budget; nil where only requests and time are limited
	chiller  chill.Chiller      // makes the target cold; nil where no phase forces cold starts
	cold     string             // what of that could not be put back
	faults   *chaos.Runner
	day      *gameDay    // nil unless it is one
	pauses   *phaseClock // nil where nothing stops the clock of the load phases
	otlp     *collectors.OTLP
	traceIDs *traceIDs      // that are read back; nil where no store is asked
	logs     []logStore     // stores of logs that are followed and read to the end after the load
	clouds   []cloudMetrics // services of metrics that are read to the end after the load
	writes   *collectors.RemoteWrite
	window   *live.Window
	guards   *live.Guards
	lookouts []*lookout // guards on the users' own metrics
	hooks    []*webhook.Hook
	alarm    *alarm        // alerts that the faults should raise; nil for none
	planned  time.Duration // of the load
	sealed   atomic.Bool   // the run's own record is closed
	progress *live.Progress
	begun    *beginnings
	metrics  *metricsServer
	usage    rusage.Usage // of this process during the load

	sources sync.WaitGroup // collectors
	ending  atomic.Pointer[ending]

	loadBegan, loadEnded int64 // run time of the first and the last moment of load

	halt  atomic.Pointer[func()] // ends load and faults; nil before they begin
	hurry chan struct{}          // closed when a person asks a second time
	stops chan string            // why, when the guardian was asked to stop the run; at most once

	lostMu sync.Mutex
	lost   map[string]int64 // records of other programs that did not come, by cause
	others []assay.Usage    // what other programs took that made load
}

// ending is why a run ended early.
type ending struct {
	status string // one of the assay.End constants
	reason string
	breach *assay.Event // of the guard that ended it; nil for none
}

// collectorGrace is how long late spans are taken after the target has stopped.
const collectorGrace = 700 * time.Millisecond

// lateWait is how long at most spans are waited for where most come that late: exporters batch, for 5 s where nobody set another time.
const lateWait = 10 * time.Second

// startLimit is how long the sandbox may take to serve; making a large weights file takes seconds.
const startLimit = time.Minute

// prepare gets everything ready that may refuse the run. On error nothing of it is left, or the error says what.
func (s *session) prepare(ctx context.Context) (err error) {
	s.clock = clock.New()
	s.begun = newBeginnings()
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make a run id: %w", err)
	}
	raw, hash, err := s.plan.JSON()
	if err != nil {
		return err
	}
	hash = s.hashScripts(hash)
	s.manifest = &assay.Manifest{Schema: "assay/run/v1", ID: hex.EncodeToString(id), Name: s.plan.Name, Plan: raw, PlanHash: hash, Seed: s.plan.Seed,
		Target:     assay.Target{Kind: s.plan.Target.Kind, Name: targetName(s.plan), Model: s.plan.Target.Model, Release: s.plan.Target.Release},
		Objectives: s.objectives, SLOs: s.plan.Promises(), Suite: s.plan.Standard(), Epoch: s.clock.Epoch(), Version: version(), Host: host(), Resolution: int64(time.Microsecond),
		MaxWait: int64(s.plan.Target.Deadline.D()), Canary: s.canaryPeriod(), Attempts: s.attempts(), Machine: calibrated(), End: assay.Ending{Status: assay.EndRunning}}
	if s.plan.Target.Kind == "sandbox" {
		s.manifest.Target.Simulated = simulated(s.plan)
	}
	if s.manifest.XIDs, _, err = s.plan.Collect.XIDRows(); err != nil {
		return err
	}
	if err := s.preflight(ctx); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if err := errors.Join(s.makeHooks(), s.stopAhead(), s.readBackAhead(), s.logStoresAhead(), s.cloudsAhead(), s.lookAhead(ctx), s.alertsAhead(ctx)); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if err := s.prepareK6(ctx); err != nil {
		return err
	}
	s.clocksAhead(ctx)
	s.manifest.Attempt = attempt(filepath.Dir(s.dir), s.manifest)
	if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil {
		return &status{assay.ExitPreflight, fmt.Errorf("make the directory of runs: %w", err)}
	}
	if s.store, err = store.Create(s.dir, s.manifest); err != nil {
		os.Remove(filepath.Dir(s.dir)) // only if it is empty: then we made it
		return &status{assay.ExitPreflight, err}
	}
	defer func() {
		if err != nil {
			err = s.discard(err)
		}
	}()
	if s.meter, err = meter(s.plan, s.clock.Now); err != nil {
		return &status{assay.ExitUsage, err}
	}
	if err := s.watch(); err != nil {
		return &status{assay.ExitUsage, err}
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own binary: %w", err)
	}
	if s.guardian, err = chaos.StartGuardian(ctx, exe, s.dir); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if err := s.heedStops(ctx); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if err := s.listen(); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	if s.plan.Target.Kind == "sandbox" {
		if err := s.startSandbox(ctx, exe); err != nil {
			return &status{assay.ExitPreflight, err}
		}
	}
	if err := s.generator(ctx); err != nil {
		return err
	}
	if err := s.hush(ctx, s.planned); err != nil { // last, since whoever is silenced must hear no run that is refused
		return &status{assay.ExitPreflight, err}
	}
	return nil
}

// discard undoes prepare, which failed, and returns why. Where something could not be undone the directory stays, for heal.
func (s *session) discard(why error) error {
	s.keeper.Close()
	s.wire.close()
	if s.platform != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.platform.Stop(ctx)
	}
	if s.writes != nil {
		s.writes.Close()
	}
	if s.otlp != nil {
		s.otlp.Close()
	}
	s.metrics.close()
	if s.guardian != nil {
		s.guardian.Close()
	}
	if left, err := armedStill(s.dir); len(left) > 0 || err != nil {
		kept := fmt.Errorf("%s is kept, since what it armed may remain: assay heal undoes it once that can be done", s.dir)
		errs := []error{why, err, s.store.Seal(assay.Ending{Status: assay.EndFailed, At: s.clock.Now(), Reason: why.Error(), Remaining: left}), kept}
		for _, line := range left {
			errs = append(errs, errors.New("MAY REMAIN: "+line))
		}
		return &status{assay.ExitFaultMayRemain, errors.Join(errs...)}
	}
	s.store.Close()
	os.RemoveAll(s.dir)
	os.Remove(filepath.Dir(s.dir)) // only if it is empty: then we made it
	return why
}

// armedStill returns what a run has armed and is not known to be away, in lines for people.
func armedStill(dir string) ([]string, error) {
	run, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		return nil, err
	}
	return chaos.Left(events), nil
}

// listen opens what listens, so that a port in use is found before anything else is started.
func (s *session) listen() error {
	if err := errors.Join(s.listenOTLP(), s.listenRemoteWrite()); err != nil {
		return err
	}
	var err error
	s.metrics, err = serveMetrics(s.opt.metrics, s.window.Handler())
	return err
}

// listenOTLP opens the intake of traces, if the target has anyone who sends them.
func (s *session) listenOTLP() error {
	o := s.plan.Collect.OTLP
	if o == nil && s.plan.Target.Kind != "sandbox" {
		return nil
	}
	s.otlp = &collectors.OTLP{Clock: s.clock, GRPC: collectors.Off, Grace: collectorGrace}
	if o != nil {
		s.otlp.LateWait, s.otlp.Hurry = lateWait, s.hurry
		s.otlp.HTTP, s.otlp.GRPC = or(o.HTTP, "127.0.0.1:4318"), or(o.GRPC, "127.0.0.1:4317")
		var err error
		if s.otlp.Token, err = readToken("collect.otlp.token", plan.Auth{Env: o.Token.Env, File: s.plan.Path(o.Token.File)}); err != nil {
			return err
		}
	}
	return s.otlp.Listen()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *session) startSandbox(ctx context.Context, exe string) error {
	c, err := deployment(s.plan)
	if err != nil {
		return err
	}
	c.OTLPEndpoint = "http://" + s.otlp.HTTPAddr()
	if err := s.ownWeights(&c); err != nil {
		return err
	}
	c.LogDir = filepath.Join(s.dir, "logs")
	if s.opt.truth != "" {
		c.TruthDir = s.opt.truth
	}
	for _, d := range []string{c.LogDir, c.TruthDir, c.WeightsDir} {
		if d == "" {
			continue
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("make the sandbox's directory: %w", err)
		}
	}
	logs, err := os.Create(filepath.Join(c.LogDir, "platform.log"))
	if err != nil {
		return fmt.Errorf("make the sandbox's log: %w", err)
	}
	defer logs.Close() // the child has its own
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s.platform, err = sandbox.Start(starting, sandbox.StartOptions{Config: c, Exe: exe, Stderr: logs, Own: func(pid int, start uint64) error {
		p, err := chaos.ProcessOf(pid)
		if err != nil {
			return err
		}
		return s.guardian.Own(ctx, p)
	}})
	if err != nil {
		return err
	}
	return s.store.SetManifest(func(m *assay.Manifest) { m.Probe = int64(c.ProbePeriod); m.Target.Model = c.Name() })
}

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

func host() assay.Host {
	return assay.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version()}
}

// kernel returns the kernel's release where the system tells it as a file.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return string(b[:max(0, len(b)-1)])
}

// attempt counts the runs beside this one that had the same plan and release, this one included.
func attempt(parent string, m *assay.Manifest) int {
	n := 1
	entries, err := os.ReadDir(parent)
	if err != nil {
		return n // no runs yet
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		var other assay.Manifest
		raw, err := os.ReadFile(filepath.Join(parent, e.Name(), "run.json"))
		if err == nil && json.Unmarshal(raw, &other) == nil &&
			other.PlanHash == m.PlanHash && other.Target.Release == m.Target.Release && other.Target.Name == m.Target.Name {
			n++
		}
	}
	return n
}

// beginnings tells who waits for a load phase when it begins.
type beginnings struct {
	mu    sync.Mutex
	at    map[string]int64
	ended bool
	more  chan struct{} // closed and replaced whenever something changed
}

func newBeginnings() *beginnings {
	return &beginnings{at: map[string]int64{}, more: make(chan struct{})}
}

// see notes phase.begin and load.end. The first phase is also the beginning of the load, and the first step of
// a search that of the search.
func (b *beginnings) see(e *assay.Event) {
	if e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventLoadEnd {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Kind == assay.EventLoadEnd {
		b.ended = true
	} else {
		for _, name := range []string{"", e.Phase, e.Attrs["of"]} {
			if _, ok := b.at[name]; !ok {
				b.at[name] = e.Time
			}
		}
	}
	close(b.more)
	b.more = make(chan struct{})
}

var errLoadEnded = errors.New("the load ended before")

// wait returns the instant at which the phase began; "" is the load itself.
func (b *beginnings) wait(ctx context.Context, phase string) (int64, error) {
	for {
		b.mu.Lock()
		at, ok := b.at[phase]
		ended, more := b.ended, b.more
		b.mu.Unlock()
		switch {
		case ok:
			return at, nil
		case ended:
			return 0, errLoadEnded
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-more:
		}
	}
}
