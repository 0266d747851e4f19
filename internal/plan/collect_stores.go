package plan

import (
	"fmt"
	"time"
)

// Loki is a Grafana Loki that holds logs of engines.
type Loki struct {
	URL      string   `yaml:"url" json:"url" jsonschema:"description=Address of the Loki: what stands before /loki."`
	Query    string   `yaml:"query" json:"query" jsonschema:"description=LogQL that chooses the lines of the engines such as {app=\"vllm\"}."`
	Token    *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is that the store wants."`
	Tenant   string   `yaml:"tenant" json:"tenant,omitempty" jsonschema:"description=Tenant of a Loki that has several."`
	Instance string   `yaml:"instance" json:"instance,omitempty" jsonschema:"description=Instance that writes all lines. Default: the pod that their labels tell."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between two looks. Default 5s."`
	Wait     Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How late a line may come to the store. Default 10s."`
}

// Elasticsearch is an Elasticsearch or OpenSearch that holds logs of engines.
type Elasticsearch struct {
	URL      string   `yaml:"url" json:"url" jsonschema:"description=Address of the server: what stands before the index."`
	Index    string   `yaml:"index" json:"index" jsonschema:"description=Index or alias or data stream or pattern of them. Its documents have @timestamp."`
	Query    string   `yaml:"query" json:"query,omitempty" jsonschema:"description=Query string that chooses the lines of the engines such as kubernetes.pod_name:vllm*. Default all."`
	Token    *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the bearer token is that the store wants. One that names its scheme as ApiKey BASE64 does is shown as it is."`
	Instance string   `yaml:"instance" json:"instance,omitempty" jsonschema:"description=Instance that writes all lines. Default: the pod that their fields tell."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between two looks. Default 5s."`
	Wait     Duration `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How late a line may come to the store. Default 10s."`
}

const (
	logStoreInterval = 5 * time.Second
	logStoreWait     = 10 * time.Second
)

func (p *Plan) logStoreDefaults() {
	for i := range p.Collect.Loki {
		l := &p.Collect.Loki[i]
		orElse(&l.Interval, Duration(logStoreInterval))
		orElse(&l.Wait, Duration(logStoreWait))
	}
	for i := range p.Collect.Elasticsearch {
		e := &p.Collect.Elasticsearch[i]
		orElse(&e.Interval, Duration(logStoreInterval))
		orElse(&e.Wait, Duration(logStoreWait))
	}
}

// logStores tests the stores that logs are followed in.
func (c *checker) logStores(p *Plan) {
	one := func(at, url string, token *Auth, interval, wait Duration) {
		if url == "" {
			c.bad(at, "needs url")
		} else {
			c.api(at+".url", url)
		}
		c.tokenRef(at+".token", token, false)
		for name, d := range map[string]Duration{".interval": interval, ".wait": wait} {
			if d.D() < time.Second || d.D() > readBackMost {
				c.bad(at+name, "%v is not between 1s and %v", d.D(), readBackMost)
			}
		}
	}
	for i, l := range p.Collect.Loki {
		at := fmt.Sprintf("collect.loki[%d]", i)
		one(at, l.URL, l.Token, l.Interval, l.Wait)
		if l.Query == "" {
			c.bad(at, `needs query; for example {app="vllm"}`)
		}
	}
	for i, e := range p.Collect.Elasticsearch {
		at := fmt.Sprintf("collect.elasticsearch[%d]", i)
		one(at, e.URL, e.Token, e.Interval, e.Wait)
		if e.Index == "" {
			c.bad(at, "needs index; for example logs-*")
		}
	}
}
