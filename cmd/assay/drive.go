package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/rusage"
)

// drive runs load and faults to their end, or until something ends them early, and winds everything down. Whatever
// happens, faults are reverted before the target is stopped, and the target before the collectors.
func (s *session) drive(ctx context.Context) error {
	s.startHooks()
	watch, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	var failed sourceErrors
	for name, src := range s.collectors() {
		s.sources.Go(func() {
			if err := src.Run(watch, s.emitOf(watch, src)); err != nil { // the run goes on without it, and says so
				s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s: %v", name, err)})
			}
		})
	}
	loading, stopLoading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoading()
	hurting, stopHurting := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopHurting(nil)
	halt := func() { // the reason stands by now
		stopHurting(errors.New(s.ending.Load().reason))
		stopLoading()
	}
	s.halt.Store(&halt)
	if s.ending.Load() != nil { // asked to stop in between
		halt()
	}
	ended := make(chan struct{})
	var side sync.WaitGroup
	side.Go(func() { s.guard(ended) })
	showing, stopShowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopShowing()
	side.Go(func() { s.progress.Run(showing, s.window) })
	s.day.begin(showing)
	side.Go(func() { s.usage = rusage.Watch(showing) })
	if s.soak != nil {
		side.Go(func() { s.soak.run(showing, s) })
	}
	for _, l := range s.lookouts {
		side.Go(func() { l.Run(showing) })
	}
	if s.alarm != nil {
		side.Go(func() { s.listenForAlerts(showing) })
		side.Go(func() { s.keepSilent(showing) })
	}

	var hurt sync.WaitGroup
	if s.faults != nil {
		hurt.Go(func() {
			if err := s.faults.Run(hurting, s.emit); err != nil {
				failed.add(fmt.Errorf("faults: %w", err))
			}
		})
	}
	s.loadBegan = s.clock.Now()
	err := s.gen.Run(loading, s.emit)
	s.loadEnded = s.clock.Now()
	// No fault outlives the load: without requests nobody would see what it does.
	stopHurting(errors.New("the load ended"))
	hurt.Wait()
	s.warmAgain()
	close(ended)
	stopShowing()
	side.Wait()
	s.unhush()
	s.progress.Stop(s.window)
	s.keeper.Close()
	s.client.Close()
	if s.canaries != nil {
		s.canaries.Close()
	}
	if s.platform != nil {
		s.stopPlatform()
	}
	stopWatching()
	s.sources.Wait()
	s.readBack()
	s.metrics.close()
	return errors.Join(err, failed.err())
}

// stopLoad ends load and faults; the first reason counts. It is false if they have not begun: then whoever asks must refuse the run.
func (s *session) stopLoad(e *ending) bool {
	first := s.ending.CompareAndSwap(nil, e)
	halt := s.halt.Load()
	if halt == nil {
		return false
	}
	if first {
		(*halt)()
		if e.breach != nil {
			s.emit(e.breach)
		}
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventStop, Text: e.reason, Attrs: map[string]string{"reason": e.status}})
	}
	return true
}

// stopPlatform lets the sandbox finish and flush its spans; a person in a hurry does not wait for that.
func (s *session) stopPlatform() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var hurrying sync.WaitGroup
	hurrying.Go(func() {
		select {
		case <-s.hurry:
			cancel()
		case <-ctx.Done():
		}
	})
	defer hurrying.Wait()
	defer cancel()
	if err := s.platform.Stop(ctx); err != nil {
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("the sandbox did not stop cleanly: %v", err)})
	}
}

// collectors returns what watches, by name.
func (s *session) collectors() map[string]assay.Source {
	out := map[string]assay.Source{}
	if s.otlp != nil {
		out["otlp"] = s.otlp
	}
	if s.platform != nil {
		out["events"] = &collectors.Events{URL: s.platform.AdminURL + "/admin/events", Name: "sandbox", Clock: s.clock}
		out["prometheus"] = &collectors.Prometheus{Discovery: s.platform.AdminURL + "/admin/targets", Interval: time.Second, Clock: s.clock, RunID: s.manifest.ID,
			Targets: []collectors.Target{{URL: s.platform.AdminURL + "/metrics", Labels: map[string]string{"job": "platform"}}}}
	}
	for i, p := range s.plan.Collect.Prometheus {
		c := &collectors.Prometheus{Interval: p.Interval.D(), Clock: s.clock, RunID: s.manifest.ID, Discovery: p.HTTPSD}
		if p.URL != "" {
			c.Targets = []collectors.Target{{URL: p.URL, Labels: p.Labels}}
		}
		out[fmt.Sprintf("collect.prometheus[%d]", i)] = c
	}
	s.followLogs(out)
	s.followLogStores(out)
	s.gpuSources(out)
	s.remoteWrites(out)
	s.watchKubernetes(out)
	s.watchFronts(out)
	s.watchClouds(out)
	s.probes(out)
	return out
}

