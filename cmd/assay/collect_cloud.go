package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/cloud"
	"github.com/assay-dev/assay/internal/plan"
)

// A cloudMetrics is what is read of a service of metrics, with the place of its settings.
type cloudMetrics struct {
	at string
	c  *cloud.CloudWatch
}

// cloudMetrics returns what the plan reads of CloudWatch.
func (s *session) cloudMetrics() (list []cloudMetrics) {
	for i, w := range s.plan.Collect.CloudWatch {
		dimensions := maps.Clone(w.Dimensions)
		if w.Function != "" {
			if dimensions == nil {
				dimensions = map[string]string{}
			}
			dimensions["FunctionName"] = w.Function
		}
		list = append(list, cloudMetrics{fmt.Sprintf("collect.cloudwatch[%d]", i), &cloud.CloudWatch{Endpoint: w.Endpoint, Region: w.Region, Namespace: w.Namespace,
			Dimensions: dimensions, Metrics: w.Metrics, Period: w.Period.D(), Wait: w.Wait.D(), Clock: s.clock}})
	}
	return list
}

// runPods returns the endpoints of RunPod that the plan names.
func (s *session) runPods() (list []*cloud.RunPod, err error) {
	for i, r := range s.plan.Collect.RunPod {
		p := &cloud.RunPod{URL: r.URL, Interval: r.Interval.D(), Clock: s.clock}
		if r.Jobs != "" {
			p.Jobs = s.plan.Path(r.Jobs)
		}
		if r.Token != nil && err == nil {
			p.Token, err = readToken(fmt.Sprintf("collect.runpod[%d].token", i), plan.Auth{Env: r.Token.Env, File: s.plan.Path(r.Token.File)})
		}
		list = append(list, p)
	}
	return list, err
}

// cloudsAhead refuses a run that lacks a key of a platform.
func (s *session) cloudsAhead() error {
	_, err := s.runPods()
	return err
}

// watchClouds adds what asks platforms.
func (s *session) watchClouds(out map[string]assay.Source) {
	s.clouds = s.cloudMetrics()
	for _, m := range s.clouds {
		m.c.RunID = s.manifest.ID
		out[m.at] = m.c
	}
	pods, err := s.runPods()
	if err != nil { // it was there before the run
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: err.Error()})
		return
	}
	for i, p := range pods {
		p.RunID = s.manifest.ID
		out[fmt.Sprintf("collect.runpod[%d]", i)] = p
	}
}

// readMetricsToTheEnd reads after the run what services of metrics have only later.
func (s *session) readMetricsToTheEnd(ctx context.Context, wg *sync.WaitGroup) {
	for _, m := range s.clouds {
		fmt.Fprintf(s.io.err, "%s: reading the last datapoints when they are complete, in %v at most\n", m.at, m.c.Wait+m.c.Period)
		wg.Go(func() {
			if err := m.c.Last(ctx, s.emitOf(ctx, m.c)); err != nil {
				s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s: %v", m.at, err)})
			}
		})
	}
}

// examineClouds asks platforms what they have.
func examineClouds(ctx context.Context, p *patient) {
	const less = "without it the run goes on and knows less"
	for _, m := range p.cloudMetrics() {
		var points int64
		var metrics int
		err := soon(ctx, func(ctx context.Context) (err error) {
			points, metrics, err = m.c.Look(ctx)
			return err
		})
		switch {
		case err != nil:
			p.add(doubt, less, "%s: %v", m.at, err)
		case points == 0:
			p.add(doubt, "a function that nobody calls has none; else see names and dimensions", "%s: answers, and has no datapoint of the last three hours of the %d metrics", m.at, metrics)
		default:
			p.ok("%s: answers: %d datapoints of %d metrics in the last three hours", m.at, points, metrics)
		}
	}
	pods, err := p.runPods()
	if err != nil {
		p.add(wrong, "", "%v", err)
		return
	}
	for i, r := range pods {
		var workers, jobs float64
		began := time.Now()
		err := soon(ctx, func(ctx context.Context) (err error) {
			workers, jobs, err = r.Look(ctx)
			return err
		})
		if err != nil {
			err = fmt.Errorf("collect.runpod[%d]: %s: %w", i, r.URL, err)
		}
		p.try(err, doubt, less, "collect.runpod[%d]: %s answers in %v: %g workers, %g jobs under way", i, r.URL, time.Since(began).Round(time.Millisecond), workers, jobs)
		if err == nil && r.Jobs == "" {
			p.add(doubt, "have your client write the ids of its jobs to a file and name it as jobs", "collect.runpod[%d]: names no file of jobs: how long jobs waited and ran will be empty", i)
		}
	}
}
