package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// Limits bound what may be hurt at once: a strike that would pass one is void. What a fault took away, such as a process that was killed, is hurt until as many
// are ready as before it, or as the platform wants, where that is known ([Scaler]). The zero value limits nothing.
type Limits struct {
	Instances int     `json:"instances,omitempty"` // instances hurt at once; 0: no limit
	Share     float64 `json:"share,omitempty"`     // of the instances, hurt at once; 0: no limit
	Faults    int     `json:"faults,omitempty"`    // faults at once; 0: no limit
}

// String says in words what is allowed; "" for everything.
func (l Limits) String() string {
	var at []string
	if l.Faults > 0 {
		at = append(at, things(l.Faults, "fault"))
	}
	if l.Instances > 0 {
		at = append(at, things(l.Instances, "instance"))
	}
	if l.Share > 0 {
		at = append(at, percent(l.Share)+" of the ready instances")
	}
	if at == nil {
		return ""
	}
	return "at most " + strings.Join(at, ", ") + " at once; a strike that would pass that is void"
}

// A fleet is what a driver says of the instances.
type fleet struct {
	may    []Victim // ready, and may be hurt
	ready  int      // in all
	wanted int      // by the platform; math.MaxInt where that is not known
}

// fleet asks the driver.
func (r *Runner) fleet(ctx context.Context, s *Step) (fleet, error) {
	may, ready, err := r.Driver.Victims(ctx, s)
	all := fleet{may, ready, math.MaxInt}
	if err == nil && r.Limits != (Limits{}) {
		if n, ok := wanted(ctx, r.Driver, s); ok {
			all.wanted = n
		}
	}
	return all, err
}

// allowed returns of how many instances the victims are, and which limit they would pass beside what is hurt now. The lock is held.
func (r *Runner) allowed(victims []Victim, all fleet) (of int, err error) {
	hurt := map[string]bool{}
	for _, f := range r.chosen {
		hurt[f.on()] = true
	}
	for _, v := range victims {
		hurt[v.ID] = true
	}
	return r.bounded(hurt, len(r.chosen)+len(victims), all)
}

// further takes a victim for a fault in the place of its last one, unless another fault lies on it or a limit would be passed.
func (r *Runner) further(f *injection, v Victim, may []Victim, ready int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	hurt := map[string]bool{v.ID: true}
	for _, g := range r.chosen {
		if g == f {
			continue
		}
		if g.on() == v.ID {
			return fmt.Errorf("%s lies on %s", g.ID, v.ID)
		}
		hurt[g.on()] = true
	}
	of, err := r.bounded(hurt, len(r.chosen), fleet{may, ready, math.MaxInt})
	if err != nil {
		return err
	}
	f.now, f.victim, f.of = v.ID, v, of
	return nil
}

// on returns the id of who is hurt by the fault. The runner's lock is held.
func (f *injection) on() string {
	if f.now != "" {
		return f.now
	}
	return f.Target
}

// bounded returns how many instances there are, with those that are hurt or gone, and which limit is passed where so many faults hurt these. The lock is held.
func (r *Runner) bounded(hurt map[string]bool, faults int, all fleet) (of int, err error) {
	whole := hurt[MachineID] || hurt[assay.WholeTarget]
	for _, id := range []string{MachineID, assay.WholeTarget, WireID} { // no instances
		delete(hurt, id)
	}
	there := map[string]bool{}
	for _, v := range all.may {
		there[v.ID] = true
	}
	n := len(hurt)
	of = all.ready
	for id := range hurt {
		if !there[id] { // hurt, and for that no longer ready
			of++
		}
	}
	gone := r.missing(of, all.wanted)
	n, of = n+len(gone), of+len(gone)
	if whole {
		n = of
	}
	if err := r.Limits.refuse(faults, n, of); err != nil {
		return of, fmt.Errorf("%w%s", err, unreplaced(gone))
	}
	return of, nil
}

