package openslo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// Every form of an indicator, a window and a budget becomes what a run can judge, or says why it cannot.
func TestRead(t *testing.T) {
	got, err := ReadFiles("testdata", "shop.yaml", "alpha.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const m, d = int64(time.Minute), int64(day)
	want := &Set{
		SLOs: []assay.SLO{
			{Name: "availability", Service: "shop", Target: .999, Window: 28 * d, From: "shop.yaml:50", Labels: map[string]string{"team": "orders", "tags": "user,edge"},
				Good:   assay.Indicator{Engine: "promql", Good: `sum(rate(http_requests_total{job="shop",code!~"(5..|429)"}[{{.window}}]))`, Total: `sum(rate(http_requests_total{job="shop"}[{{.window}}]))`},
				Alerts: []assay.BurnAlert{{Name: "fast", Severity: "page", Rate: 10, Over: 60 * m, After: 5 * m}}},
			{Name: "fast-enough-0", Service: "shop", Target: .99, Window: 30 * d, Calendar: true, From: "shop.yaml:67", Method: assay.RatioTimeslices, Slice: m, Good: assay.Indicator{Metric: "e2e", Max: 2e9}},
			{Name: "fast-enough-1", Service: "shop", Target: .9, Window: 30 * d, Calendar: true, From: "shop.yaml:68", Method: assay.RatioTimeslices, Slice: 5 * m, Good: assay.Indicator{Metric: "e2e", Max: 5e8}},
			{Name: "answers", Service: "shop", Target: .95, Window: 30 * d, From: "shop.yaml:85", Method: assay.Timeslices, Slice: m, SliceTarget: .9, Good: assay.Indicator{Metric: "availability"}},
			{Name: "elsewhere", Service: "shop", Target: .9, Window: 90 * d, From: "shop.yaml:98", Good: assay.Indicator{Op: "<", Value: 1}, Unmapped: foreign("redshift")},
			{Name: "requests", Service: "my-service", Target: .999, Window: 30 * d, From: "alpha.yaml:9",
				Good: assay.Indicator{Engine: "promql", Good: `sum(rate(hits_total{code!~"5.."}[{{.window}}]))`, Total: `sum(rate(hits_total[{{.window}}]))`}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A wrong setting is refused with its line, its path and what would be right.
func TestReadErrors(t *testing.T) {
	shop, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	alpha, err := os.ReadFile("testdata/alpha.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "budgetingMethod: Occurrences\n  objectives: [{target: 0.999}]", "budgetingMetod: Occurrences\n  objectives: [{target: 0.999}]", `x.yaml:49: spec.budgetingMetod: unknown key "budgetingMetod"`},
		{"twice", "spec: {description: Answers questions about orders.}", "spec: {description: a, description: b}", `key "description" stands twice`},
		{"method", "budgetingMethod: Timeslices", "budgetingMethod: Slices", `x.yaml:84: spec.budgetingMethod: "Slices" is unknown; one of Occurrences, Timeslices, RatioTimeslices`},
		{"target", "target: 0.999", "target: 1", `spec.objectives[0].target: 1 is out of range; more than 0 and less than 1`},
		{"both targets", "target: 0.999", "target: 0.999, targetPercent: 99.9", "spec.objectives[0]: needs exactly one of target and targetPercent"},
		{"no indicator", "  indicatorRef: http-good\n", "", "spec: needs exactly one of indicator and indicatorRef"},
		{"no such SLI", "indicatorRef: http-good", "indicatorRef: http", `spec.indicatorRef: there is no SLI "http" in these files`},
		{"no such source", "metricSourceRef: prom, spec: {query: 'sum(http_requests_total{job=\"shop\"})'}", "metricSourceRef: p, spec: {query: x}", `there is no DataSource "p" in these files`},
		{"window", "duration: 4w", "duration: 4 weeks", `"4 weeks" is not a duration; write for example 5m`},
		{"two windows", "[{duration: 4w, isRolling: true}]", "[{duration: 4w, isRolling: true}, {duration: 1d, isRolling: true}]", "spec.timeWindow: has 2 windows; want one"},
		{"rolls not", "[{duration: 4w, isRolling: true}]", "[{duration: 4w, isRolling: false}]", "a window that does not roll needs calendar"},
		{"zone", "Europe/Berlin", "Europe/Nowhere", `"Europe/Nowhere" is no time zone`},
		{"start", "2026-01-01 00:00:00", "yesterday", `"yesterday" is no date with time`},
		{"threshold", "{op: lte, value: 2, targetPercent", "{targetPercent", "spec.objectives[0]: needs op: lt, lte, gt or gte"},
		{"other way", "op: lte, value: 2", "op: gte, value: 2", "a latency is good up to a value; want lt or lte"},
		{"slice", "timeSliceWindow: 5}", "timeSliceWindow: 5 minutes}", `"5 minutes" is not a number`},
		{"no slice target", "timeSliceTarget: 0.9, ", "", "needs timeSliceTarget: the share of good events"},
		{"metric", "{metric: e2e}", "{metric: speed}", `"speed" is unknown; one of availability, ttft, e2e, tpot`},
		{"PromQL", `query: 'sum(http_requests_total{job="shop"})'`, `query: 'sum(http_requests_total{job="shop"}'`, "is not PromQL:"},
		{"both metrics", "  ratioMetric:\n    counter: true\n", "  thresholdMetric: {metricSource: {type: assay, spec: {metric: e2e}}}\n  ratioMetric:\n    counter: true\n", "needs exactly one of thresholdMetric and ratioMetric"},
		{"condition", "threshold: 10", "threshold: -1", "-1 is out of range; more than 0"},
		{"duplicate", "metadata: {name: fast-enough}", "metadata: {name: availability}", `a second SLO "availability"; the first stands in x.yaml:46`},
		{"version", "apiVersion: openslo/v1\nkind: Service", "apiVersion: openslo/v2\nkind: Service", `x.yaml:2: apiVersion: "openslo/v2" is not read; want openslo/v1 or openslo/v1alpha`},
		{"kind", "kind: DataSource", "kind: Datasource", `"Datasource" is unknown; one of Service`},
		{"syntax", "kind: DataSource", "kind: [DataSource", "x.yaml:7: is not YAML:"},
		{"composite", "objectives: [{target: 0.999}]", "objectives: [{target: 0.999, indicatorRef: http-good}]", "composite SLOs are not read"},
	} {
		text := strings.Replace(string(shop), c.old, c.new, 1)
		if text == string(shop) {
			t.Errorf("%s: nothing was replaced", c.name)
		}
		_, err := Read(File{"x.yaml", []byte(text)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":  {"", "x.yaml: is empty"},
		"large":  {strings.Repeat("#", maxFile+1), "is too large"},
		"deep":   {"apiVersion: " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "is nested too deeply"},
		"unit":   {strings.Replace(string(alpha), "Day", "Days", 1), `spec.timeWindows[0].unit: "Days" is unknown`},
		"bombed": {"a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "nested too deeply or too large"},
	} {
		if _, err := Read(File{"x.yaml", []byte(c.text)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
}

// What nothing refers to, and what has no use in a run, is told.
func TestNotes(t *testing.T) {
	got, err := Read(File{"x.yaml", []byte("apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: a}\nspec: {type: Prometheus}\n---\napiVersion: openslo/v1\nkind: AlertNotificationTarget\nmetadata: {name: b}\nspec: {target: email}\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"x.yaml:1: DataSource a: no SLO refers to it", "x.yaml:6: AlertNotificationTarget b: nobody is told; Alertmanager routes by the labels of the rules"}
	if d := cmp.Diff(want, got.Notes); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A query gets the window that it is asked over, whatever it had.
func TestWindowed(t *testing.T) {
	for _, c := range []struct {
		query   string
		counter bool
		want    string
	}{
		{`sum(a{x=~"[ab]"})`, true, `sum(rate(a{x=~"[ab]"}[{{.window}}]))`},
		{`sum(a) + b`, false, `sum(sum_over_time(a[{{.window}}])) + sum_over_time(b[{{.window}}])`},
		{`sum(increase(a{x=~"[ab]"}[10m] offset 1m)) - rate(b[1h])`, true, `sum(increase(a{x=~"[ab]"}[{{.window}}] offset 1m)) - rate(b[{{.window}}])`},
		{`sum(rate(a[$__rate_interval]))`, true, `sum(rate(a[{{.window}}]))`},
	} {
		r := &reader{file: "x"}
		if got := (source{query: c.query, at: node{r: r}}).windowed(c.counter); got != c.want || len(r.errs) > 0 {
			t.Errorf("%s\n got %s %v\nwant %s", c.query, got, r.errs, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a {b: *a}\n"))
	f.Add([]byte("apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec: {service: a, alertPolicies: [a, {kind: AlertPolicy}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(File{"x.yaml", data})
		if err != nil {
			return
		}
		for _, o := range s.SLOs {
			if !(o.Target > 0 && o.Target < 1) || o.Window <= 0 || o.Name == "" {
				t.Errorf("took %+v", o)
			}
		}
	})
}
