package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
)

// defaultGrace is how long beyond its time a fault may last: what a busy machine takes to apply it.
const defaultGrace = 5 * time.Second

// A Timekeeper is a [Guard] that also ends a fault that has outlasted its term, [Undo.Longest], though the run lives: one that is stopped by Ctrl-Z, or hangs,
// ends nothing.
type Timekeeper interface {
	// Ended returns how long ago the guard last undid the fault itself and saw it away; ok is false if it did not.
	Ended(ctx context.Context, id string) (ago time.Duration, ok bool)
}

var _ Timekeeper = (*Guardian)(nil)

// term returns how long the fault may last from when it is armed, or 0 if it has no length, or none that anybody but the run could end.
func (r *Runner) term(f *injection) time.Duration {
	u := &f.action.Undo
	if f.step.For == 0 || u.Kind == UndoNone || u.last() {
		return 0
	}
	longest := max(f.step.For, r.looking(f))
	if f.action.Patience > 0 { // its time counts from when its effect was seen, and what applies it may take as long once more
		longest = f.step.For + r.looking(f) + f.action.Patience
	}
	return longest + orElse(r.Grace, defaultGrace)
}

// looking returns how long the effect of the fault is looked for.
func (r *Runner) looking(f *injection) time.Duration {
	return orElse(r.Verify, verifyLimit(f.step)) + f.action.Patience + f.action.Look
}

// overrun returns the instant at which the guard ended a fault that had outlasted its term, and what to say of it; 0 if it did not.
func (r *Runner) overrun(ctx context.Context, f *injection) (at int64, text string) {
	k, ok := r.Guard.(Timekeeper)
	if !ok || f.action.Undo.Longest == 0 {
		return 0, ""
	}
	ago, ok := k.Ended(ctx, f.ID)
	if !ok {
		return 0, ""
	}
	return max(r.Clock.Now()-int64(ago), f.applied+1), fmt.Sprintf("the run had not ended it %v after it was armed, as if it was frozen: the guardian did", round(f.action.Undo.Longest))
}

// Ended asks the guardian.
func (g *Guardian) Ended(ctx context.Context, id string) (ago time.Duration, ok bool) {
	a, err := g.asked(ctx, message{Ended: id})
	return time.Duration(a.Ago), err == nil && a.Ago > 0
}

// A term is the guardian's look at how long an undo has been armed.
type term struct {
	end   context.CancelFunc // the run has taken the undo back
	ended time.Time          // when the guardian had undone it and saw it away; zero if it did not
}

// begin begins the term of an undo. What lies in the run's own process hurts nobody while that is frozen, and cannot be undone then. The lock is held.
func (g *guard) begin(u Undo) {
	if u.Longest == 0 || u.Process != nil && *u.Process == g.run {
		return
	}
	ctx, end := context.WithCancel(g.over)
	t := &term{end: end}
	if g.terms == nil {
		g.terms = map[string]*term{}
	}
	g.terms[u.ID] = t
	go g.outlasted(ctx, u, t)
}

// outlasted undoes what is still armed after its term, and goes on looking until the run takes it back: one that was frozen before it applied the
// fault applies it when it wakes. The run itself says that it is clear; the notes only say what was done.
func (g *guard) outlasted(ctx context.Context, u Undo, t *term) {
	every, each := stopAgain, healTimeout
	if u.remote() {
		every, each = stopAgainFar, u.within(remoteBudget)
	}
	did := u.blind()
	for wait := u.Longest; pause(ctx, wait) == nil; wait = every {
		if !did && u.tried(ctx, each, u.away) == nil {
			continue
		}
		did = false
		if u.tried(ctx, each, u.Do) != nil || u.tried(ctx, each, u.Verify) != nil {
			continue // looked at again
		}
		g.change(func() { t.ended = time.Now() })
		_ = g.note(assay.Event{Kind: assay.EventFaultReverted, Fault: u.ID, // the run tells too
			Text: fmt.Sprintf("the run lives and had not ended it %v after it was armed", round(u.Longest))})
	}
}

// tried does one part of an undo within its time.
func (u *Undo) tried(ctx context.Context, limit time.Duration, part func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return part(ctx)
}

// ended returns for how many nanoseconds a fault has been over that the guardian ended itself; 0 if it did not.
func (g *guard) ended(id string) (ago int64) {
	g.change(func() {
		if t := g.terms[id]; t != nil && !t.ended.IsZero() {
			ago = max(1, int64(time.Since(t.ended)))
		}
	})
	return ago
}
