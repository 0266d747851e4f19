package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// Conditions that a step can wait for. Who runs the steps says when they are seen: see [Runner].
const (
	ColdStart  = "scale-from-zero" // the platform starts an instance while none is ready
	Saturation = "saturation"      // more comes than is served
)

// MaxStrikes is how often one step may strike.
const MaxStrikes = 1000

// A Repeat lets a step strike more than once: Times at distances of Every, or by chance at Rate within a stretch.
type Repeat struct {
	Every  time.Duration `json:"every_ns,omitempty"`
	Times  int           `json:"times,omitempty"`
	Rate   float64       `json:"rate,omitempty"` // per second; strikes are a Poisson process drawn from the step's seed
	Within time.Duration `json:"within_ns,omitempty"`
}

// A Group holds neighbouring steps together that point to it. In a serial one, At of each step counts from when the one before is clear, else from
// At of the group.
type Group struct {
	Serial bool          `json:"serial,omitempty"`
	Phase  string        `json:"phase,omitempty"` // that At counts from, for all its steps
	At     time.Duration `json:"at_ns,omitempty"`
	When   string        `json:"when,omitempty"`
}

// id returns the id of the faults of step i: its name, or its kind and number.
func (s *Step) id(i int) string {
	switch {
	case s.Name != "":
		return s.Name
	case s.Number != "":
		return s.Fault + "-" + s.Number
	}
	return fmt.Sprintf("%s-%d", s.Fault, i+1)
}

// strikes returns how long after the step's own instant each of its strikes comes. The same seed gives the same instants, whatever other steps
// stand beside it.
func (s *Step) strikes(i int) []time.Duration {
	r := s.Repeat
	switch {
	case r == nil:
		return []time.Duration{0}
	case r.Every > 0:
		out := make([]time.Duration, r.Times)
		for n := range out {
			out[n] = time.Duration(n) * r.Every
		}
		return out
	}
	name := fnv.New64a()
	name.Write([]byte(s.id(i)))
	rng := rand.New(rand.NewPCG(s.Seed, name.Sum64()))
	var out []time.Duration
	for t := rng.ExpFloat64() / r.Rate; t < r.Within.Seconds() && len(out) < MaxStrikes; t += rng.ExpFloat64() / r.Rate {
		out = append(out, time.Duration(t*1e9))
	}
	return out
}

// strikeID returns the id of the fault of a strike on one of the step's victims, both from 0: kill-1, or kill-1.2 where there are several
// strikes or victims, or kill-1.2.1 where there are several of both.
func (s *Step) strikeID(id string, strike, victim int) string {
	if s.Repeat != nil {
		id = fmt.Sprintf("%s.%d", id, strike+1)
	}
	if s.Share > 0 || s.Instances > 1 {
		id = fmt.Sprintf("%s.%d", id, victim+1)
	}
	return id
}

// checkSchedule returns what is wrong with when the step strikes.
func (s *Step) checkSchedule(i int) (w []Wrong) {
	bad := func(path, format string, args ...any) { w = append(w, Wrong{path, fmt.Sprintf(format, args...)}) }
	if s.At < 0 {
		bad("at", "%v lies before the beginning; 0s or later", s.At)
	}
	for _, when := range []string{s.When, s.group().When} {
		if when != "" && when != ColdStart && when != Saturation {
			bad("when", "%q is no condition; one of %s, %s", when, ColdStart, Saturation)
		}
	}
	r := s.Repeat
	switch {
	case r == nil:
	case (r.Every > 0 && r.Times > 0) == (r.Rate > 0 && r.Within > 0):
		bad("repeat", "wants every and times, or rate and within")
	case r.Times > MaxStrikes || r.Rate*r.Within.Seconds() > MaxStrikes:
		bad("repeat", "is more than %d strikes", MaxStrikes)
	case len(s.strikes(i)) == 0:
		bad("repeat", "the seed draws no strike within %v at that rate: the fault would never strike; give a longer within or a higher rate", r.Within)
	}
	return w
}

