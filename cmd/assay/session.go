package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

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
	soak     *soaking    // nil unless a phase ends when its test is decided
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
		Objectives: s.objectives, SLOs: s.plan.Promises(), Suite: s.plan.Standard(), Assume: s.plan.Assumed(), Epoch: s.clock.Epoch(), Version: version(), Host: host(), Resolution: int64(time.Microsecond),
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
