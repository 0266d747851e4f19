package collectors

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/ask"
)

// A target is one exposition, ready to be scraped.
type target struct {
	key    string // URL and labels: a change of either is another target
	name   string // as a person would name it: instance and path
	url    string
	labels []assay.Label // sorted, without those that begin with __
}

// fixedTarget checks a target of the settings.
func fixedTarget(t Target) (*target, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("prometheus: target %q is no URL such as http://host:port/metrics", ask.Shown(t.URL))
	}
	return newTarget(u, t.Labels), nil
}

func newTarget(u *url.URL, labels map[string]string) *target {
	if u.Path == "" {
		u.Path = "/metrics"
	}
	t := &target{url: u.String()}
	all := map[string]string{"instance": u.Host}
	for k, v := range labels {
		if !strings.HasPrefix(k, "__") && v != "" {
			all[k] = v
		}
	}
	var key strings.Builder
	key.WriteString(t.url)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		t.labels = append(t.labels, assay.Label{Name: k, Value: all[k]})
		fmt.Fprintf(&key, "\xff%s\xff%s", k, all[k])
	}
	t.key = key.String()
	t.name = cmp.Or(all["instance_id"], all["instance"]) + u.Path // without user and query: they may hold secrets
	return t
}

// discovery asks an HTTP service discovery which targets there are.
type discovery struct {
	p    *Prometheus
	down bool // the last look failed
}

// A group is one element of the answer.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// look returns the targets named now, and whether the answer can be used. If it cannot, the run is told once and
// the targets stay as they are.
func (d *discovery) look(ctx context.Context) ([]*target, bool) {
	found, err := d.ask(ctx)
	if err != nil {
		if ctx.Err() == nil && !d.down {
			d.down = true
			d.p.emit(warning(d.p.Clock, "prometheus", "discovery failed, targets stay as they were: "+err.Error()))
		}
		return nil, false
	}
	d.down = false
	return found, true
}

func (d *discovery) ask(ctx context.Context) ([]*target, error) {
	ctx, cancel := context.WithTimeout(ctx, d.p.Timeout)
	defer cancel()
	shown := ask.Shown(d.p.Discovery)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.p.Discovery, nil)
	if err != nil {
		return nil, fmt.Errorf("discover targets at %s: %w", shown, ask.Unnamed(err))
	}
	req.Header.Set("Accept", typeJSON)
	if d.p.RunID != "" {
		req.Header.Set("X-Assay-Run", d.p.RunID)
	}
	resp, err := d.p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("discover targets at %s: %w", shown, ask.Unnamed(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("discover targets at %s: status %s", shown, resp.Status)
	}
	const limit = 8 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("discover targets at %s: %w", shown, err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("discover targets at %s: answer is larger than %d bytes", shown, limit)
	}
	found, err := parseDiscovery(body, d.p.MaxTargets)
	if err != nil {
		return nil, fmt.Errorf("discover targets at %s: %w", shown, err)
	}
	return found, nil
}

// parseDiscovery reads Prometheus' HTTP service discovery format.
func parseDiscovery(body []byte, max int) ([]*target, error) {
	var groups []group
	if err := json.Unmarshal(body, &groups); err != nil {
		return nil, err
	}
	var out []*target
	seen := make(map[string]bool)
	for _, g := range groups {
		if len(g.Labels) > promMaxLabels {
			return nil, fmt.Errorf("%d labels on one group; at most %d are taken", len(g.Labels), promMaxLabels)
		}
		for _, host := range g.Targets {
			u := &url.URL{Scheme: cmp.Or(g.Labels["__scheme__"], "http"), Host: host, Path: cmp.Or(g.Labels["__metrics_path__"], "/metrics")}
			q := url.Values{}
			for k, v := range g.Labels {
				if name, ok := strings.CutPrefix(k, "__param_"); ok {
					q.Set(name, v)
				}
			}
			u.RawQuery = q.Encode()
			if v, err := url.Parse(u.String()); err != nil || v.Host != host || host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return nil, fmt.Errorf("target %q is no host:port", host)
			}
			if len(out) == max {
				return nil, fmt.Errorf("more than %d targets", max)
			}
			if t := newTarget(u, g.Labels); !seen[t.key] {
				seen[t.key] = true
				out = append(out, t)
			}
		}
	}
	return out, nil
}
