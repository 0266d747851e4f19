package plan

import (
	"fmt"
	"regexp"
	"time"
)

// CloudWatch is what is read of Amazon CloudWatch.
type CloudWatch struct {
	Function   string            `yaml:"function" json:"function,omitempty" jsonschema:"description=Lambda function whose metrics are read; short for the dimension FunctionName."`
	Region     string            `yaml:"region" json:"region,omitempty" jsonschema:"description=Default as AWS_REGION or the profile says."`
	Endpoint   string            `yaml:"endpoint" json:"endpoint,omitempty" jsonschema:"description=URL of the service. Default that of the region."`
	Namespace  string            `yaml:"namespace" json:"namespace,omitempty" jsonschema:"description=Namespace of the metrics. Default AWS/Lambda."`
	Dimensions map[string]string `yaml:"dimensions" json:"dimensions,omitempty" jsonschema:"description=Dimensions of the metrics by name."`
	Metrics    []string          `yaml:"metrics" json:"metrics,omitempty" jsonschema:"description=Metrics with their statistic such as Duration/p99. Default those of a Lambda function."`
	Period     Duration          `yaml:"period" json:"period,omitempty" jsonschema:"description=Of a datapoint. Default 1m."`
	Wait       Duration          `yaml:"wait" json:"wait,omitempty" jsonschema:"description=How long after a period its datapoint is complete. Default 2m. A run waits so long after its end."`
}

// RunPod is an endpoint of RunPod.
type RunPod struct {
	URL      string   `yaml:"url" json:"url" jsonschema:"description=URL of the endpoint such as https://api.runpod.ai/v2/ID."`
	Token    *Auth    `yaml:"token" json:"token,omitempty" jsonschema:"description=Where the API key is."`
	Jobs     string   `yaml:"jobs" json:"jobs,omitempty" jsonschema:"description=File to which your client writes the ids of its jobs; relative to the plan. How long each waited and ran is asked for until it has ended."`
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between two looks. Default 2s."`
}

func (p *Plan) cloudDefaults() {
	for i := range p.Collect.CloudWatch {
		c := &p.Collect.CloudWatch[i]
		orElse(&c.Period, Duration(time.Minute))
		orElse(&c.Wait, Duration(2*time.Minute))
	}
	for i := range p.Collect.RunPod {
		orElse(&p.Collect.RunPod[i].Interval, Duration(2*time.Second))
	}
}

var cloudMetric = regexp.MustCompile(`^[^/]{1,255}/[A-Za-z][A-Za-z0-9.(:%)]{0,40}$`)

// clouds tests what is read of platforms.
func (c *checker) clouds(p *Plan) {
	for i, w := range p.Collect.CloudWatch {
		at := fmt.Sprintf("collect.cloudwatch[%d]", i)
		if w.Endpoint != "" {
			c.url(at+".endpoint", w.Endpoint)
		}
		lambda := w.Namespace == "" || w.Namespace == "AWS/Lambda"
		switch {
		case w.Function != "" && (!lambda || w.Dimensions["FunctionName"] != ""):
			c.bad(at+".function", "goes with the namespace AWS/Lambda, and without the dimension FunctionName")
		case w.Function == "" && len(w.Dimensions) == 0:
			c.bad(at, "names nothing to read; write function: NAME, or dimensions")
		case !lambda && len(w.Metrics) == 0:
			c.bad(at, "needs metrics for the namespace %s; for example [Invocations/Sum]", w.Namespace)
		}
		if len(w.Metrics) > 100 || len(w.Dimensions) > 30 {
			c.bad(at, "has %d metrics and %d dimensions; at most 100 and 30", len(w.Metrics), len(w.Dimensions))
		}
		for j, m := range w.Metrics {
			if !cloudMetric.MatchString(m) {
				c.bad(fmt.Sprintf("%s.metrics[%d]", at, j), "%q is no metric with its statistic; for example Duration/Average or Duration/p99", m)
			}
		}
		if d := w.Period.D(); d < time.Second || d > time.Hour || d%time.Second != 0 {
			c.bad(at+".period", "%v is not a number of seconds between 1s and 1h", d)
		}
		if d := w.Wait.D(); d < time.Second || d > readBackMost {
			c.bad(at+".wait", "%v is not between 1s and %v", d, readBackMost)
		}
	}
	for i, r := range p.Collect.RunPod {
		at := fmt.Sprintf("collect.runpod[%d]", i)
		if r.URL == "" {
			c.bad(at, "needs url; for example https://api.runpod.ai/v2/ID")
		} else {
			c.url(at+".url", r.URL)
		}
		c.tokenRef(at+".token", r.Token, false)
		if d := r.Interval.D(); d < 500*time.Millisecond || d > readBackMost {
			c.bad(at+".interval", "%v is not between 500ms and %v", d, readBackMost)
		}
	}
}
