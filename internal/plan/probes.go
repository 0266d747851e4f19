package plan

import (
	"strings"
	"time"
)

// Probes are the looks at what the target says of itself, each with an availability of its own.
type Probes struct {
	Live     string   `yaml:"live" json:"live,omitempty" jsonschema:"description=URL of the liveness probe; or a path such as /health on the target."`
	Ready    string   `yaml:"ready" json:"ready,omitempty" jsonschema:"description=URL of the readiness probe; or a path such as /health/ready on the target."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=From one look to the next. Default 1s."`
	Timeout  Duration `yaml:"timeout" json:"timeout,omitempty" jsonschema:"description=Of a look; no longer than the interval. Default 1s."`
}

// Limits of probes.
const (
	leastProbe = 50 * time.Millisecond
	mostProbe  = time.Minute
)

func (p *Probes) defaults() {
	if p == nil {
		return
	}
	orElse(&p.Interval, Duration(time.Second))
	orElse(&p.Timeout, min(Duration(time.Second), p.Interval))
}

func (c *checker) probes(p *Probes, t *Target) {
	if p == nil {
		return
	}
	if p.Live == "" && p.Ready == "" {
		c.bad("collect.probes", "looks at nothing; give live or ready")
	}
	for _, u := range []struct{ name, text string }{{"live", p.Live}, {"ready", p.Ready}} {
		at := "collect.probes." + u.name
		switch {
		case u.text == "":
		case strings.HasPrefix(u.text, "/"):
			if t.URL == "" && t.Kind != "sandbox" {
				c.bad(at, "%q is a path on a target that has no URL; give a whole URL", u.text)
			}
		default:
			c.url(at, u.text)
		}
	}
	if d := p.Interval.D(); d < leastProbe || d > mostProbe {
		c.bad("collect.probes.interval", "%v is out of range; %v to %v", d, leastProbe, mostProbe)
	}
	if p.Timeout > p.Interval {
		c.bad("collect.probes.timeout", "%v is longer than the interval of %v", p.Timeout.D(), p.Interval.D())
	}
}
