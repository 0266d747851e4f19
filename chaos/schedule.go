package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
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
	at, phase := s.At+g.At, s.Phase+g.Phase
	after := "" // what else than the beginning of the load or of the phase At counts from
	switch {
	case g.Serial && i > 0 && steps[i-1].Group == s.Group:
		at, after = s.At, steps[i-1].id(i-1)+" is clear"
	case g.When != "":
		after = g.When + " is first seen"
	}
	if s.When != "" {
		at = s.At
		if after != "" {
			after += " and then "
		}
		after += s.When + " is first seen"
	}
	text := ""
	switch {
	case after != "" && at == 0:
		text = "as soon as " + after
	case after != "":
		text = fmt.Sprintf("%v after %s", at, after)
	case phase != "":
		text = fmt.Sprintf("%v into phase %s", at, phase)
	default:
		text = fmt.Sprintf("%v into the load", at)
	}
	if after != "" && phase != "" && (i == 0 || steps[i-1].Group != s.Group || s.Group == nil) {
		text += ", from phase " + phase + " on"
	}
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
	times := fmt.Sprintf("%d times", len(list))
	if len(list) == 1 {
		times = "once"
	}
	text := fmt.Sprintf("%s strikes %s by chance, drawn from seed %d: %s after that", id, times, s.Seed, strings.Join(at, ", "))
	if overlap {
		text += "; some overlap, each on another instance"
	}
	return text
}

// overlaps says in words which steps strike while others hold, and what becomes of those that would have the same victim.
func overlaps(steps []Step) (lines []string) {
	spans := timeline(steps)
	var wire, instances []string // ids of the steps that share the wire, or have to find other instances
	note := func(list *[]string, i, j int) {
		for _, id := range []string{steps[i].id(i), steps[j].id(j)} {
			if !slices.Contains(*list, id) {
				*list = append(*list, id)
			}
		}
	}
	for _, b := range spans {
		for _, a := range spans {
			if a.step == b.step || a.base != b.base || a.from > b.from || b.from >= a.to || a.from == b.from && a.step > b.step {
				continue
			}
			first, second := &steps[a.step], &steps[b.step]
			switch {
			case first.by() == ByWire && second.by() == ByWire:
				note(&wire, a.step, b.step)
			case first.by() == second.by() && first.of() == "" && second.of() == "":
				note(&instances, a.step, b.step)
			}
		}
	}
	if wire != nil {
		lines = append(lines, "together on the wire: "+some(wire)+"; the later waits up to 10s until the one before is clear, and then is void")
	}
	if instances != nil {
		lines = append(lines, "together: "+some(instances)+"; each takes another instance, and where there is none waits up to 10s and then is void")
	}
	return lines
}

// of returns the name of the one victim that the step has, or "" where instances are hurt.
func (s *Step) of() string {
	k, _ := find(s.Fault)
	switch {
	case s.by() == ByWire:
		return WireID
	case s.by() == ByKubernetes || s.by() == ByLambda || s.by() == ByToolkit || s.whole():
		return assay.WholeTarget
	case s.by() == ByLocal:
		return k.one()
	}
	return ""
}

// some joins names, the first of them if there are many.
func some(names []string) string {
	const shown = 8
	if n := len(names) - shown; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), n)
	}
	return strings.Join(names, ", ")
}
