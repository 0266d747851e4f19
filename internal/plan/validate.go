package plan

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Kinds names what the parts offer, so that a plan that asks for something else is refused before the run.
type Kinds struct {
	Faults  []FaultKind
	Metrics func(metric string) (assay.Desc, bool) // description of a metric path
	Known   []string                               // metric paths, for suggestions
}

// Validate checks the plan against what the parts offer and returns its objectives in base units. The bounds of a preset's slo take their side here,
// in the plan too: only now is it known of which metrics more is better.
func (p *Plan) Validate(k Kinds) ([]assay.Objective, error) {
	c := &checker{d: p.src}
	p.settleSuite(k.Faults)
	c.faults(p, k.Faults)
	c.assumptions(p, k.Faults)
	var out []assay.Objective
	for i := range p.Objectives {
		o := &p.Objectives[i]
		if got, ok := c.objective(o.path(i), o, p, k); ok {
			out = append(out, got)
		}
	}
	return out, c.err()
}

func (c *checker) objective(at string, o *Objective, p *Plan, k Kinds) (assay.Objective, bool) {
	in := func(key string) string {
		if o.at != "" {
			return at // a preset's slo is one setting
		}
		return at + "." + key
	}
	if o.Target != nil {
		return c.promise(at, o, p)
	}
	desc, ok := k.Metrics(o.Metric)
	if !ok {
		c.bad(in("metric"), "%q is no metric; %s", o.Metric, suggest.Meant(o.Metric, k.Known))
		return assay.Objective{}, false
	}
	if err := o.turn(desc); err != nil {
		c.bad(at, "%v", err)
		return assay.Objective{}, false
	}
	out := assay.Objective{Metric: o.Metric, Unit: desc.Unit}
	for side, v := range map[string]*Value{"max": o.Max, "min": o.Min} {
		if v == nil {
			continue
		}
		n, err := v.In(desc.Unit)
		if err != nil {
			c.bad(in(side), "%v", err)
			return out, false
		}
		if side == "max" {
			out.Max = &n
		} else {
			out.Min = &n
		}
	}
	c.test(in, o, &out)
	if o.Class != "" {
		c.class(in("class"), *o, p)
	}
	if strings.HasPrefix(o.Metric, "neighbour/") && o.By != "" {
		c.classNamed(in("by"), o.By, p)
	}
	if out.Max != nil && out.Min != nil && *out.Min > *out.Max {
		c.bad(at, "min is above max: nothing can hold")
	}
	if o.Fault != "" && !slices.ContainsFunc(p.Chaos, func(f Fault) bool { return f.Fault == o.Fault }) {
		c.bad(at+".fault", "no fault %q in chaos: nothing would decide this", o.Fault)
	}
	for _, kv := range [][2]string{{"phase", o.Phase}, {"fault", o.Fault}, {"cause", o.Cause}, {"class", o.Class}, {"cold", o.Cold}, {"by", o.By}, {"forced", map[bool]string{true: "true"}[o.Forced]}} {
		if kv[1] != "" {
			if out.Labels == nil {
				out.Labels = map[string]string{}
			}
			out.Labels[kv[0]] = kv[1]
		}
	}
	return out, true
}

// GuardLimit returns a guard's limit in base units.
func (g Guard) GuardLimit() float64 { return g.Max.Number }
