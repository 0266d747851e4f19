package main

import (
	"errors"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// This file translates what a plan says of its experiment: when faults strike, and how much may be hurt.

// schedule fills in when fault i of the plan strikes, and where it stands. out are the steps before it.
func schedule(p *plan.Plan, i int, s *chaos.Step, out []chaos.Step) {
	f := &p.Chaos[i]
	s.Name, s.Number, s.Path, s.When = f.Name, p.Number(i), p.Place(i), f.When
	s.Instances, s.Share = f.Instances.N, f.Instances.Share
	if r := f.Repeat; r != nil {
		s.Repeat = &chaos.Repeat{Every: r.Every.D(), Times: r.Times, Rate: float64(r.Rate), Within: r.Within.D()}
	}
	switch g := f.Group; {
	case g == nil:
	case i > 0 && p.Chaos[i-1].Group == g:
		s.Group = out[i-1].Group
	default:
		s.Group = &chaos.Group{Serial: g.Kind == "serial", Phase: g.Phase, At: g.At.D(), When: g.When}
	}
}

// blast returns how much the plan's faults may hurt at once.
func blast(p *plan.Plan) chaos.Limits {
	if p.Limits == nil {
		return chaos.Limits{}
	}
	return chaos.Limits{Instances: p.Limits.Instances, Share: float64(p.Limits.Share), Faults: p.Limits.Faults}
}

// checkFaults returns what is wrong with the plan's faults.
func checkFaults(p *plan.Plan) error {
	list := steps(p)
	return errors.Join(placed(p, chaos.Check("chaos", list)), placed(p, blast(p).Check("chaos", list)))
}

// placed gives each complaint of the parts, of those that are joined, its place in the plan's file.
func placed(p *plan.Plan, err error) error {
	var w *chaos.Wrong
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, one := range many.Unwrap() {
			out = append(out, placed(p, one))
		}
		return errors.Join(out...)
	}
	if errors.As(err, &w) {
		return p.WrongAt(w.Path, w.Msg)
	}
	return err
}

// previewFaults says in lines what the plan's faults will do, and what keeps them small.
func previewFaults(p *plan.Plan) []string {
	lines := append(chaos.Preview(steps(p)), ofServer(p)...)
	if text := blast(p).String(); text != "" {
		lines = append(lines, "limits: "+text)
	}
	return append(lines, previewHypotheses(p)...)
}
