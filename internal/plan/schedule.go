package plan

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/suggest"
)

// Repeat lets a fault strike more than once: at even distances, or by chance.
type Repeat struct {
	Every  Duration `yaml:"every" json:"every,omitempty" jsonschema:"description=Time from one strike to the next."`
	Times  int      `yaml:"times" json:"times,omitempty" jsonschema:"minimum=2,maximum=1000,description=With every: how often it strikes."`
	Rate   Rate     `yaml:"rate" json:"rate,omitempty" jsonschema:"description=Strikes by chance at this rate: a Poisson process drawn from the plan's seed; assay validate shows the instants."`
	Within Duration `yaml:"within" json:"within,omitempty" jsonschema:"description=With rate: for how long strikes are drawn."`
}

// A Group is faults that stand under serial or parallel. When the plan is read its members take its place among the faults, each with the group
// that it came from.
type Group struct {
	Kind  string   `json:"kind"` // serial or parallel
	At    Duration `json:"at"`
	Phase string   `json:"phase,omitempty"`
	When  string   `json:"when,omitempty"`

	at string // where it stands in the plan
}

// The conditions that a fault can wait for.
const (
	WhenColdStart  = "scale-from-zero"
	WhenSaturation = "saturation"
)

// maxStrikes is how often one fault may strike: beyond it a mistake is likelier than a wish.
const maxStrikes = 1000

// path names the fault where it stands.
func (f *Fault) path(i int) string {
	if f.at != "" {
		return f.at
	}
	return fmt.Sprintf("chaos[%d]", i)
}

// Place returns the path of fault i in the plan, for example chaos[1].serial[0]; "" for one that does not stand there.
func (p *Plan) Place(i int) string { return p.Chaos[i].at }

// Number returns the number that fault i goes by, as in kill-2.1: that of its entry in the plan and, in a group, its own within it.
func (p *Plan) Number(i int) string {
	if n := p.Chaos[i].number; n != "" {
		return n
	}
	return fmt.Sprint(i + 1)
}

// most returns how often the fault can strike on average: 1 for one that is not repeated.
func (f *Fault) most() float64 {
	switch r := f.Repeat; {
	case r == nil:
		return 1
	case r.Every > 0:
		return float64(r.Times)
	default:
		return float64(r.Rate) * r.Within.D().Seconds()
	}
}

// spread returns how long after the fault's own instant its last strike lies at most.
func (f *Fault) spread() time.Duration {
	switch r := f.Repeat; {
	case r == nil:
		return 0
	case r.Every > 0:
		return r.Every.D() * time.Duration(r.Times-1)
	default:
		return r.Within.D()
	}
}

// ungroup puts the members of groups in their place and gives each fault its number.
func (p *Plan) ungroup() error {
	c := &checker{d: p.src}
	var out []Fault
	for i, f := range p.Chaos {
		at := fmt.Sprintf("chaos[%d]", i)
		f.at, f.number = at, fmt.Sprint(i+1)
		if f.Serial == nil && f.Parallel == nil {
			out = append(out, f)
			continue
		}
		g := &Group{Kind: "serial", At: f.At, Phase: f.Phase, When: f.When, at: at}
		members := f.Serial
		if f.Parallel != nil {
			g.Kind, members = "parallel", f.Parallel
		}
		if f.Serial != nil && f.Parallel != nil {
			c.bad(at, "has serial and parallel; give one of them")
		}
		if len(members) == 0 {
			c.bad(at+"."+g.Kind, "is empty; it needs at least one fault")
		}
		for name := range p.src.where {
			// What else is set belongs to one fault and would be lost here.
			if rest, ok := below(name, at); ok && !groupKeys[rest] {
				c.bad(name, "belongs to a fault; put it under %s", g.Kind)
			}
		}
		for j, m := range members {
			m.at, m.number, m.Group = fmt.Sprintf("%s.%s[%d]", at, g.Kind, j), fmt.Sprintf("%d.%d", i+1, j+1), g
			switch {
			case m.Serial != nil || m.Parallel != nil:
				c.bad(m.at, "is a group within a group; groups are nested one level")
			case m.Phase != "":
				c.bad(m.at+".phase", "belongs to the group: its members count from there")
			}
			out = append(out, m)
		}
	}
	p.Chaos = out
	return c.err()
}

var groupKeys = map[string]bool{"at": true, "phase": true, "when": true, "serial": true, "parallel": true}

// below returns the key that a path names directly below at.
func below(path, at string) (string, bool) {
	if len(path) <= len(at)+1 || path[:len(at)] != at || path[len(at)] != '.' {
		return "", false
	}
	rest := path[len(at)+1:]
	for _, r := range rest {
		if r == '.' || r == '[' {
			return "", false
		}
	}
	return rest, true
}

