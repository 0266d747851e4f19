package plan

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/live"
)

// Hypothesis is one thing that holds while all is well. It must hold before the first fault, or none is injected, and again after each. One of metric,
// promql and probe is given.
type Hypothesis struct {
	Name   string   `yaml:"name" json:"name,omitempty" jsonschema:"description=What reports call it. Default: what is looked at and its limit."`
	Metric string   `yaml:"metric" json:"metric,omitempty" jsonschema:"description=Of our own requests: ttft/pNN and e2e/pNN and error_ratio and canary_ratio; tokens/delivered (of those promised) and rate (served per second)."`
	Over   Duration `yaml:"over" json:"over,omitempty" jsonschema:"description=For metric: window it is computed over. Default 10s."`

	PromQL     string `yaml:"promql" json:"promql,omitempty" jsonschema:"description=Expression on your own metrics that gives one number; in place of metric."`
	Prometheus string `yaml:"prometheus" json:"prometheus,omitempty" jsonschema:"description=For promql: URL of the server that is asked."`
	Token      *Auth  `yaml:"token" json:"token,omitempty" jsonschema:"description=For promql: where the bearer token is."`

	Max *Value `yaml:"max" json:"max,omitempty" jsonschema:"description=Highest value that is well."`
	Min *Value `yaml:"min" json:"min,omitempty" jsonschema:"description=Lowest value that is well."`

	Probe *Probe `yaml:"probe" json:"probe,omitempty" jsonschema:"description=A GET that must be answered well; in place of metric."`

	After Duration `yaml:"after" json:"after,omitempty" jsonschema:"description=How long after a fault is clear it must hold again. Default 15s."`
}

// Probe is a GET and what a good answer is.
type Probe struct {
	URL      string   `yaml:"url" json:"url" jsonschema:"description=What is asked; a path such as /health is asked of the target."`
	Status   int      `yaml:"status" json:"status,omitempty" jsonschema:"minimum=200,maximum=599,description=Status that is well. Default any of 2xx."`
	Contains string   `yaml:"contains" json:"contains,omitempty" jsonschema:"description=Text that the answer holds."`
	Within   Duration `yaml:"within" json:"within,omitempty" jsonschema:"description=How long the whole answer may take. Default 5s."`
}

const hypothesisAfter = 15 * time.Second

func (p *Plan) hypothesisDefaults() {
	for i := range p.Hypothesis {
		h := &p.Hypothesis[i]
		if h.Metric != "" {
			orElse(&h.Over, Duration(10*time.Second))
		}
		if h.Probe != nil {
			orElse(&h.Probe.Within, Duration(5*time.Second))
		}
		orElse(&h.After, Duration(hypothesisAfter))
		orElse(&h.Name, h.title())
	}
}

// title says what is looked at and its limit.
func (h *Hypothesis) title() string {
	what := h.Metric + h.PromQL
	if h.Probe != nil {
		what = "GET " + h.Probe.URL
		if u, err := url.Parse(h.Probe.URL); err == nil && u.RawQuery != "" {
			u.RawQuery = ""
			what = "GET " + u.Redacted() + "?…"
		}
	}
	if r := []rune(what); len(r) > 60 {
		what = string(r[:59]) + "…"
	}
	if h.Min != nil {
		what += " ≥ " + h.Min.text
	}
	if h.Max != nil {
		what += " ≤ " + h.Max.text
	}
	return what
}

