package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// Guard ends the run when what it watches crosses its limit, or cannot be seen any more. One of metric, burn and promql is given.
type Guard struct {
	Metric     string   `yaml:"metric" json:"metric,omitempty" jsonschema:"enum=error_ratio,enum=canary_ratio,enum=ttft/p95,enum=e2e/p95,description=What is watched; from our own requests."`
	Burn       *Burn    `yaml:"burn" json:"burn,omitempty" jsonschema:"description=How fast our own requests use up an error budget; in place of metric."`
	PromQL     string   `yaml:"promql" json:"promql,omitempty" jsonschema:"description=Expression on your own metrics that gives one number; in place of metric. It is asked before the run and each 2s."`
	Prometheus string   `yaml:"prometheus" json:"prometheus,omitempty" jsonschema:"description=For promql: URL of the server that is asked."`
	Token      *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=For promql: where the bearer token is."`
	Over       Duration `yaml:"over" json:"over,omitempty" jsonschema:"description=metric: window it is computed over. Default 10s. promql: for how long every answer must be beyond the limit. Default: the first counts."`
	Max        *Value   `yaml:"max" json:"max,omitempty" jsonschema:"description=Limit."`
	Min        *Value   `yaml:"min" json:"min,omitempty" jsonschema:"description=For promql: lower limit."`
	NoData     Duration `yaml:"noData" json:"noData,omitempty" jsonschema:"description=How long there may be no data before it counts as a breach. Default 30s. Of our own requests the shortest of all guards counts."`
}

// Burn is a multiwindow burn rate: how many times faster than allowed an error budget is used up. It is crossed when it is above the rate in both
// windows: the long one says that it matters, the short one that it still goes on.
type Burn struct {
	Objective *Value   `yaml:"objective" json:"objective" jsonschema:"description=Share of requests that must be served; for example 99.9%."`
	Rate      float64  `yaml:"rate" json:"rate,omitempty" jsonschema:"description=Limit of the burn rate. Default 14.4."`
	Over      Duration `yaml:"over" json:"over,omitempty" jsonschema:"description=Long window. Default 60s."`
	Short     Duration `yaml:"short" json:"short,omitempty" jsonschema:"description=Short window. Default a twelfth of over."`
}

// guardDefaults fills in what guards leave open.
func (p *Plan) guardDefaults() {
	for i := range p.Guards {
		g := &p.Guards[i]
		if g.Metric != "" {
			orElse(&g.Over, Duration(10*time.Second))
		}
		if b := g.Burn; b != nil {
			orElse(&b.Rate, 14.4)
			orElse(&b.Over, Duration(time.Minute))
			orElse(&b.Short, b.Over/12)
		}
	}
}

// guards checks the guards.
func (c *checker) guards(p *Plan) {
	for i := range p.Guards {
		g, at := &p.Guards[i], fmt.Sprintf("guards[%d]", i)
		given := 0
		for _, is := range []bool{g.Metric != "", g.Burn != nil, g.PromQL != ""} {
			if is {
				given++
			}
		}
		if given != 1 {
			c.bad(at, "needs exactly one of metric, burn and promql")
			continue
		}
		if d := g.NoData.D(); d != 0 && (d < 5*time.Second || d > time.Hour) {
			c.bad(at+".noData", "%v is out of range; 5s to 1h", d)
		}
		if g.PromQL == "" {
			for name, set := range map[string]bool{"prometheus": g.Prometheus != "", "token": g.Token != nil, "min": g.Min != nil} {
				if set {
					c.bad(at+"."+name, "belongs to promql; leave it out")
				}
			}
		}
		switch {
		case g.Metric != "":
			c.metricGuard(at, g)
		case g.Burn != nil:
			c.burn(at, g)
		default:
			c.promqlGuard(at, g)
		}
	}
}

func (c *checker) metricGuard(at string, g *Guard) {
	unit := assay.Seconds
	switch g.Metric {
	case "error_ratio", "canary_ratio":
		unit = assay.Ratio
	case "ttft/p95", "e2e/p95":
	default:
		c.oneOf(at+".metric", g.Metric, "error_ratio", "canary_ratio", "ttft/p95", "e2e/p95")
		return
	}
	if g.Max == nil {
		c.bad(at, "has no limit; give max")
	} else if v, err := g.Max.In(unit); err != nil {
		c.bad(at+".max", "%v", err)
	} else if unit == assay.Ratio && !(v > 0 && v < 1) {
		c.bad(at+".max", "%.4g%% would end the run at the first failure, or never; more than 0%% and less than 100%%", 100*v)
	} else if !(v > 0) {
		c.bad(at+".max", "%s is crossed by every answer; more than 0s", g.Max.text)
	}
	if g.Over.D() < time.Second {
		c.bad(at+".over", "%v is too short to judge by; at least 1s", g.Over.D())
	}
}

func (c *checker) burn(at string, g *Guard) {
	b := g.Burn
	for name, set := range map[string]bool{"over": g.Over != 0, "max": g.Max != nil} {
		if set {
			c.bad(at+"."+name, "burn has its own over and rate; leave it out")
		}
	}
	at += ".burn"
	objective := 0.0
	if b.Objective == nil {
		c.bad(at, "needs objective: the share of requests that must be served; for example 99.9%%")
	} else if v, err := b.Objective.In(assay.Ratio); err != nil {
		c.bad(at+".objective", "%v", err)
	} else if !(v > 0 && v < 1) {
		c.bad(at+".objective", "%g leaves no budget, or nothing but one; more than 0%% and less than 100%%", v)
	} else {
		objective = v
	}
	if most := 1 / (1 - objective); b.Rate < 1 || objective > 0 && b.Rate >= most*(1-1e-9) {
		c.bad(at+".rate", "%g can never be crossed, or always; 1 to below %.4g, at which every request fails", b.Rate, most)
	}
	if b.Over.D() < 5*time.Second || b.Over.D() > time.Hour {
		c.bad(at+".over", "%v is out of range; 5s to 1h", b.Over.D())
	}
	if b.Short.D() < 100*time.Millisecond || b.Short >= b.Over {
		c.bad(at+".short", "%v is not a window shorter than %v", b.Short.D(), b.Over.D())
	}
}

func (c *checker) promqlGuard(at string, g *Guard) {
	if g.Prometheus == "" {
		c.bad(at, "needs prometheus: the URL of the server that is asked")
	} else {
		c.api(at+".prometheus", g.Prometheus)
	}
	if g.Max == nil && g.Min == nil {
		c.bad(at, "has no limit; give max or min")
	}
	if g.Max != nil && g.Min != nil && g.Min.Number > g.Max.Number {
		c.bad(at+".min", "is above max")
	}
	if g.Over.D() > time.Hour {
		c.bad(at+".over", "%v is out of range; at most 1h", g.Over.D())
	}
	c.tokenRef(at+".token", g.Token, false)
}

// tokenRef checks where a token of ours is.
func (c *checker) tokenRef(at string, a *Auth, needed bool) {
	switch {
	case a == nil && needed:
		c.bad(at, "is missing; give env or file")
	case a != nil && (a.Env == "") == (a.File == ""):
		c.bad(at, "needs exactly one of env and file")
	}
}

// withoutTokens returns the guards without where their tokens are.
func withoutTokens(guards []Guard) []Guard {
	out := slices.Clone(guards)
	for i := range out {
		out[i].Token = nil
	}
	return out
}
