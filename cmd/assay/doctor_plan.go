package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// examinePlan says what is wrong with the plan itself.
func examinePlan(_ context.Context, p *patient) {
	p.try(bare(p.refused), wrong, "", "%s is valid", p.path)
}

func examineTarget(ctx context.Context, p *patient) {
	t := &p.plan.Target
	if t.URL == "" {
		c, err := deployment(p.plan)
		if err == nil {
			err = writable(nearest(c.WeightsDir))
		}
		p.try(err, wrong, "", "%s, which the run starts itself", targetName(p.plan))
		return
	}
	via, err := proxy(t.Proxy)
	if err == nil {
		err = reachable(ctx, t.URL, via)
	}
	p.try(err, wrong, "start it, or correct target.url and target.proxy", "%s takes connections; nothing was sent", targetName(p.plan))
}

// examineCredentials fetches each credential that the plan names. None is shown.
func examineCredentials(ctx context.Context, p *patient) {
	src, err := credentialSource(p.plan)
	switch {
	case err != nil:
		p.add(wrong, "", "%v", err)
	case src == nil:
		p.ok("target.auth names none")
	default:
		err := soon(ctx, func(ctx context.Context) error {
			_, err := src.Fetch(ctx)
			return err
		})
		if err != nil {
			err = fmt.Errorf("target.auth: %w", explained(err))
		}
		p.try(err, wrong, "", "target.auth: found, and not shown")
	}
	if o := p.plan.Collect.OTLP; o != nil && (o.Token.Env != "" || o.Token.File != "") {
		_, err := readToken("collect.otlp.token", plan.Auth{Env: o.Token.Env, File: p.plan.Path(o.Token.File)})
		p.try(err, wrong, "", "collect.otlp.token: found, and not shown")
	}
	if err := p.makeHooks(); err != nil || len(p.hooks) > 0 {
		p.try(err, wrong, "", "notify: %d will be told", len(p.hooks))
	}
	p.hooks = nil // they were not begun
	if stop := p.plan.Stop; stop != nil {
		err := p.stopAhead()
		if stop.HTTP != nil && err == nil {
			_, err = readToken("stop.http.token", plan.Auth{Env: stop.HTTP.Token.Env, File: p.plan.Path(stop.HTTP.Token.File)})
		}
		p.try(err, wrong, "", "stop: will be heeded")
	}
}

// examineDeployment connects to what stands behind the target and has the drivers check what the plan's faults will do to it, as before a run.
func examineDeployment(ctx context.Context, p *patient) {
	d := p.plan.Target.Deployment
	if d == nil {
		return
	}
	if d.Process != nil {
		proc, command, err := processServer(p.plan).Victim(ctx)
		if err != nil {
			err = fmt.Errorf("target.deployment.process: %w", err)
		}
		p.try(err, wrong, "", "may be hurt: pid %d, %s", proc.PID, command)
	}
	asked := map[string]bool{}
	for _, f := range p.plan.Chaos {
		if by := f.By; by != "" && by != chaos.ByLocal && by != chaos.ByWire && !asked[by] {
			asked[by] = true
			_, err := p.driver(ctx, by)
			p.try(err, wrong, "", "driver %s: reached, with the rights that the plan's faults need", by)
		}
	}
	if len(asked) == 0 && (d.Kubernetes != nil || d.Lambda != nil) {
		p.ok("no fault of the plan touches it, so it was not asked")
	}
}

// examineGuards asks what the guards and the hypothesis ask, once.
func examineGuards(ctx context.Context, p *patient) {
	n := 0
	for _, g := range p.plan.Guards {
		if g.PromQL != "" {
			n++
		}
	}
	if n > 0 {
		p.try(p.lookAhead(ctx), wrong, "", "%d guards on your own metrics have data and are within their limits", n)
	}
	e, err := endpoint(p.plan, p.clock)
	if err != nil {
		return // said of the plan
	}
	if p.plan.Target.Kind == "sandbox" && e.URL == "" {
		e.URL = "http://127.0.0.1"
	}
	hypotheses, err := p.hypotheses(&e)
	if err != nil {
		p.add(wrong, "", "%v", err)
		return
	}
	for i, h := range hypotheses {
		if !h.Asks || p.plan.Hypothesis[i].Probe != nil && p.plan.Target.URL == "" {
			continue // there are no requests yet, or nobody to ask
		}
		asking, cancel := context.WithTimeout(ctx, lookLimit)
		look := h.Look(asking)
		cancel()
		if look.Holds == chaos.Holds {
			p.ok("hypothesis %s: %s", h.Name, look.Text)
		} else {
			p.add(doubt, "no fault is injected while it does not hold", "hypothesis %s: %s", h.Name, look.Text)
		}
	}
}

// answers asks a URL for its page.
func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}, Timeout: 5 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d", url, res.StatusCode)
	}
	return nil
}

// examineK6 finds k6 and has it read the plan's scripts.
func examineK6(ctx context.Context, p *patient) {
	for _, l := range p.plan.Load {
		if l.K6 != "" {
			p.try(bare(p.prepareK6(ctx)), wrong, "", "assay-k6 reads the plan's scripts")
			return
		}
	}
}
