package plan

import "time"

// Nginx is an nginx on this machine in front of the target.
type Nginx struct {
	Log      string   `yaml:"log" json:"log,omitempty" jsonschema:"description=Access log to follow; relative to the plan."`
	Format   string   `yaml:"format" json:"format,omitempty" jsonschema:"description=Its log_format or @FILE:NAME for that of a configuration. Default: found among those in common use."`
	Status   string   `yaml:"status" json:"status,omitempty" jsonschema:"description=URL of its stub_status page."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between looks at the page. Default 1s."`
}

// Envoy is an Envoy in front of the target.
type Envoy struct {
	Log      string   `yaml:"log" json:"log,omitempty" jsonschema:"description=Access log on this machine to follow; relative to the plan."`
	Format   string   `yaml:"format" json:"format,omitempty" jsonschema:"description=Its format or @FILE with it. Default: found among those in common use."`
	Admin    string   `yaml:"admin" json:"admin,omitempty" jsonschema:"description=URL of its admin interface."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between scrapes of the admin interface. Default 1s."`
}

// collectFront tests what watches proxies.
func (c *checker) collectFront(p *Plan) {
	if n := p.Collect.Nginx; n != nil {
		c.front("collect.nginx", n.Log, n.Format, "status", n.Status, n.Interval)
	}
	if e := p.Collect.Envoy; e != nil {
		c.front("collect.envoy", e.Log, e.Format, "admin", e.Admin, e.Interval)
	}
}

func (c *checker) front(at, log, format, page, url string, interval Duration) {
	if log == "" && url == "" {
		c.bad(at, "names nothing to watch; write log: PATH or %s: URL", page)
	}
	if format != "" && log == "" {
		c.bad(at+".format", "goes with log")
	}
	if url != "" {
		c.url(at+"."+page, url)
	}
	if interval.D() != 0 && interval.D() < 100*time.Millisecond {
		c.bad(at+".interval", "%v is too short; at least 100ms", interval.D())
	}
}
