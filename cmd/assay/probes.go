package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/probes"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/loadgen"
)

// probes adds the looks that the plan asks for to the collectors of a run.
func (s *session) probes(out map[string]assay.Source) {
	p := s.plan.Collect.Probes
	if p == nil {
		return
	}
	base := asked(&s.plan.Target)
	if s.platform != nil {
		base = s.platform.URL
	}
	out["collect.probes"] = &probes.Probes{Live: onTarget(base, p.Live), Ready: onTarget(base, p.Ready), Interval: p.Interval.D(), Timeout: p.Timeout.D(), RunID: s.manifest.ID, Clock: s.clock,
		Dial: reachOf(&s.plan.Target).dial((&net.Dialer{}).DialContext)}
}

// onTarget makes a URL of a path on the target.
func onTarget(base, path string) string {
	if !strings.HasPrefix(path, "/") {
		return path
	}
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return base + path
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + path
}

// examineProbes makes one look at each. What is not good now may be by the time of a run.
func examineProbes(ctx context.Context, p *patient) {
	c := p.plan.Collect.Probes
	if c == nil {
		return
	}
	client := looker(&p.plan.Target, c.Timeout.D())
	defer client.CloseIdleConnections()
	for _, l := range []struct{ name, url, of string }{{"live", c.Live, "live"}, {"ready", c.Ready, "ready"}} {
		if l.url == "" {
			p.add(doubt, "", "collect.probes: no %s, so availability/%s will be empty", l.name, l.of)
			continue
		}
		if p.plan.Target.URL == "" && strings.HasPrefix(l.url, "/") {
			if paths := sandbox.Health(p.plan.Target.Sandbox.Kind); !slices.Contains(paths, l.url) {
				p.add(doubt, "give one of "+strings.Join(paths, ", "), "collect.probes.%s: the sandbox has no endpoint %s, so availability/%s will be empty", l.name, l.url, l.of)
				continue
			}
			p.ok("collect.probes.%s: %s on the target that the run starts", l.name, l.url)
			continue
		}
		url := onTarget(asked(&p.plan.Target), l.url)
		result, why := probes.Look(ctx, client, url, "")
		if result == probes.OK {
			p.ok("collect.probes.%s: %s answers; %s", l.name, url, clockText(ctx, client, url))
			continue
		}
		if result == probes.Absent {
			p.add(doubt, "give the path that the target serves", "collect.probes.%s: %s: no such endpoint (%s), so availability/%s will be empty", l.name, url, why, l.of)
			continue
		}
		p.add(doubt, "", "collect.probes.%s: %s is %s (%s)", l.name, url, strings.ReplaceAll(string(result), "_", " "), why)
	}
}

// dateResolution is that of HTTP's Date header.
const dateResolution = time.Second

// clockOf asks a source for the time, by the Date header of its answer: its clock less ours, known to half the way there and back and the second of the header.
// The request carries the id of the run, if there is one.
func clockOf(ctx context.Context, client *http.Client, url, run string) (offset, within time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, err
	}
	if run != "" {
		req.Header.Set(loadgen.RunHeader, run)
	}
	asked := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return 0, 0, bare(err)
	}
	res.Body.Close()
	took := time.Since(asked)
	return clockBy(res, asked, took)
}

func clockBy(res *http.Response, asked time.Time, took time.Duration) (offset, within time.Duration, err error) {
	date := res.Header.Get("Date")
	if date == "" {
		return 0, 0, errors.New("it names no date")
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return 0, 0, fmt.Errorf("its date cannot be read: %w", err)
	}
	// The header is cut to whole seconds: its second may have begun up to one before.
	return at.Add(dateResolution / 2).Sub(asked.Add(took / 2)), dateResolution/2 + took/2, nil
}

// clockText says how a source's clock stands to ours.
func clockText(ctx context.Context, client *http.Client, url string) string {
	return offsetText(clockOf(ctx, client, url, ""))
}

func offsetText(offset, within time.Duration, err error) string {
	switch {
	case err != nil:
		return "its clock is not known: " + err.Error()
	case offset.Abs() <= within:
		return fmt.Sprintf("its clock is ours, to ±%v by its Date header", within.Round(100*time.Millisecond))
	}
	way := "ahead of"
	if offset < 0 {
		way = "behind"
	}
	return fmt.Sprintf("its clock is %v %s ours, ±%v by its Date header", offset.Abs().Round(100*time.Millisecond), way, within.Round(100*time.Millisecond))
}

// clocksAhead asks every HTTP source of the plan for the time and writes how its clock stands to ours into the manifest.
func (s *session) clocksAhead(ctx context.Context) {
	client := looker(&s.plan.Target, 2*time.Second)
	defer client.CloseIdleConnections()
	ask := func(name, url string) {
		if url == "" || strings.HasPrefix(url, "/") {
			return
		}
		if offset, within, err := clockOf(ctx, client, url, s.manifest.ID); err == nil {
			s.manifest.Offsets = append(s.manifest.Offsets, assay.Offset{Source: name, Offset: int64(offset), Error: int64(within)})
		}
	}
	for i, c := range s.plan.Collect.Prometheus {
		ask(fmt.Sprintf("collect.prometheus[%d]", i), cmp.Or(c.URL, c.HTTPSD))
	}
	if p := s.plan.Collect.Probes; p != nil {
		ask("collect.probes", cmp.Or(onTarget(asked(&s.plan.Target), p.Live), onTarget(asked(&s.plan.Target), p.Ready)))
	}
}
