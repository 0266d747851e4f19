package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/suggest"
)

// Assumption says how often a kind of failure strikes in operation. It comes from the field: how often the plan injects a fault says nothing of it.
type Assumption struct {
	Fault string   `yaml:"fault" json:"fault" jsonschema:"description=Kind of fault that stands for the failure."`
	Every Duration `yaml:"every" json:"every" jsonschema:"description=Mean time from one to the next in operation; of the whole service."`
}

// assumptions tests them against the kinds of faults that there are.
func (c *checker) assumptions(p *Plan, kinds []FaultKind) {
	var known []string
	for _, k := range kinds {
		known = append(known, k.Name)
	}
	for i, a := range p.Assume {
		at := fmt.Sprintf("assume[%d]", i)
		if !slices.Contains(known, a.Fault) {
			c.bad(at+".fault", "%q is no fault; %s", a.Fault, suggest.Meant(a.Fault, known))
		}
		if slices.ContainsFunc(p.Assume[:i], func(b Assumption) bool { return b.Fault == a.Fault }) {
			c.bad(at+".fault", "%q is assumed twice", a.Fault)
		}
		if a.Every.D() < time.Second {
			c.bad(at+".every", "%v between failures; want at least 1s, such as 720h", a.Every.D())
		}
	}
}

// Assumed returns the assumptions for the manifest of a run.
func (p *Plan) Assumed() (out []assay.Assumption) {
	for _, a := range p.Assume {
		out = append(out, assay.Assumption{Fault: a.Fault, Every: int64(a.Every.D())})
	}
	return out
}
