package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
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
	// Seen waits until a condition is seen at or after an instant and returns when that was. An error says why it will not
	// be; nil: no condition is ever seen.
	Seen func(ctx context.Context, when string, from int64) (int64, error)

	Limits Limits // of what may be hurt at once

	// Hypotheses must all hold before the first fault, else none is injected; and again after each, else no further one is.
	Hypotheses []Hypothesis

	Ready  time.Duration // how long a step waits for an instance that it can hurt; default 10 s
	Verify time.Duration // how long the effect of a fault is looked for; default 5 s, and longer for a long delay
	Revert time.Duration // how long the undo of a fault, and the look at its result, may take; default 5 s
	Grace  time.Duration // how long beyond its time a fault may last before the guard ends it though this process lives; default 5 s

	emit func(assay.Record) error

	mu      sync.Mutex
	cancel  context.CancelCauseFunc
	reason  string
	losses  []loss
	chosen  []*injection // faults whose victims are chosen and that are not over, in the order of choice
	active  []*injection // of them, those that are armed, in the order of arming
	remains []string
	kept    map[string]string // what faults that may remain hold, by what: their ids
	freed   map[string]int    // the turn in which what was held was let go of
	turn    int               // counts what was let go of
	steady  steady
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
	victim Victim // under the runner's lock, as of
	of     int    // how many instances there were with it
	Active
	healthy int
	applied int64
	ended   int64         // when the guard ended it in place of this process, and it was away since; 0 if it did not
	now     string        // who took its victim's place and is hurt instead; "" for nobody; under the runner's lock
	holds   []string      // what no other fault may change meanwhile; under the runner's lock
	over    chan struct{} // closed when nothing more will be done about it
	stays   bool          // it may remain; read after over is closed
	cleared int64         // when it was over; read after over is closed
	void    atomic.Bool   // it was not in effect
}

// Run carries out the steps and returns when all faults are clear or known to remain. When ctx is done, or
// Abort is called, or the guardian is lost, it injects no more and reverts what is active: what lies on this machine last first, and the rest at once.
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
	if err := r.checkHypotheses(); err != nil {
		return err
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
	if len(r.Hypotheses) > 0 {
		watch.Go(func() { r.follow(running) })
	}
	defer watch.Wait()
	defer cancel(nil)
	defer close(watching)

	var injecting, reverting sync.WaitGroup
	for i, s := range r.Steps {
		if s.Group == nil || i == 0 || r.Steps[i-1].Group != s.Group {
			injecting.Go(func() { r.lane(running, i, &injecting, &reverting) })
		}
	}
	injecting.Wait()
	// Whoever reached the end of its hold reverts itself; what is left was stopped before. What is undone beyond this machine may take long and
	// nothing waits for it.
	why := "the run was stopped: " + cause(running)
	for f := r.claimLast(); f != nil; f = r.claimLast() {
		if f.action.Undo.remote() {
			reverting.Go(func() { r.revert(ctx, f, why) })
		} else {
			r.revert(ctx, f, why)
		}
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

// choose picks the victims of a strike of step i among the instances that may be hurt and are not being hurt already, waiting for the
// first, and takes them, so that no other step does.
func (r *Runner) choose(ctx context.Context, i, strike int) (chosen []*injection, victims []Victim, err error) {
	s := &r.Steps[i]
	wait := orElse(r.Ready, 10*time.Second)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var refused error
	err = until(ctx, 50*time.Millisecond, func() error {
		all, err := r.fleet(ctx, s)
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(r.Seed, uint64(i+1)+uint64(strike)<<32))
		r.mu.Lock()
		defer r.mu.Unlock()
		if k, _ := find(s.Fault); k.one() != "" && s.by() == ByLocal {
			victims = []Victim{{ID: k.one()}}
		} else {
			free := r.free(all.may)
			if len(free) == 0 {
				return fmt.Errorf("no instance that may be hurt was ready within %v (%d ready, %d of them hurt already)", wait, all.ready, len(all.may))
			}
			victims = nil
			for _, k := range rng.Perm(len(free))[:min(len(free), max(1, s.count(all.ready)))] { // of a target as a whole none may be ready, at scale zero
				victims = append(victims, free[k])
			}
		}
		var of int
		if of, refused = r.allowed(victims, all); refused != nil {
			return nil // and not when it might be allowed: that would be another schedule
		}
		id := s.id(i)
		for n, v := range victims {
			f := &injection{step: s, victim: v, healthy: all.ready, of: of, over: make(chan struct{}), Active: Active{ID: s.strikeID(id, strike, n), Kind: s.Fault, Target: v.ID}}
			chosen = append(chosen, f)
		}
		r.chosen = append(r.chosen, chosen...)
		return nil
	})
	if err == nil {
		err = refused
	}
	return chosen, victims, err
}

// free returns the victims that no fault of ours lies on. The lock is held.
func (r *Runner) free(all []Victim) []Victim {
	hurt := map[string]bool{}
	for _, f := range r.chosen {
		hurt[f.on()] = true
	}
	var free []Victim
	for _, v := range all {
		if !hurt[v.ID] || v.ID == assay.WholeTarget { // different faults lie on it at once; the same is refused by its driver
			free = append(free, v)
		}
	}
	return free
}

// Instead chooses another victim for a fault of a step whose own has gone before it was struck, for a driver whose plan has waited: one that no fault of
// ours lies on and that the limits allow.
func (r *Runner) Instead(ctx context.Context, s *Step, gone Victim) (Victim, error) {
	all, err := r.fleet(ctx, s)
	if err != nil {
		return Victim{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.chosen, func(f *injection) bool { return f.ID == gone.Fault })
	if i < 0 {
		return Victim{}, fmt.Errorf("fault %q is not about to be injected", gone.Fault)
	}
	f, chosen := r.chosen[i], r.chosen
	r.chosen = slices.Delete(slices.Clone(chosen), i, i+1) // it does not stand in its own way
	defer func() { r.chosen = chosen }()
	free := slices.DeleteFunc(r.free(all.may), func(v Victim) bool { return v.ID == gone.ID && v.Process == gone.Process && v.UID == gone.UID })
	if len(free) == 0 {
		return Victim{}, fmt.Errorf("no other that may be hurt is ready (%d ready)", all.ready)
	}
	v := free[rand.New(rand.NewPCG(r.Seed, uint64(len(chosen)))).IntN(len(free))]
	of, err := r.allowed([]Victim{v}, all)
	if err != nil {
		return Victim{}, err
	}
	v.Fault, f.Target, f.of = f.ID, v.ID, of
	f.victim = v
	return v, nil
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
