package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/front"
)

// fronts returns the logs that the plan names of proxies, and the page of nginx; nil where there are none.
func (s *session) fronts() (logs []*front.Log, status *front.Status) {
	if n := s.plan.Collect.Nginx; n != nil {
		if n.Log != "" {
			logs = append(logs, &front.Log{Kind: "nginx", Path: s.plan.Path(n.Log), Format: s.formatOf(n.Format), Clock: s.clock})
		}
		if n.Status != "" {
			status = &front.Status{URL: n.Status, Interval: n.Interval.D(), Clock: s.clock, RunID: s.manifest.ID}
		}
	}
	if e := s.plan.Collect.Envoy; e != nil && e.Log != "" {
		logs = append(logs, &front.Log{Kind: "envoy", Path: s.plan.Path(e.Log), Format: s.formatOf(e.Format), Clock: s.clock})
	}
	return logs, status
}

// formatOf makes the path of @FILE that of the plan.
func (s *session) formatOf(format string) string {
	if path, ok := strings.CutPrefix(format, "@"); ok {
		return "@" + s.plan.Path(path)
	}
	return format
}

// frontFormats tests the formats of the proxies' logs.
func (s *session) frontFormats() error {
	logs, _ := s.fronts()
	for _, l := range logs {
		if err := l.Check(); err != nil {
			return fmt.Errorf("collect.%s: %w", l.Kind, err)
		}
	}
	return nil
}

// watchFronts adds what watches the proxies that the plan names.
func (s *session) watchFronts(out map[string]assay.Source) {
	logs, status := s.fronts()
	for _, l := range logs {
		out["collect."+l.Kind+".log"] = l
	}
	if status != nil {
		out["collect.nginx.status"] = status
	}
	if e := s.plan.Collect.Envoy; e != nil && e.Admin != "" {
		out["collect.envoy.admin"] = &collectors.Prometheus{Interval: cmp.Or(e.Interval.D(), time.Second), Clock: s.clock, RunID: s.manifest.ID,
			Targets: []collectors.Target{{URL: statsOf(e.Admin), Labels: map[string]string{"job": "envoy"}}}}
	}
}

// statsOf is where Envoy's admin interface has its statistics as an exposition.
func statsOf(admin string) string { return strings.TrimSuffix(admin, "/") + "/stats/prometheus" }

// examineFront looks at the proxies that the plan names: whether they can be read, and what their logs do not tell.
func examineFront(ctx context.Context, p *patient) {
	logs, status := p.fronts()
	for _, l := range logs {
		examineLog(p, l)
	}
	const less = "without it the run goes on and knows less"
	if status != nil {
		var active int64
		err := soon(ctx, func(ctx context.Context) (err error) {
			active, err = status.Check(ctx)
			return err
		})
		p.try(err, doubt, less, "collect.nginx.status: %s answers, %d connections are open", status.URL, active)
	}
	if e := p.plan.Collect.Envoy; e != nil && e.Admin != "" {
		p.try(soon(ctx, func(ctx context.Context) error { return answers(ctx, statsOf(e.Admin)) }), doubt, less, "collect.envoy.admin: %s answers", statsOf(e.Admin))
	}
}

func examineLog(p *patient, l *front.Log) {
	at := "collect." + l.Kind + ".log"
	if err := l.Check(); err != nil {
		p.add(wrong, "", "collect.%s: %v", l.Kind, err)
		return
	}
	seen, err := l.Look()
	switch {
	case err != nil:
		p.add(doubt, "the run goes on and follows it once it can be read", "%s: %v", at, err)
		return
	case seen.Lines == 0:
		p.add(doubt, "ask the proxy something and look again", "%s: %s can be read and is empty: whether its format is known is not", at, l.Path)
		return
	case seen.Known == 0:
		p.add(doubt, "give its format", "%s: none of the last %d lines of %s is in a format that is known", at, seen.Lines, l.Path)
		return
	case seen.Known < seen.Lines:
		p.add(doubt, "give its format, where they are more than stray lines", "%s: %d of the last %d lines of %s are in a format that is not known", at, seen.Lines-seen.Known, seen.Lines, l.Path)
	default:
		p.ok("%s: %s can be read, all of its last %d lines are known", at, l.Path, seen.Lines)
	}
	var empty []string
	for _, t := range []struct {
		told bool
		what string
	}{{seen.Took, "how long requests took"}, {seen.Upstream, "the upstream's time"}, {seen.Hop, "the hop's own time"}, {seen.Retries, "retries"}, {seen.Trace && seen.Fine, "spans"}} {
		if !t.told {
			empty = append(empty, t.what)
		}
	}
	if len(empty) > 0 {
		p.add(doubt, wanted[l.Kind], "%s: not told by its lines: %s", at, strings.Join(empty, ", "))
	}
}

// wanted is what a format needs, to tell all.
var wanted = map[string]string{
	"nginx": "have $msec, $request_time, $upstream_addr, $upstream_response_time and $http_traceparent in the log_format",
	"envoy": "have %DURATION%, %RESPONSE_DURATION%, %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%, %UPSTREAM_REQUEST_ATTEMPT_COUNT% and %REQ(TRACEPARENT)% in the format",
}
