package main

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay/collectors/probes"
)

// clockDoubt is from where on a clock that stands beside ours makes what it stamps doubtful.
const clockDoubt = 2 * time.Second

// examineClocks says how the clocks of the stores and platforms that are read stand to ours. Those of metrics and probes are told with them. One that does not
// answer is told of where it is looked at.
func examineClocks(ctx context.Context, p *patient) {
	client := probes.Client(2 * time.Second)
	defer client.CloseIdleConnections()
	for _, s := range p.timeTellers() {
		var offset, within time.Duration
		if soon(ctx, func(ctx context.Context) (err error) {
			offset, within, err = clockOf(ctx, client, s.url, "")
			return err
		}) != nil {
			continue
		}
		text := s.at + ": " + offsetText(offset, within, nil)
		if offset.Abs() > clockDoubt+within {
			p.add(doubt, "keep both clocks by the same servers of time: what is stamped there lies beside what the client saw", "%s", text)
			continue
		}
		p.ok("%s", text)
	}
}

// A timeTeller is a source whose answers tell its time.
type timeTeller struct{ at, url string }

func (p *patient) timeTellers() (out []timeTeller) {
	c := &p.plan.Collect
	add := func(kind string, i int, url string) {
		if url != "" {
			out = append(out, timeTeller{fmt.Sprintf("collect.%s[%d]", kind, i), url})
		}
	}
	for i := range c.Loki {
		add("loki", i, c.Loki[i].URL)
	}
	for i := range c.Elasticsearch {
		add("elasticsearch", i, c.Elasticsearch[i].URL)
	}
	for i := range c.Tempo {
		add("tempo", i, c.Tempo[i].URL)
	}
	for i := range c.Jaeger {
		add("jaeger", i, c.Jaeger[i].URL)
	}
	for i := range c.CloudWatch {
		add("cloudwatch", i, c.CloudWatch[i].Endpoint)
	}
	for i := range c.RunPod {
		add("runpod", i, c.RunPod[i].URL)
	}
	if n := c.Nginx; n != nil && n.Status != "" {
		out = append(out, timeTeller{"collect.nginx", n.Status})
	}
	if e := c.Envoy; e != nil && e.Admin != "" {
		out = append(out, timeTeller{"collect.envoy", statsOf(e.Admin)})
	}
	return out
}
