package k6

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.k6.io/k6/v2/errext"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/lib/executor"
	"go.k6.io/k6/v2/metrics"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// arrivals is the executor: a generator whose client is a pool of virtual users.
type arrivals struct {
	*executor.BaseExecutor
	config *arrivalsConfig
	state  *lib.ExecutionState

	running context.Context // of iterations: ends with the graceful stop
	idle    chan *user      // holds every virtual user that is not in an iteration
	wanted  chan struct{}   // a further virtual user would have been of use
	active  sync.WaitGroup
	aborted atomic.Pointer[error]

	scenario *lib.ScenarioState
	share    *share
	gen      *loadgen.Generator
	begun    sync.Once // sets begin
	begin    int64     // run time at which the generator began

	mu    sync.Mutex
	index *lib.SegmentedIndex // numbers the iterations, in this process and in all of them
}

var _ lib.Executor = (*arrivals)(nil)

// A user is one virtual user of the pool.
type user struct {
	lib.ActiveVU
	turn turn
}

// Run implements lib.Executor. It returns when no iteration is left.
func (a *arrivals) Run(parent context.Context, out chan<- metrics.SampleContainer) error {
	c := a.config
	et := a.state.ExecutionTuple
	length := c.Duration.TimeDuration()
	var cancel context.CancelFunc
	a.running, cancel = context.WithCancel(parent)
	defer func() {
		cancel()
		a.active.Wait() // until each virtual user was given back
	}()
	scenario := &lib.ScenarioState{Name: c.Name, Executor: c.Type}
	scenario.ProgressFn = func() (float64, []string) {
		return min(1, time.Since(scenario.StartTime).Seconds()/length.Seconds()), []string{c.Process, length.String()}
	}
	a.running = lib.WithScenarioState(a.running, scenario)

	a.index = lib.NewSegmentedIndex(et)
	planned, most := et.ScaleInt64(c.PreAllocatedVUs.Int64), et.ScaleInt64(c.maxVUs())
	a.idle = make(chan *user, most)
	a.wanted = make(chan struct{}, 1)
	for range planned {
		vu, err := a.state.GetPlannedVU(a.GetLogger(), false)
		if err != nil {
			return fmt.Errorf("take a virtual user: %w", err)
		}
		a.activate(vu)
	}
	var growing sync.WaitGroup
	defer growing.Wait()
	grown := make(chan struct{})
	defer close(grown)
	growing.Go(func() { a.grow(grown, most-planned) })

	var err error
	if a.share, err = newShare(c, et); err != nil {
		return err
	}
	sending, stop := context.WithCancelCause(parent)
	defer stop(nil)
	a.gen, err = loadgen.New(loadgen.Config{Clock: c.ext.clock, Client: &pool{a: a, stop: stop}, Seed: c.Seed, Cap: int(most),
		Deadline: length + c.GetGracefulStop(), // of an iteration, which k6 does not limit otherwise
		Drain:    max(c.GetGracefulStop(), time.Millisecond), Phases: []loadgen.Phase{{Name: c.Name, Arrivals: a.share, For: length}}})
	if err != nil {
		return err
	}
	a.begin, scenario.StartTime = c.ext.clock.Now(), time.Now() // until the generator has begun
	a.scenario = scenario
	defer time.AfterFunc(length+c.GetGracefulStop(), cancel).Stop()
	tags := a.tags()
	err = a.gen.Run(sending, func(rec assay.Record) error {
		if r, ok := rec.(*assay.Request); ok && r.Outcome == assay.RefusedByCap {
			a.start()
			a.drop(out, tags, r)
		}
		return nil
	})
	if cause := a.aborted.Load(); cause != nil {
		return *cause
	}
	return err
}

// start notes when the generator began, which is what the instants of the schedule count from. It is ready some
// time after it was told to run, and its first iteration is the first to ask.
func (a *arrivals) start() {
	a.begun.Do(func() {
		if p := a.gen.Live().Phase; p != nil {
			a.begin = p.Begin
			a.scenario.StartTime = a.config.ext.clock.Time(p.Begin)
		}
	})
}