func (s *Step) group() *Group {
	if s.Group == nil {
		return &Group{}
	}
	return s.Group
}

// cold reports whether the step strikes at a start from zero.
func (s *Step) cold() bool {
	if s.When == "" {
		return s.group().When == ColdStart
	}
	return s.When == ColdStart
}

// when says in words when step i strikes.
func when(steps []Step, i int) string {
	s := &steps[i]
	g := s.group()
	from := "into the load"
	if phase := s.Phase + g.Phase; phase != "" {
		from = "into phase " + phase
	}
	if c := g.When + s.When; c != "" {
		from = fmt.Sprintf("after %s is first seen", c)
		if s.When != "" && g.When != "" && s.When != g.When {
			from = fmt.Sprintf("after %s and then %s are seen", g.When, s.When)
		}
		if phase := s.Phase + g.Phase; phase != "" {
			from += " from phase " + phase + " on"
		}
	}
	at := s.At + g.At
	switch {
	case g.Serial && i > 0 && steps[i-1].Group == s.Group:
		from, at = "after "+steps[i-1].id(i-1)+" is clear", s.At
		if s.When != "" {
			from += fmt.Sprintf(" and %s is seen", s.When)
		}
	case s.When != "" && s.Group != nil:
		at = s.At
	}
	text := fmt.Sprintf("%v %s", at, from)
	if s.Group != nil || s.Name != "" || s.Repeat != nil {
		text = s.id(i) + ", " + text
	}
	return text
}

// again says in words when else step i strikes; "" if it strikes once.
func (s *Step) again(i int) string {
	r := s.Repeat
	if r == nil {
		return ""
	}
	id := s.id(i)
	if r.Every > 0 {
		text := fmt.Sprintf("%s strikes %d times, every %v", id, r.Times, r.Every)
		if s.For > r.Every {
			text += fmt.Sprintf("; held for %v each, so that up to %d of its strikes overlap, each on another instance", s.For, (s.For+r.Every-1)/r.Every)
		}
		return text
	}
	const shown = 12
	list := s.strikes(i)
	var at []string
	overlap := false
	for n, t := range list {
		if n < shown {
			at = append(at, t.Round(10*time.Millisecond).String())
		}
		overlap = overlap || n > 0 && t-list[n-1] < s.For
	}
	if len(list) > shown {
		at = append(at, fmt.Sprintf("… and %d more", len(list)-shown))
	}
	text := fmt.Sprintf("%s strikes %d times by chance, drawn from seed %d: %s after that", id, len(list), s.Seed, strings.Join(at, ", "))
	if overlap {
		text += "; some overlap, each on another instance"
	}
	return text
}

// overlaps says in words which steps strike while another holds, and what becomes of those that would have the same victim.
func overlaps(steps []Step) (lines []string) {
	spans := timeline(steps)
	said := map[[2]int]bool{}
	for _, b := range spans {
		for _, a := range spans {
			first, second := &steps[a.step], &steps[b.step]
			if a.step == b.step || a.base != b.base || a.from > b.from || b.from >= a.to || a.from == b.from && a.step > b.step || said[[2]int{a.step, b.step}] {
				continue
			}
			said[[2]int{a.step, b.step}] = true
			k, _ := find(second.Fault)
			switch {
			case first.by() == ByWire && second.by() == ByWire:
				lines = append(lines, fmt.Sprintf("%s is due while %s lies on the wire too: it waits up to 10s until that is clear, and is void if it is not", second.id(b.step), first.id(a.step)))
			case first.by() == ByKubernetes || first.by() == ByLambda: // each changes something else of the whole
			case first.by() == second.by() && k.one() == "" && first.For > 0:
				lines = append(lines, fmt.Sprintf("%s is due while %s holds: each takes another instance; where there is none, it waits up to 10s and then is void", second.id(b.step), first.id(a.step)))
			}
		}
	}
	return lines
}
