package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A Guard keeps undos for when this process dies. Its methods may be called at once.
type Guard interface {
	// Arm returns nil once the undo will be done even if this process dies.
	Arm(ctx context.Context, u Undo) error
	// Disarm takes an undo back.
	Disarm(ctx context.Context, id string) error
	// Lost is closed when the guard can no longer do its work.
	Lost() <-chan struct{}
}

var _ Guard = (*Guardian)(nil)

// A Runner carries out the steps of an experiment. It is a source of the events of their faults.
type Runner struct {
	Steps  []Step
	Driver Driver
	Guard  Guard
	Clock  *clock.Clock
	Seed   uint64 // of the choice of victims

	// Sync records an event and returns once it is on disk. It is used for the events that a
	// fault's undo hangs on, armed and clear, instead of emit.
	Sync func(*assay.Event) error
	// Begin waits until the load phase has begun (the load itself for "") and returns the instant. An error means that it
	// will not begin.
	Begin func(ctx context.Context, phase string) (int64, error)

	Ready  time.Duration // how long a step waits for an instance that it can hurt; default 10 s
	Verify time.Duration // how long the effect of a fault is looked for; default 5 s, and longer for a long delay
	Revert time.Duration // how long the undo of a fault, and the look at its result, may take; default 5 s

	emit func(assay.Record) error

	mu      sync.Mutex
	cancel  context.CancelCauseFunc
	reason  string
	active  []*injection // in the order of arming
	remains []string
}

var _ assay.Source = (*Runner)(nil)

// Active describes a fault that is not yet clear.
type Active struct {
	ID, Kind, Target string
	State            string // armed, injected, reverting
	Since            int64  // run time of the last change of state
}

// States of a fault in Active.
const (
	StateArmed     = "armed"
	StateInjected  = "injected"
	StateReverting = "reverting"
)

// injection is one fault on its way through its life.
type injection struct {
	step   *Step
	action *Action
	Active
	healthy int
	applied int64
}

// Run carries out the steps and returns when all faults are clear or known to remain. When ctx is done, or
// Abort is called, or the guardian is lost, it injects no more and reverts what is active, last first.
func (r *Runner) Run(ctx context.Context, emit func(assay.Record) error) error {
	if len(r.Steps) == 0 {
		return nil
	}
	if r.Driver == nil || r.Guard == nil || r.Clock == nil || r.Sync == nil || r.Begin == nil {
		return errors.New("run faults: driver, guard, clock, sync and begin are needed")
	}
	if err := Check("chaos", r.Steps); err != nil {
		return fmt.Errorf("run faults: %w", err)
	}
	r.emit = emit
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	r.cancel = cancel
	if r.reason != "" { // aborted before it began
		cancel(errors.New(r.reason))
	}
	r.mu.Unlock()

	watching := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.Guard.Lost():
			r.say(&assay.Event{Kind: assay.EventWarning, Text: "the guardian died: all faults are reverted and no more are injected"})
			r.Abort("the guardian died")
		case <-watching:
		}
	})
	defer watch.Wait()
	defer close(watching)

	var injecting, reverting sync.WaitGroup
	for i := range r.Steps {
		injecting.Go(func() { r.step(running, i, &injecting, &reverting) })
	}
	injecting.Wait()
	// Whoever reached the end of its hold reverts itself; what is left was stopped before.
	for f := r.claimLast(); f != nil; f = r.claimLast() {
		r.revert(ctx, f, "the run was stopped: "+cause(running))
	}
	reverting.Wait()
	return nil
}

// Abort makes Run revert everything and return. The first reason stands.
func (r *Runner) Abort(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reason == "" {
		r.reason = reason
	}
	if r.cancel != nil {
		r.cancel(errors.New(r.reason))
	}
}

// Aborted returns the reason of the first Abort, or "".
func (r *Runner) Aborted() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reason
}

// Active lists the faults that are not yet clear, in the order of arming.
func (r *Runner) Active() []Active {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Active
	for _, f := range r.active {
		list = append(list, f.Active)
	}
	return list
}

