package plan

import (
	"fmt"
	"time"
)

// Tempo is a Grafana Tempo that traces are read back from after the load.
type Tempo struct {
	URL    string   `yaml:"url" json:"url" jsonschema:"description=Address of the Tempo: what stands before /api."`
	Token  *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is that the store wants."`
	Tenant string   `yaml:"tenant" json:"tenant,omitempty" jsonschema:"description=Tenant of a Tempo that has several."`
	Query  string   `yaml:"query" json:"query,omitempty" jsonschema:"description=TraceQL that chooses other traces of the load's window to read too such as those of cold starts. Those of our own requests are always read."`
	Wait   Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How long to wait for traces that are late. Default 30s."`
}

// Jaeger is a Jaeger query service that traces are read back from after the load.
type Jaeger struct {
	URL      string   `yaml:"url" json:"url" jsonschema:"description=Address of the query service: what stands before /api."`
	Token    *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is that the store wants."`
	Services []string `yaml:"services" json:"services,omitempty" jsonschema:"description=Services whose other traces of the load's window are read too. Those of our own requests are always read."`
	Wait     Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How long to wait for traces that are late. Default 30s."`
}

const (
	readBackWait = 30 * time.Second
	readBackMost = 10 * time.Minute
)

func (p *Plan) readBackDefaults() {
	for i := range p.Collect.Tempo {
		orElse(&p.Collect.Tempo[i].Wait, Duration(readBackWait))
	}
	for i := range p.Collect.Jaeger {
		orElse(&p.Collect.Jaeger[i].Wait, Duration(readBackWait))
	}
}

// readBack tests the stores that traces are read back from.
func (c *checker) readBack(p *Plan) {
	one := func(at, url string, token *Auth, wait Duration) {
		if url == "" {
			c.bad(at, "needs url")
		} else {
			c.api(at+".url", url)
		}
		c.tokenRef(at+".token", token, false)
		if d := wait.D(); d < time.Second || d > readBackMost {
			c.bad(at+".wait", "%v is not between 1s and %v", d, readBackMost)
		}
	}
	for i, t := range p.Collect.Tempo {
		one(fmt.Sprintf("collect.tempo[%d]", i), t.URL, t.Token, t.Wait)
	}
	for i, j := range p.Collect.Jaeger {
		one(fmt.Sprintf("collect.jaeger[%d]", i), j.URL, j.Token, j.Wait)
	}
}