// refuse returns which limit so many faults at once, and so many instances of so many, would pass; nil for none. A negative of is not known.
func (l Limits) refuse(faults, n, of int) error {
	switch {
	case l.Faults > 0 && faults > l.Faults:
		return fmt.Errorf("there would be %d faults at once; limits.faults allows %d", faults, l.Faults)
	case l.Instances > 0 && n > l.Instances:
		return fmt.Errorf("%d instances would be hurt at once; limits.instances allows %d", n, l.Instances)
	case l.Share > 0 && of >= 0 && float64(n) > l.Share*float64(of)+1e-9:
		return fmt.Errorf("%d of %d ready instances would be hurt at once; limits.share allows %s", n, of, percent(l.Share))
	}
	return nil
}

// things counts: 1 fault, 2 faults.
func things(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func percent(share float64) string { return fmt.Sprintf("%.4g%%", 100*share) }

// Check returns all that is wrong with the steps under the limits as far as that can be told without the deployment, joined, each a *[Wrong] with
// its path as in [Check].
func (l Limits) Check(at string, steps []Step) error {
	var errs []error
	bad := func(i int, path, format string, args ...any) {
		errs = append(errs, &Wrong{place(at, steps, i) + path, fmt.Sprintf(format, args...)})
	}
	for i := range steps {
		s := &steps[i]
		switch {
		case l.Share > 0 && l.Share < 1 && (s.of() == MachineID || s.of() == assay.WholeTarget):
			bad(i, ".fault", "%s hurts the %s and with it all instances; limits.share allows %s", s.Fault, s.of(), percent(l.Share))
		case l.Share > 0 && s.Share > l.Share:
			bad(i, ".instances", "%s would pass limits.share, %s", percent(s.Share), percent(l.Share))
		case l.Instances > 0 && s.Instances > l.Instances:
			bad(i, ".instances", "%d would pass limits.instances, %d", s.Instances, l.Instances)
		case l.Faults > 0 && s.Instances > l.Faults:
			bad(i, ".instances", "%d is as many faults at once and would pass limits.faults, %d", s.Instances, l.Faults)
		default:
			if faults, n := together(steps, i); faults > s.victims() {
				if err := l.refuse(faults, n, -1); err != nil {
					bad(i, "", "begins while others hold, so that %v", err)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// victims returns the least number of victims of one strike.
func (s *Step) victims() int { return max(1, s.Instances) }

// together returns how many faults, and of them on instances, are in force at most when step i strikes, it included, as far as the plan tells.
func together(steps []Step, i int) (faults, instances int) {
	spans := timeline(steps)
	for _, a := range spans {
		if a.step != i {
			continue
		}
		f, n := 0, 0
		for _, b := range spans {
			if b.base != a.base || b.from > a.from || b.from != a.from && b.to <= a.from {
				continue
			}
			s := &steps[b.step]
			f += s.victims()
			if s.of() == "" {
				n += s.victims()
			}
		}
		faults, instances = max(faults, f), max(instances, n)
	}
	return faults, instances
}

// A stretch is one strike in force, as planned.
type stretch struct {
	base     string // what its times count from
	step     int
	strike   int
	from, to float64 // seconds
}

// timeline returns the planned stretches of the steps, in order of the steps. Those whose beginning depends on when another is clear count from a base
// of their own.
func timeline(steps []Step) []stretch {
	var out []stretch
	for i := range steps {
		s := &steps[i]
		g := s.group()
		base, from := "phase "+s.Phase+g.Phase, (g.At + s.At).Seconds()
		for first := i; s.Group != nil && first > 0 && steps[first-1].Group == s.Group; first-- {
			if g.Serial {
				base, from = fmt.Sprint("step ", i), 0
			}
		}
		switch {
		case s.When != "":
			base, from = fmt.Sprint("step ", i), 0
		case g.When != "":
			base += fmt.Sprintf(" group %p", s.Group)
		}
		for n, t := range s.strikes(i) {
			at := from + t.Seconds()
			out = append(out, stretch{base, i, n, at, math.Nextafter(at+s.For.Seconds(), math.Inf(1))})
		}
	}
	return out
}
