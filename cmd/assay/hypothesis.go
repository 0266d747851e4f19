package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/promapi"
	"github.com/assay-dev/assay/loadgen"
)

// hypotheses returns what must hold around the plan's faults. Probes by path alone are asked of the endpoint, as requests are, but without credentials.
func (s *session) hypotheses(e *loadgen.Endpoint) ([]chaos.Hypothesis, error) {
	var out []chaos.Hypothesis
	for i := range s.plan.Hypothesis {
		h := &s.plan.Hypothesis[i]
		one := chaos.Hypothesis{Name: h.Name, After: h.After.D(), Asks: h.Metric == ""}
		lowest, highest := h.Limits()
		switch {
		case h.Metric != "":
			one.Look = s.lookAtRequests(h.Metric, h.Over.D(), lowest, highest)
		case h.PromQL != "":
			client, err := s.prometheus(h.Prometheus, fmt.Sprintf("hypothesis[%d].token", i), h.Token)
			if err != nil {
				return nil, err
			}
			one.Look = lookAtMetrics(client, h.PromQL, lowest, highest)
		default:
			at, client, err := probeOf(h.Probe.URL, e)
			if err != nil {
				return nil, s.plan.WrongAt(fmt.Sprintf("hypothesis[%d].probe.url", i), err.Error())
			}
			one.Look = lookByProbe(h.Probe, at, client, s.manifest.ID)
		}
		out = append(out, one)
	}
	return out, nil
}

// within returns whether v lies within the limits, and the limits in words; nil is none.
func within(v float64, lowest, highest *float64, format func(float64) string) (chaos.Truth, string) {
	text, holds := "", chaos.Holds
	if lowest != nil {
		text = ", at least " + format(*lowest)
		if !(v >= *lowest) {
			holds = chaos.Broken
		}
	}
	if highest != nil {
		text += ", at most " + format(*highest)
		if !(v <= *highest) {
			holds = chaos.Broken
		}
	}
	return holds, text
}

// lookAtRequests looks at our own requests.
func (s *session) lookAtRequests(metric string, over time.Duration, lowest, highest *float64) func(context.Context) chaos.Look {
	format := func(v float64) string { return live.Format(metric, v) }
	return func(context.Context) chaos.Look {
		v, n := s.window.Measure(metric, over, s.clock.Now())
		if least := live.Least(metric); n < least || math.IsNaN(v) {
			return chaos.Look{Holds: chaos.Unknown, Text: fmt.Sprintf("%d such requests in %v; %d are the least", n, over, max(1, least))}
		}
		holds, limits := within(v, lowest, highest, format)
		return chaos.Look{Holds: holds, Value: format(v), Text: fmt.Sprintf("%s%s, of %d requests in %v", format(v), limits, n, over)}
	}
}

// lookAtMetrics looks at the users' own metrics.
func lookAtMetrics(client *promapi.Client, promql string, lowest, highest *float64) func(context.Context) chaos.Look {
	format := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	return func(ctx context.Context) chaos.Look {
		ctx, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		got, err := client.Value(ctx, promql)
		if err != nil {
			return chaos.Look{Holds: chaos.Unknown, Text: err.Error()}
		}
		holds, limits := within(got.Value, lowest, highest, format)
		return chaos.Look{Holds: holds, Value: format(got.Value), Text: format(got.Value) + limits}
	}
}

// probeOf returns the URL of a probe and who asks it. A path alone is one of the endpoint.
func probeOf(at string, e *loadgen.Endpoint) (string, *http.Client, error) {
	// No connection is kept, since a probe is to find out whether one can be made.
	way := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	client := &http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if !strings.HasPrefix(at, "/") {
		return at, client, nil
	}
	base, err := url.Parse(e.URL)
	if err != nil || base.Host == "" {
		return "", nil, fmt.Errorf("the target has no URL that %s could be asked of; give a whole URL", at)
	}
	path, err := url.Parse(at)
	if err != nil {
		return "", nil, err
	}
	way.TLSClientConfig = e.TLS.Clone()
	if e.Proxy != nil {
		way.Proxy = e.Proxy
	}
	way.DialContext = e.Dial
	return (&url.URL{Scheme: base.Scheme, Host: base.Host, Path: path.Path, RawQuery: path.RawQuery}).String(), client, nil
}

// probeBody is how much of an answer is looked through.
const probeBody = 1 << 20

// lookByProbe asks at once. What is not answered well, or not at all, does not hold.
func lookByProbe(p *plan.Probe, at string, client *http.Client, run string) func(context.Context) chaos.Look {
	return func(ctx context.Context) chaos.Look {
		asking, cancel := context.WithTimeout(ctx, p.Within.D())
		defer cancel()
		begin := time.Now()
		status, body, err := get(asking, client, at, run)
		took := time.Since(begin).Round(time.Millisecond)
		broken := func(format string, args ...any) chaos.Look {
			return chaos.Look{Holds: chaos.Broken, Value: fmt.Sprint(status), Text: fmt.Sprintf(format, args...)}
		}
		switch {
		case ctx.Err() != nil:
			return chaos.Look{Holds: chaos.Unknown, Text: "not asked to the end"}
		case errors.Is(err, context.DeadlineExceeded):
			l := broken("no whole answer within %v", p.Within.D())
			l.Value = "none"
			return l
		case err != nil:
			l := broken("%v", err)
			l.Value = "none"
			return l
		case p.Status != 0 && status != p.Status:
			return broken("status %d, want %d", status, p.Status)
		case p.Status == 0 && status/100 != 2:
			return broken("status %d, want 2xx", status)
		case !bytes.Contains(body, []byte(p.Contains)):
			return broken("status %d, and the answer does not contain %q", status, p.Contains)
		}
		return chaos.Look{Holds: chaos.Holds, Value: fmt.Sprint(status), Text: fmt.Sprintf("status %d after %v", status, took)}
	}
}

func get(ctx context.Context, client *http.Client, at, run string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set(loadgen.RunHeader, run)
	resp, err := client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // what is asked stands beside it, and may hold a secret
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, probeBody))
	return resp.StatusCode, body, err
}

// previewHypotheses says what must hold and when it is looked at.
func previewHypotheses(p *plan.Plan) (lines []string) {
	var order []time.Duration
	by := map[time.Duration][]string{}
	for i := range p.Hypothesis {
		h := &p.Hypothesis[i]
		name := h.Name
		if h.Metric != "" {
			name += fmt.Sprintf(" over %v", h.Over.D())
		}
		after := h.After.D()
		if by[after] == nil {
			order = append(order, after)
		}
		by[after] = append(by[after], name)
	}
	for _, after := range order {
		lines = append(lines, fmt.Sprintf("must hold before the first fault and %v after each is clear: %s", after, strings.Join(by[after], "; ")))
	}
	return lines
}

// horizon returns the longest window that is looked at.
func horizon(p *plan.Plan) (d time.Duration) {
	for _, h := range p.Hypothesis {
		d = max(d, h.Over.D())
	}
	return d
}