// schedule checks when the faults strike: what can never strike is refused. lengths are those of the phases, whole that of the load; 0 where nothing
// tells.
func (c *checker) schedule(p *Plan, lengths map[string]time.Duration, whole time.Duration, phases map[string]bool) {
	taken := map[string]bool{}
	for i, first := range p.earliest() {
		f := &p.Chaos[i]
		at := f.path(i)
		g := f.Group
		if f.Name != "" {
			switch {
			case !nameForm.MatchString(f.Name):
				c.bad(at+".name", "%q is not a name; use letters, digits, dots, dashes and underscores", f.Name)
			case taken[f.Name]:
				c.bad(at+".name", "%q is taken by an earlier fault", f.Name)
			}
			taken[f.Name] = true
		}
		c.repeat(at+".repeat", f)
		phase, when := f.phase(), f.When != ""
		if g != nil {
			when = when || g.When != ""
			c.when(g.at+".when", g.When, p)
			if phase != "" && !phases[phase] {
				c.bad(g.at+".phase", "%q is no load phase; %s", phase, suggest.Meant(phase, names(phases)))
			}
		}
		c.when(at+".when", f.When, p)
		limit, of := whole, "the load"
		if phase != "" {
			limit, of = lengths[phase], "phase "+phase
		}
		if limit <= 0 {
			continue
		}
		last := first + f.spread()
		earliest := ""
		if first != f.At.D() || when {
			earliest = " at the earliest"
		}
		switch {
		case first >= limit:
			c.bad(at+".at", "%v%s is not before the end of %s, %v: the fault would never strike", first, earliest, of, limit)
		case f.Repeat != nil && f.Repeat.Every > 0 && last >= limit:
			c.bad(at+".repeat", "strike %d would be at %v%s, not before the end of %s, %v: it would never come", f.Repeat.Times, last, earliest, of, limit)
		case last > limit:
			c.bad(at+".repeat.within", "strikes would be drawn until %v%s, after the end of %s, %v", last, earliest, of, limit)
		}
	}
}

// repeat checks how a fault is repeated.
func (c *checker) repeat(at string, f *Fault) {
	r := f.Repeat
	if r == nil {
		return
	}
	even, chance := r.Every != 0 || r.Times != 0, r.Rate != 0 || r.Within != 0
	switch {
	case even == chance:
		c.bad(at, "needs every and times, or rate and within; for example {every: 30s, times: 3}")
	case even && r.Every == 0:
		c.bad(at, "needs every: the time from one strike to the next")
	case even && (r.Times < 2 || r.Times > maxStrikes):
		c.bad(at+".times", "%d is out of range; 2 to %d", r.Times, maxStrikes)
	case even && (r.Every.D() < 100*time.Millisecond || r.Every.D() > 24*time.Hour):
		c.bad(at+".every", "%v is out of range; 100ms to 24h", r.Every.D())
	case chance && r.Rate == 0:
		c.bad(at, "needs rate: how often it strikes; for example 2/m")
	case chance && r.Within == 0:
		c.bad(at, "needs within: for how long strikes are drawn")
	case r.Within.D() > maxFor:
		c.bad(at+".within", "%v is out of range; at most %v", r.Within.D(), maxFor)
	case chance && f.most() > maxStrikes:
		c.bad(at+".rate", "is about %.0f strikes; at most %d", f.most(), maxStrikes)
	}
}

// when checks a condition.
func (c *checker) when(at, when string, p *Plan) {
	if when == "" {
		return
	}
	c.oneOf(at, when, WhenColdStart, WhenSaturation)
	if s := &p.Target.Sandbox; when == WhenColdStart && p.Target.Kind == "sandbox" && s.MinScale != nil && *s.MinScale > 0 {
		c.bad(at, "the sandbox never scales to zero with minScale %d: the fault would never strike", *s.MinScale)
	}
}

// phase returns the phase that the fault counts from.
func (f *Fault) phase() string {
	if f.Group != nil {
		return f.Group.Phase
	}
	return f.Phase
}

// strikes returns how often faults of a kind strike, expected where chance decides; kind "" is all.
func (p *Plan) strikes(kind string) (n float64) {
	for i := range p.Chaos {
		if f := &p.Chaos[i]; kind == "" || kind == f.Fault {
			n += f.most()
		}
	}
	return n
}

// nominal returns about when the fault strikes, counted from its phase or the load: conditions are taken to be met at once, the members before in
// a serial group not to last, and chance to be even.
func (f *Fault) nominal() []time.Duration {
	from := f.At.D()
	if f.Group != nil {
		from += f.Group.At.D()
	}
	n := max(1, int(f.most()+0.5))
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = from + f.spread()*time.Duration(i)/time.Duration(max(1, n-1))
	}
	return out
}
