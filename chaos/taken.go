package chaos

import (
	"context"
	"strings"
)

// A Scaler is a [Driver], or a [Platform], that knows how many instances are wanted.
type Scaler interface {
	// Wanted returns how many instances the platform means to have; ok is false where that is not known.
	Wanted(ctx context.Context, s *Step) (n int, ok bool)
}

var (
	_ Scaler = Drivers(nil)
	_ Scaler = (*Local)(nil)
	_ Scaler = (*AdminPlatform)(nil)
)

// Wanted asks the step's driver.
func (d Drivers) Wanted(ctx context.Context, s *Step) (int, bool) {
	one, err := d.of(s)
	if err != nil {
		return 0, false
	}
	return wanted(ctx, one, s)
}

// Wanted asks the platform.
func (d *Local) Wanted(ctx context.Context, s *Step) (int, bool) { return wanted(ctx, d.Platform, s) }

func wanted(ctx context.Context, who any, s *Step) (int, bool) {
	if one, ok := who.(Scaler); ok {
		return one.Wanted(ctx, s)
	}
	return 0, false
}

// A loss is an instance that a fault took away and that is not known to be replaced. A kill is clear at once, and yet one instance less serves.
type loss struct {
	fault string
	of    int // how many there were with it
}

// lose notes that the fault is over and its victim gone with it. The lock is held.
func (r *Runner) lose(f *injection) { r.losses = append(r.losses, loss{f.ID, f.of}) }

// missing returns the faults whose victims are gone and not replaced where so many are there, and forgets the others: those that were replaced, and those
// that nobody waits for since fewer are wanted now. The lock is held.
func (r *Runner) missing(there, wanted int) (faults []string) {
	if len(r.losses) == 0 {
		return nil
	}
	n := max(0, min(r.losses[0].of, wanted)-there)
	r.losses = r.losses[max(0, len(r.losses)-n):]
	for _, l := range r.losses {
		faults = append(faults, l.fault)
	}
	return faults
}

// unreplaced says in words whose victims are not replaced; "" for nobody.
func unreplaced(faults []string) string {
	if len(faults) == 0 {
		return ""
	}
	return "; what " + strings.Join(faults, ", ") + " took away is not back"
}
