package chaos

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// event makes an event of the fault.
func (f *injection) event(kind, text string, attrs ...string) *assay.Event {
	e := &assay.Event{Kind: kind, Fault: f.ID, Instance: f.Target, Phase: f.step.Phase, Text: text,
		Attrs: map[string]string{attrKind: f.Kind, attrTarget: f.Target}}
	if k, _ := find(f.Kind); k.Simulated {
		e.Attrs[attrSimulated] = "true"
	}
	for i := 0; i < len(attrs); i += 2 {
		e.Attrs[attrs[i]] = attrs[i+1]
	}
	return e
}

// inject plans, arms and applies the fault. It reports whether the fault goes on to be verified; if
// not, it was void and nothing of it is left.
func (r *Runner) inject(ctx context.Context, f *injection, v Victim) bool {
	if ctx.Err() != nil {
		r.say(f.event(assay.EventFaultVoid, "not injected: "+cause(ctx)))
		r.drop(f)
		return false
	}
	v.Fault = f.ID
	a, err := r.plan(ctx, f, v)
	if err != nil {
		r.say(f.event(assay.EventFaultVoid, "not injected: "+err.Error()))
		r.drop(f)
		return false
	}
	a.Undo.ID = f.ID
	if a.Undo.remote() {
		a.Undo.Patience = a.Patience
	}
	f.action = a
	a.Undo.Longest = r.term(f)
	a.May = func(v Victim, all []Victim, ready int) error { return r.further(f, v, all, ready) }
	if why := r.steadyState(ctx); why != "" { // making the plan may have waited for a person while users were hurt
		r.say(f.event(assay.EventFaultVoid, "not injected: "+why))
		r.drop(f)
		return false
	}
	if err := r.arm(ctx, f); err != nil {
		r.say(f.event(assay.EventFaultVoid, "not injected: "+err.Error()))
		r.clear(ctx, f, "never applied")
		if ctx.Err() == nil {
			r.Abort(err.Error()) // without journal or guardian nothing may be injected
		}
		return false
	}
	if ctx.Err() != nil {
		r.say(f.event(assay.EventFaultVoid, "not injected: "+cause(ctx)))
		r.clear(ctx, f, "never applied")
		return false
	}
	before := int64(0)
	err = a.Apply(ctx, func() { before = r.Clock.Now() })
	took := r.Clock.Now() - before
	if before != 0 { // even if the call failed, it may have had its effect
		f.applied = before
		e := f.event(assay.EventFaultApplied, "", attrHealthy, itoa(int64(f.healthy)), attrTook, itoa(took))
		if a.Undo.Flight > 0 && Heard(err) {
			e.Attrs[attrHeard] = "true"
		}
		e.Time = before
		r.set(f, StateInjected)
		r.say(e)
	}
	if Heard(err) {
		r.heard(ctx, f)
	}
	if err != nil {
		if ctx.Err() != nil {
			return true // interrupted: whether it is in force is not known, so it is reverted like the others
		}
		r.say(f.event(assay.EventFaultVoid, err.Error()))
		r.set(f, StateReverting)
		r.revert(ctx, f, "")
		return false
	}
	return true
}

// arm puts the undo on disk and in the guardian's hands.
func (r *Runner) arm(ctx context.Context, f *injection) error {
	if err := f.action.Undo.check(); err != nil {
		return err
	}
	f.Since = r.Clock.Now()
	f.State = StateArmed
	r.mu.Lock()
	r.active = append(r.active, f)
	r.mu.Unlock()
	e := f.event(assay.EventFaultArmed, "", attrHealthy, itoa(int64(f.healthy)), attrUndo, asJSON(f.action.Undo))
	maps.Copy(e.Attrs, here())
	if len(f.action.Touches) > 0 {
		e.Text = f.action.Touches[0]
	}
	if f.step.For > 0 {
		e.Attrs[attrFor] = itoa(int64(f.step.For))
	}
	r.fill(e)
	if err := r.Sync(e); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return r.Guard.Arm(ctx, f.action.Undo)
}

// verifyLimit is how long the effect of a step is looked for.
func verifyLimit(s *Step) time.Duration { return 5*time.Second + 2*(s.Delay+s.Jitter) }

