package promrules

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/assay-dev/assay"
)

var update = flag.Bool("update", false, "write golden files")

var shop = []assay.SLO{
	{Name: "requests-availability", Service: "myservice", Target: .999, Window: int64(30 * day), From: "slo.yaml:3", Labels: map[string]string{"team": "orders", "not-a-label": "x"},
		Good:   assay.Indicator{Engine: "promql", Bad: `sum(rate(http_request_duration_seconds_count{job="myservice",code=~"(5..|429)"}[{{.window}}]))`, Total: `sum(rate(http_request_duration_seconds_count{job="myservice"}[{{.window}}]))`},
		Alerts: []assay.BurnAlert{{Name: "quick look", Severity: "page", Rate: 20, Over: int64(10 * time.Minute), After: int64(2 * time.Minute)}}},
	{Name: "e2e-2s", Target: .99, Window: int64(28 * day), From: "objectives[1]", Good: assay.Indicator{Metric: "e2e", Max: 2e9, Phase: "steady"}},
	{Name: "elsewhere", Target: .9, Window: int64(28 * day), Unmapped: "its metric source is of type redshift"},
}

// The rules have the names, windows, factors and labels of Sloth's example, and the parser of Prometheus takes them.
func TestGenerate(t *testing.T) {
	groups, notes := Generate(shop)
	got, err := Write(groups, notes)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "shop.rules.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	again, err := Parse("rules.yaml", got)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(groups, again); d != "" {
		t.Errorf("read back (-written +read):\n%s", d)
	}
	var recorded []string
	for _, r := range groups[0].Rules {
		recorded = append(recorded, strings.TrimPrefix(r.Record, "slo:sli_error:ratio_rate"))
	}
	if d := cmp.Diff([]string{"5m", "10m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"}, recorded); d != "" {
		t.Errorf("windows (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"elsewhere: no rules, because its metric source is of type redshift"}, notes); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// promtool takes the rules, where it is installed.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	groups, notes := Generate(shop)
	raw, err := Write(groups, notes)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", "--lint-fatal", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The factors are those of the workbook for 30 days, follow the window above that, are Sloth's for a week, and shorter budgets shrink the windows.
func TestPairs(t *testing.T) {
	for _, c := range []struct {
		window time.Duration
		want   string
	}{
		{30 * day, "page 5m/1h x14.4, page 30m/6h x6, ticket 2h/1d x3, ticket 6h/3d x1, "},
		{28 * day, "page 5m/1h x13.44, page 30m/6h x5.6, ticket 2h/1d x2.8, ticket 6h/3d x0.933333333, "},
		{7 * day, "page 5m/1h x13.44, page 30m/6h x3.5, ticket 2h/1d x1.4, ticket 6h/3d x0.98, "},
		{day, "page 10s/2m x14.4, page 1m/12m x6, ticket 4m/48m x3, ticket 12m/2h24m x1, "},
	} {
		got := ""
		for _, p := range Pairs(c.window) {
			got += fmt.Sprintf("%s %s/%s x%g, ", p.Severity, Span(p.Short), Span(p.Long), p.Factor)
		}
		if got != c.want {
			t.Errorf("%v:\n got %s\nwant %s", c.window, got, c.want)
		}
	}
}

// A limit stands for itself where a bucket ends there, else the next bucket below it does.
func TestBucket(t *testing.T) {
	for _, c := range []struct {
		family string
		max    int64
		want   float64
		exact  bool
	}{{"e2e", 2e9, 2, true}, {"ttft", 6e8, .5, false}, {"ttft", 1e6, .001, false}, {"e2e", 500e9, 160, false}, {"tpot", 5e7, .05, false}} {
		if got, exact := Bucket(c.family, c.max); got != c.want || exact != c.exact {
			t.Errorf("%s %d: %g %v, want %g %v", c.family, c.max, got, exact, c.want, c.exact)
		}
	}
}

// outage makes the series of one request a second: three good days, then all fail.
func outage(seconds int) *Memory {
	m := NewMemory()
	past := int(3 * day / time.Second)
	add := func(s, good, bad int) {
		m.Add(labels.FromStrings("__name__", RequestSeries, "outcome", "ok"), int64(s)*1000, float64(good))
		m.Add(labels.FromStrings("__name__", RequestSeries, "outcome", "server_error"), int64(s)*1000, float64(bad))
	}
	for s := -past; s <= 0; s += 120 {
		add(s, past+s, 0)
	}
	for s := 1; s <= seconds; s++ {
		add(s, past, s)
	}
	return m
}

// A total outage at 99.9 %, after a good past, crosses 14.4 in the window of an hour after 52 s, and so the page fires then; the ticket's factor of 3
// in the window of a day takes 260 s (SRE workbook, chapter 5).
func TestReplayTotalOutage(t *testing.T) {
	const last = 300
	groups, _ := Generate([]assay.SLO{{Name: "a", Service: "s", Target: .999, Window: int64(30 * day), Good: assay.Indicator{Metric: "availability"}}})
	r := Replay{Groups: groups, Begin: -8000, End: last * 1000, Every: 4 * time.Second, Made: outage(last)}
	alerts, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		First int64 // s after the outage began at which it fired first
		Open  bool
		Reach time.Duration
	}
	got := map[string]row{}
	for _, a := range alerts {
		x := row{First: -1, Reach: a.Reach}
		for _, s := range a.States {
			if s.Firing && x.First < 0 {
				x.First = s.Begin / 1000
			}
			x.Open = x.Open || s.Open
		}
		got[a.Rule.Labels["sloth_severity"]] = x
		if len(a.Absent) > 0 || a.Err != "" {
			t.Errorf("%s: absent %v, %s", a.Rule.Labels, a.Absent, a.Err)
		}
	}
	want := map[string]row{"page": {52, true, 6 * time.Hour}, "ticket": {260, true, 3 * day}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if lines := r.Made.Lines("slo:objective:ratio"); len(lines) != 1 || lines[0].Values[0] != .999 {
		t.Errorf("objective recorded as %v", lines)
	}
}
