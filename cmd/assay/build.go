package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/loadgen"
)

// This file translates a plan into the settings of the parts.

// steps returns the faults of a plan.
func steps(p *plan.Plan) []chaos.Step {
	var out []chaos.Step
	for i, f := range p.Chaos {
		s := chaos.Step{Fault: f.Fault, By: f.By, Phase: f.Phase, At: f.At.D(), For: f.For.D(), Mode: f.Mode,
			Rate: int64(f.Rate), Bytes: int64(f.Bytes), CPUs: f.CPUs, Dir: f.Dir, Keep: int64(f.Keep), Status: f.Status, RetryAfter: f.RetryAfter.D(), Tokens: f.Tokens, After: f.After, First: f.First, Every: f.Every, Probability: float64(f.Probability), Seed: p.Seed}
		if f.Delay != nil {
			s.Delay = f.Delay.D()
		}
		if f.Jitter != nil {
			s.Jitter = f.Jitter.D()
		}
		local(&s, &f)
		experiment(p, &s, &f)
		namesAndGPUs(&s, &f)
		meshStep(&s, p, f)
		schedule(p, i, &s, out)
		s.Change = change(p, &f)
		out = append(out, s)
	}
	return out
}

// deployment returns the sandbox that a plan asks for.
func deployment(p *plan.Plan) (sandbox.Config, error) {
	c := sandbox.Defaults()
	c.Seed = p.Seed
	t := p.Target.Sandbox
	if t.Dial != "" {
		d, ok := dialNamed(t.Dial)
		if !ok {
			return c, fmt.Errorf("target.sandbox.dial: the sandbox has no dial %q", t.Dial)
		}
		c = d.Config
		c.Seed = p.Seed
	}
	if p.Target.Model != "" && t.Dial == "" {
		c.Model = p.Target.Model
	}
	c.Kind, c.Scheduling, c.WeightsHost = t.Kind, t.Scheduling, t.WeightsHost
	for _, x := range t.Tenants {
		c.Tenants = append(c.Tenants, sandbox.Tenant{Name: x.Name, Priority: x.Priority, Share: x.Share, QueueLimit: x.QueueLimit})
	}
	setTime(&c.BatchWindow, t.BatchWindow)
	if t.BatchWindow != nil && c.BatchWindow == 0 {
		c.BatchWindow = -1 // the sandbox's word for none
	}
	set(&c.Threads, t.Threads)
	set(&c.MaxSeqs, t.MaxSeqs)
	set(&c.KVTokens, t.KVTokens)
	set(&c.ConcurrencyLimit, t.ConcurrencyLimit)
	set(&c.Target, t.TargetConc)
	set(&c.MinScale, t.MinScale)
	set(&c.MaxScale, t.MaxScale)
	setTime(&c.StepOverhead, t.StepOverhead)
	setTime(&c.LoadFloor, t.LoadFloor)
	setTime(&c.Retrieval, t.RetrievalDelay)
	setTime(&c.HopDelay, t.HopDelay)
	setTime(&c.StableWindow, t.StableWindow)
	setTime(&c.Grace, t.Grace)
	setTime(&c.ProbePeriod, t.ProbePeriod)
	if t.LoadRate != nil {
		c.LoadRate = int64(*t.LoadRate)
	}
	c.ActivationScale = min(c.ActivationScale, c.MaxScale)
	c.InitialScale = min(max(c.InitialScale, c.MinScale), c.MaxScale)
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("target.sandbox: %w", err)
	}
	return c, nil
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

func setTime(dst *time.Duration, v *plan.Duration) {
	if v != nil {
		*dst = v.D()
	}
}

// gentle is the plan of `run --url`: a ramp on an endpoint that must not be hurt.
func gentle(url, host, kind, model, tokenEnv string, slo map[string]float64) (*plan.Plan, error) {
	if len(slo) == 0 {
		return nil, exit(assay.ExitUsage, "--slo: say what must hold, for example --slo ttft/p95=2s")
	}
	yaml := fmt.Sprintf("apiVersion: assay/v1\nname: gentle\ntarget: {kind: %s, url: %q, host: %q, model: %q, auth: {env: %q}}\n"+
		"load: [{name: ramp, for: 1s}]\nbudget: {requests: %d}\n", kind, url, host, model, tokenEnv, loadgen.GentleFor(slo))
	return plan.Parse("--url", []byte(yaml))
}

// runDir names the directory of a run that begins now.
func runDir(parent, name string, now time.Time) string {
	return filepath.Join(parent, now.UTC().Format("20060102T150405Z")+"-"+name)
}

// newRunDir is runDir, numbered where another run of the name began in the same second.
func newRunDir(parent, name string, now time.Time) string {
	dir := runDir(parent, name, now)
	for n := 2; ; n++ {
		if _, err := os.Lstat(dir); err != nil {
			return dir
		}
		dir = fmt.Sprintf("%s-%d", runDir(parent, name, now), n)
	}
}

// dialNamed returns the sandbox's configuration of that name.
func dialNamed(name string) (sandbox.Dial, bool) {
	for _, d := range sandbox.Dials() {
		if d.Name == name {
			return d, true
		}
	}
	return sandbox.Dial{}, false
}

// simulated says in words what of the sandbox is not what it seems.
func simulated(p *plan.Plan) []string {
	out := []string{"accelerator metrics (DCGM names) are derived from the CPU's busy time"}
	c, err := deployment(p)
	if err != nil {
		return out
	}
	if c.LoadFloor > 0 {
		out = append(out, fmt.Sprintf("reading the weights is slowed down to take at least %v", c.LoadFloor))
	}
	if c.LoadRate > 0 {
		out = append(out, fmt.Sprintf("weights are read at no more than %d MB/s", c.LoadRate/1e6))
	}
	if c.Retrieval > 0 {
		out = append(out, fmt.Sprintf("the store behind each request answers after %v", c.Retrieval))
	}
	if c.HopDelay > 0 {
		out = append(out, fmt.Sprintf("the network before each instance is delayed by %v each way", c.HopDelay))
	}
	if c.StepOverhead > 0 {
		out = append(out, fmt.Sprintf("each step of the engine idles for %v", c.StepOverhead))
	}
	return out
}
