package chaos

import (
	"context"
	"fmt"
	"slices"
)

// claim takes what the action holds for the fault, or says which fault holds some of it: two undos of one thing would each put back what the other did.
// It reports whether something of it was let go of since the turn in which the action was planned: what was read of it then may not stand.
func (r *Runner) claim(f *injection, holds []string, since int) (stale bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range holds {
		for _, g := range r.chosen {
			if g != f && slices.Contains(g.holds, key) {
				return false, fmt.Errorf("%s holds it (%s)", g.ID, key)
			}
		}
		if id, ok := r.kept[key]; ok {
			return false, fmt.Errorf("%s may still be in force and holds it (%s)", id, key)
		}
		stale = stale || r.freed[key] > since
	}
	if !stale {
		f.holds = holds
	}
	return stale, nil
}

// release lets go of what a fault holds, or keeps it for good where that may remain. The lock is held.
func (r *Runner) release(f *injection) {
	if r.freed == nil {
		r.kept, r.freed = map[string]string{}, map[string]int{}
	}
	r.turn++
	for _, key := range f.holds {
		if f.stays {
			r.kept[key] = f.ID
		} else {
			r.freed[key] = r.turn
		}
	}
}

// plan makes the action of a fault and takes what that holds.
func (r *Runner) plan(ctx context.Context, f *injection, v Victim) (*Action, error) {
	for {
		r.mu.Lock()
		since := r.turn
		r.mu.Unlock()
		a, err := r.Driver.Plan(ctx, f.step, v)
		if err != nil {
			return nil, err
		}
		stale, err := r.claim(f, a.Holds, since)
		if err != nil {
			return nil, err
		}
		if !stale {
			return a, nil
		}
	}
}

// holdStop names that a process is stopped or not.
func holdStop(p Process) string { return fmt.Sprintf("stop:%d", p.PID) }