// hypothesis checks what must hold.
func (c *checker) hypothesis(p *Plan) {
	if len(p.Hypothesis) > 0 && len(p.Chaos) == 0 && p.Suite == nil {
		c.bad("hypothesis", "is looked at around faults, and the plan has none; ask for objectives instead")
	}
	taken := map[string]bool{}
	for i := range p.Hypothesis {
		h := &p.Hypothesis[i]
		at := fmt.Sprintf("hypothesis[%d]", i)
		if taken[h.Name] {
			c.bad(at+".name", "%q is the name of an earlier one", h.Name)
		}
		taken[h.Name] = true
		if len(h.Name) > 200 || strings.ContainsFunc(h.Name, func(r rune) bool { return r < ' ' }) {
			c.bad(at+".name", "is no name of one line; want at most 200 bytes")
		}
		if h.After.D() < time.Second || h.After.D() > time.Hour {
			c.bad(at+".after", "%v is out of range; 1s to 1h", h.After.D())
		}
		ways := 0
		for _, is := range []bool{h.Metric != "", h.PromQL != "", h.Probe != nil} {
			if is {
				ways++
			}
		}
		if ways != 1 {
			c.bad(at, "needs exactly one of metric, promql and probe")
			continue
		}
		for name, of := range map[string]struct{ set, allowed bool }{
			"over": {h.Over != 0, h.Metric != ""}, "prometheus": {h.Prometheus != "", h.PromQL != ""}, "token": {h.Token != nil, h.PromQL != ""},
			"max": {h.Max != nil, h.Probe == nil}, "min": {h.Min != nil, h.Probe == nil},
		} {
			if of.set && !of.allowed {
				c.bad(at+"."+name, "does not belong to it; leave it out")
			}
		}
		if h.Probe != nil {
			c.probe(at+".probe", h.Probe, p)
			continue
		}
		if h.Max == nil && h.Min == nil {
			c.bad(at, "has no limit; give max or min")
		}
		if h.Max != nil && h.Min != nil && h.Min.Number > h.Max.Number {
			c.bad(at+".min", "is above max: nothing can hold")
		}
		if h.PromQL != "" {
			if h.Prometheus == "" {
				c.bad(at, "needs prometheus: the URL of the server that is asked")
			} else {
				c.api(at+".prometheus", h.Prometheus)
			}
			c.tokenRef(at+".token", h.Token, false)
			continue
		}
		c.measure(at, h, p)
	}
}

// measure checks a hypothesis on our own requests.
func (c *checker) measure(at string, h *Hypothesis, p *Plan) {
	unit, err := live.UnitOf(h.Metric)
	if err != nil {
		c.bad(at+".metric", "%v", err)
		return
	}
	for side, v := range map[string]*Value{"max": h.Max, "min": h.Min} {
		if v != nil {
			if _, err := v.In(unit); err != nil {
				c.bad(at+"."+side, "%v", err)
			}
		}
	}
	switch {
	case h.Metric == "canary_ratio" && p.Canary == nil:
		c.bad(at+".metric", "canary_ratio needs a canary; the plan has none")
	case (h.Metric == "tokens/delivered" || strings.HasPrefix(h.Metric, "ttft/")) && !p.Target.Tokens():
		c.bad(at+".metric", "what this target of kind %s is asked knows no tokens; look at e2e", p.Target.Kind)
	}
	if h.Over.D() < time.Second || h.Over.D() > 10*time.Minute {
		c.bad(at+".over", "%v is out of range; 1s to 10m", h.Over.D())
	}
	if h.After < h.Over {
		c.bad(at+".after", "%v is shorter than over, %v: requests under the fault would be held against what came after it", h.After.D(), h.Over.D())
	}
}

// probe checks a GET.
func (c *checker) probe(at string, b *Probe, p *Plan) {
	switch {
	case b.URL == "":
		c.bad(at, "needs url")
	case strings.HasPrefix(b.URL, "/"):
		if p.Target.Kind == "lambda" || p.Target.Kind == "sagemaker" || p.Target.Kind == "openinference-grpc" {
			c.bad(at+".url", "a target of kind %s has no paths to ask; give a whole URL", p.Target.Kind)
		} else if _, err := url.Parse(b.URL); err != nil {
			c.bad(at+".url", "%q is no path; write for example /health", redact(b.URL))
		}
	default:
		c.url(at+".url", b.URL)
	}
	if b.Status != 0 && (b.Status < 200 || b.Status > 599) {
		c.bad(at+".status", "%d is out of range; 200 to 599", b.Status)
	}
	if b.Within.D() < 10*time.Millisecond || b.Within.D() > time.Minute {
		c.bad(at+".within", "%v is out of range; 10ms to 1m", b.Within.D())
	}
}

// Limits returns the limits of a hypothesis in the metric's base unit; nil for a side without one.
func (h *Hypothesis) Limits() (lowest, highest *float64) {
	in := func(v *Value) *float64 {
		if v == nil {
			return nil
		}
		n := v.Number
		if unit, err := live.UnitOf(h.Metric); err == nil && h.Metric != "" {
			n, _ = v.In(unit)
		}
		return &n
	}
	return in(h.Min), in(h.Max)
}

// withoutHypothesisTokens returns the hypotheses without where their tokens are.
func withoutHypothesisTokens(list []Hypothesis) []Hypothesis {
	var out []Hypothesis
	for _, h := range list {
		h.Token = nil
		out = append(out, h)
	}
	return out
}