// sourceErrors gathers what made sources useless: the run goes on without them and says so.
type sourceErrors struct {
	mu   sync.Mutex
	errs []error
}

func (e *sourceErrors) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, err)
}

func (e *sourceErrors) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.errs...)
}

// guardPeriod is how often guards are looked at.
const guardPeriod = 250 * time.Millisecond

// guard ends the load when a guard is breached, the disk fails, the sandbox dies, or the time of the budget is up.
func (s *session) guard(ended <-chan struct{}) {
	tick := time.NewTicker(guardPeriod)
	defer tick.Stop()
	var budget <-chan time.Time
	if d := s.plan.Budget.For.D(); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		budget = t.C
	}
	var died <-chan struct{}
	if s.platform != nil {
		died = s.platform.Done()
	}
	for {
		select {
		case <-ended:
			return
		case err := <-s.store.Failed():
			s.stopLoad(&ending{status: assay.EndDiskFull, reason: err.Error()})
			return
		case <-budget:
			s.stopLoad(&ending{status: assay.EndBudget, reason: fmt.Sprintf("the time of the budget, %v, is spent", s.plan.Budget.For.D())})
			return
		case <-died:
			s.stopLoad(&ending{status: assay.EndFailed, reason: "the sandbox died; see " + filepath.Join(s.dir, "logs", "platform.log")})
			return
		case <-s.guardian.Lost():
			s.stopLoad(&ending{status: assay.EndFailed, reason: "the guardian died: nobody would clean up after this run"})
			return
		case <-tick.C:
			if err := s.overspent(); err != nil {
				s.stopLoad(&ending{status: assay.EndBudget, reason: err.Error()})
				return
			}
			if e := s.crossed(s.clock.Now()); e != nil {
				s.stopLoad(e)
				return
			}
		}
	}
}

// seal closes the run directory and says how the run ended.
func (s *session) seal(err error) error {
	s.wire.close()
	end := assay.Ending{Status: assay.EndComplete, At: s.clock.Now(), ClockDrift: s.clock.Drift(), Steps: s.gen.SearchPath()}
	switch e, reason := s.ending.Load(), s.gen.Stopped(); {
	case err != nil:
		end.Status, end.Reason = assay.EndFailed, err.Error()
	case e != nil:
		end.Status, end.Reason = e.status, e.reason
	case reason == "budget":
		end.Status, end.Reason = assay.EndBudget, s.gen.Said()
	case reason != "":
		end.Status, end.Reason = assay.EndBudget, reason
	}
	end.Spent = s.spent()
	if s.faults != nil {
		end.Remaining = s.faults.Remaining()
	}
	if s.cold != "" {
		end.Remaining = append(end.Remaining, s.cold)
	}
	if u := s.usage; u.CPU > 0 {
		end.Usage = &assay.Usage{CPU: int64(u.CPU), Wall: int64(u.Wall), Peak: u.Peak, CPUs: u.CPUs}
	}
	s.lostMu.Lock()
	defer s.lostMu.Unlock()
	for _, u := range s.others {
		if end.Usage != nil {
			end.Usage.CPU += u.CPU
			end.Usage.Peak = max(end.Usage.Peak, u.Peak)
		}
	}
	for cause, n := range s.lost {
		if end.Unrecorded == nil {
			end.Unrecorded = map[string]int64{}
		}
		end.Unrecorded[cause] += n
	}
	if n := s.gen.Unrecorded(); n > 0 {
		if end.Unrecorded == nil {
			end.Unrecorded = map[string]int64{}
		}
		end.Unrecorded["requests/generator"] = n
	}
	s.sealed.Store(true)
	return errors.Join(s.store.Seal(end), s.guardian.Close(), s.dropWeights())
}