// Remaining lists the faults that may still be in force although they were reverted, each
// with what a person can do.
func (r *Runner) Remaining() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.remains...)
}

// step waits for the instant of step i, injects its faults and sends each on its way.
func (r *Runner) step(ctx context.Context, i int, injecting, reverting *sync.WaitGroup) {
	s := &r.Steps[i]
	id := fmt.Sprintf("%s-%d", s.Fault, i+1)
	void := func(why string) {
		r.say(&assay.Event{Kind: assay.EventFaultVoid, Fault: id, Phase: s.Phase, Text: "not injected: " + why,
			Attrs: map[string]string{attrKind: s.Fault}})
	}
	begin, err := r.Begin(ctx, s.Phase)
	if err != nil && ctx.Err() == nil {
		void(err.Error())
		return
	}
	if err != nil || !r.sleepUntil(ctx, begin+int64(s.At)) {
		void(cause(ctx))
		return
	}
	victims, ready, err := r.choose(ctx, s, rand.New(rand.NewPCG(r.Seed, uint64(i+1))))
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New(cause(ctx))
		}
		void(err.Error())
		return
	}
	for n, v := range victims {
		f := &injection{step: s, healthy: ready, Active: Active{ID: id, Kind: s.Fault, Target: v.ID}}
		if s.count(MaxInstances) > 1 {
			f.ID = fmt.Sprintf("%s.%d", id, n+1)
		}
		if !r.inject(ctx, f, v) {
			continue
		}
		injecting.Go(func() {
			if why, over := r.hold(ctx, f); over {
				r.set(f, StateReverting) // claims it
				reverting.Go(func() { r.revert(ctx, f, why) })
			}
		})
	}
}

// choose picks the victims of a step among the instances that may be hurt and are not being
// hurt already, waiting for the first.
func (r *Runner) choose(ctx context.Context, s *Step, rng *rand.Rand) (chosen []Victim, ready int, err error) {
	wait := orElse(r.Ready, 10*time.Second)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err = until(ctx, 50*time.Millisecond, func() error {
		all, n, err := r.Driver.Victims(ctx, s)
		if err != nil {
			return err
		}
		if k, _ := find(s.Fault); k.one() != "" && s.by() == ByLocal {
			chosen, ready = []Victim{{ID: k.one()}}, n
			return nil
		}
		free := r.free(all)
		if len(free) == 0 {
			return fmt.Errorf("no instance that may be hurt was ready within %v (%d ready)", wait, n)
		}
		ready = n
		chosen = chosen[:0]
		for _, k := range rng.Perm(len(free))[:min(len(free), s.count(n))] {
			chosen = append(chosen, free[k])
		}
		return nil
	})
	return chosen, ready, err
}

// free returns the victims that no fault of ours lies on.
func (r *Runner) free(all []Victim) []Victim {
	r.mu.Lock()
	defer r.mu.Unlock()
	hurt := map[string]bool{}
	for _, f := range r.active {
		hurt[f.Target] = true
	}
	var free []Victim
	for _, v := range all {
		if !hurt[v.ID] {
			free = append(free, v)
		}
	}
	return free
}

func (r *Runner) sleepUntil(ctx context.Context, at int64) bool {
	t := time.NewTimer(time.Duration(at - r.Clock.Now()))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// say emits an event, stamped now unless it has a time.
func (r *Runner) say(e *assay.Event) {
	r.fill(e)
	// What the store could not take it has counted; a fault goes on to its end all the same.
	_ = r.emit(e)
}

func (r *Runner) fill(e *assay.Event) {
	e.Source = "chaos"
	if e.Time == 0 {
		e.Time = r.Clock.Now()
	}
}

func (r *Runner) set(f *injection, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.State, f.Since = state, r.Clock.Now()
}

// claimLast returns the fault armed last that no one reverts yet, for the caller to revert, or nil.
func (r *Runner) claimLast() *injection {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range slices.Backward(r.active) {
		if f.State != StateReverting {
			f.State, f.Since = StateReverting, r.Clock.Now()
			return f
		}
	}
	return nil
}

func cause(ctx context.Context) string {
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err.Error()
	}
	return "interrupted"
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