// activate makes a virtual user part of the pool.
func (a *arrivals) activate(vu lib.InitializedVU) {
	u := &user{}
	a.active.Add(1)
	u.ActiveVU = vu.Activate(&lib.VUActivationParams{RunContext: withTurn(a.running, &u.turn), Scenario: a.config.Name, Exec: a.config.GetExec(),
		Env: a.config.GetEnv(), Tags: a.config.GetTags(), GetNextIterationCounters: a.number,
		DeactivateCallback: func(vu lib.InitializedVU) {
			a.state.ReturnVU(vu, false)
			a.active.Done()
		}})
	a.idle <- u // has room for all
}

// number returns the number of the next iteration, from 0: in this process, and in all processes of a distributed run.
func (a *arrivals) number() (uint64, uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	here, everywhere := a.index.Next()
	return uint64(here - 1), uint64(everywhere - 1)
}

// grow adds a virtual user whenever one was wanted, one at a time, as k6's own executors do.
func (a *arrivals) grow(done <-chan struct{}, more int64) {
	for more > 0 {
		select {
		case <-a.wanted:
		case <-done:
			return
		case <-a.running.Done():
			return
		}
		vu, err := a.state.GetUnplannedVU(a.running, a.GetLogger())
		if err != nil {
			if a.running.Err() == nil {
				a.GetLogger().WithError(err).Error("Could not initialize a further virtual user")
			}
			return
		}
		a.activate(vu)
		more--
	}
}

// noUser marks an iteration that found every virtual user busy.
const noUser = "no virtual user was free"

// pool runs an iteration for each request of the generator.
type pool struct {
	a    *arrivals
	stop context.CancelCauseFunc
}

// Do implements assay.Client.
func (p *pool) Do(_ context.Context, _ *assay.Call, r *assay.Request) {
	a := p.a
	a.start()
	var u *user
	select {
	case u = <-a.idle:
	default:
		select {
		case a.wanted <- struct{}{}:
		default: // one is being made
		}
		r.Outcome, r.Error = assay.RefusedByCap, noUser
		return
	}
	defer func() { a.idle <- u }()
	i := int(r.ID) - 1
	u.turn = turn{due: r.Due, seed: a.config.Seed, own: uint64(a.share.number(i)) + 1}
	if a.share.items != nil {
		u.turn.item = &a.share.items[i]
	}
	a.state.ModCurrentlyActiveVUsCount(1)
	err := u.RunOnce()
	a.state.ModCurrentlyActiveVUsCount(-1)
	u.turn = turn{}
	r.Outcome = assay.OK // only the requests of the iteration are judged
	switch {
	case a.running.Err() != nil:
		a.state.AddInterruptedIterations(1)
	case err != nil && errext.IsInterruptError(err):
		a.state.AddInterruptedIterations(1)
		a.aborted.CompareAndSwap(nil, &err)
		p.stop(err)
	default:
		if err != nil {
			text, fields := errext.Format(err)
			a.GetLogger().WithFields(fields).Error(text)
		}
		a.state.AddFullIterations(1)
	}
}

// tags are those of samples that belong to the scenario and to no virtual user.
func (a *arrivals) tags() *metrics.TagSet {
	tags := a.state.Test.RunTags
	if a.state.Test.Options.SystemTags.Has(metrics.TagScenario) {
		tags = tags.With("scenario", a.config.Name)
	}
	return tags
}

// drop reports an iteration that no virtual user was free for: as a dropped iteration to k6, with the record of it for our output.
func (a *arrivals) drop(out chan<- metrics.SampleContainer, tags *metrics.TagSet, r *assay.Request) {
	x := &exchange{tags: tags, at: a.config.ext.clock.Time(r.Due), begin: a.begin}
	x.record = assay.Request{Due: r.Due, End: r.End, Phase: a.config.Name, Outcome: assay.RefusedByCap, Error: r.Error}
	a.config.ext.identify(&x.record)
	x.record.TraceID, x.record.SpanID = assay.TraceID{}, assay.SpanID{} // nothing was sent
	x.samples = []metrics.Sample{{TimeSeries: metrics.TimeSeries{Metric: a.state.Test.BuiltinMetrics.DroppedIterations, Tags: tags}, Time: x.at, Value: 1}}
	out <- x // is read until the executor has returned
}