// hold verifies the effect and waits until the fault is to end. It reports whether the fault is
// over; it is not when the run was stopped, and is then reverted with the others.
func (r *Runner) hold(ctx context.Context, f *injection) (why string, over bool) {
	limit := r.looking(f)
	looking, cancel := context.WithTimeout(ctx, limit)
	effect, err := f.action.Effect(looking)
	cancel()
	switch {
	case err != nil && ctx.Err() != nil:
		return "", false
	case err != nil:
		f.void.Store(true)
		text := fmt.Sprintf("no effect was seen within %v: %v", limit, err)
		if at, why := r.overrun(ctx, f); at != 0 {
			text = "its effect was not measured: " + why
		}
		r.say(f.event(assay.EventFaultVoid, text))
		return "it was not in effect", true
	}
	r.say(f.event(assay.EventFaultVerified, "", attrEffect, effect, attrBasis, string(cmp.Or(f.action.Basis, assay.EffectMeasured))))

	if f.action.During != nil {
		during, stop := context.WithCancel(ctx)
		did := make(chan string, 1)
		go func() { did <- f.action.During(during) }()
		defer func() {
			stop()
			if text := <-did; why == "" {
				why = text
			}
		}()
	}
	begun := f.applied
	if f.action.Patience > 0 { // what a controller took to put it in force does not shorten it
		begun = r.Clock.Now()
	}
	end := time.NewTimer(time.Duration(begun + int64(f.step.For) - r.Clock.Now()))
	defer end.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", false
		case <-end.C:
			return "", true
		case <-look.C:
			if f.action.Ended != nil {
				why := f.action.Ended()
				if why != "" && f.action.Ends {
					return "over with its victim: " + why, true
				}
				if why != "" {
					return "ended early: " + why, true
				}
			}
		}
	}
}

// revert takes the fault away and verifies that it is away. Exactly one caller has claimed the
// fault by setting its state. It does not stop when ctx is done.
func (r *Runner) revert(ctx context.Context, f *injection, why string) {
	ctx = context.WithoutCancel(ctx)
	limit, cancel := context.WithTimeout(ctx, orElse(r.Revert, 5*time.Second+2*(f.step.Delay+f.step.Jitter))+f.action.Patience+f.action.Undo.Flight)
	defer cancel()
	u := &f.action.Undo
	at, overran := r.overrun(limit, f)
	if at != 0 {
		why = overran
		r.say(f.event(assay.EventWarning, fmt.Sprintf("%s: %s of %s: %s", f.ID, f.Kind, f.Target, why)))
	}
	var err error
	if at == 0 || u.away(limit) != nil { // what was in force again when this process woke ends now
		at = 0
		err = until(limit, 50*time.Millisecond, func() error { return u.Do(limit) })
	}
	if err == nil {
		e := f.event(assay.EventFaultReverted, why)
		e.Time, f.ended = at, at
		r.say(e)
		err = u.Verify(limit)
	}
	if err == nil && f.action.Lifted != nil {
		err = f.action.Lifted(limit)
	}
	if err == nil {
		r.clear(ctx, f, "")
		return
	}
	// The guardian keeps the undo and tries once more at the end.
	r.mu.Lock()
	r.remains = append(r.remains, fmt.Sprintf("%s: %s of %s: %v; by hand: %s", f.ID, f.Kind, f.Target, err, u))
	r.mu.Unlock()
	r.say(f.event(assay.EventFaultRemaining, err.Error()))
	f.stays = true
	r.drop(f)
}

// clear ends a fault's life.
func (r *Runner) clear(ctx context.Context, f *injection, why string) {
	e := f.event(assay.EventFaultClear, why)
	e.Time = f.ended
	r.fill(e)
	// On disk before the guardian lets go of the undo: else a run killed now would not know that the fault is away. A disk that does
	// not take it at once may take it later; the fault is clear all the same.
	if r.Sync(e) != nil {
		_ = r.emit(e)
	}
	// If the guardian does not hear it, it does the undo once more, which harms nothing.
	_ = r.Guard.Disarm(context.WithoutCancel(ctx), f.ID)
	r.drop(f)
}

// drop ends what is done about a fault. It may be called again.
func (r *Runner) drop(f *injection) {
	r.mu.Lock()
	victim := f.victim
	r.mu.Unlock()
	gone := f.applied != 0 && (f.action.Takes || victim.Process.PID > 0 && victim.Process.Gone())
	r.mu.Lock()
	defer r.mu.Unlock()
	is := func(g *injection) bool { return g == f }
	r.active = slices.DeleteFunc(r.active, is)
	if slices.ContainsFunc(r.chosen, is) {
		r.chosen = slices.DeleteFunc(r.chosen, is)
		r.release(f)
		if gone {
			r.lose(f)
		}
		f.cleared = r.Clock.Now()
		close(f.over)
	}
}
