package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

const openSLOText = `apiVersion: openslo/v1
kind: SLO
metadata: {name: served}
spec:
  service: shop
  indicator:
    metadata: {name: served}
    spec:
      ratioMetric:
        good: {metricSource: {type: assay, spec: {metric: availability}}}
        total: {metricSource: {type: assay, spec: {metric: availability}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: counted}
spec:
  service: shop
  indicator:
    metadata: {name: counted}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'sum(http_requests_total{code=~"5.."})'}}}
        total: {metricSource: {type: Prometheus, spec: {query: sum(http_requests_total)}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
`

// failing writes results of two minutes, five requests a second, of which all fail for ten seconds after the first.
func failing(t *testing.T, dir string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,failureMessage,bytes,allThreads,Latency\n")
	for i := range 600 {
		code, ok := "200", "true"
		if i >= 300 && i < 350 {
			code, ok = "503", "false"
		}
		fmt.Fprintf(&b, "%d,%d,predict,%s,,T 1-%d,%s,,10,4,%d\n", 1767225600000+i*200, 100+i%40, code, i%4, ok, 90+i%40)
	}
	write(t, dir, "load.jtl", b.String())
	write(t, dir, "slos.yaml", openSLOText)
}

// Promises of an OpenSLO file go with an import and with an assessment; rules are made of them and replayed, and a person's own rules are too.
func TestPromisesOfFiles(t *testing.T) {
	dir := t.TempDir()
	failing(t, dir)
	got := assayIn(t, dir, "import", "load.jtl", "--slo", "slos.yaml", "--slo", "e2e/p95=1s", "--out", "run")
	if got.code != 0 {
		t.Fatalf("import: exit %d, %s%s", got.code, got.out, got.err)
	}
	report := func(args ...string) *assay.Report {
		t.Helper()
		got := assayIn(t, dir, append([]string{"assess", "run", "-o", "json"}, args...)...)
		var r assay.Report
		if err := json.Unmarshal([]byte(got.out), &r); err != nil {
			t.Fatalf("%v: exit %d, %v\n%s%s", args, got.code, err, got.out, got.err)
		}
		return &r
	}
	r := report("--healthy-past=false")
	type row struct {
		Name, Objective string
		Burn            float64
		Reason          string
	}
	var rows []row
	for i, x := range r.SLOs {
		burn := 0.0
		if x.Burn.Known() {
			burn = math.Round(x.Burn.Value*1e6) / 1e6
		}
		rows = append(rows, row{x.SLO.Name, r.Objectives[i+1].Objective.Labels["slo"], burn, x.Burn.Reason}) // the first is e2e/p95
	}
	want := []row{{"served", "served", 8.333333, ""},
		{"counted", "counted", 0, "not measured, because the run's metrics have nothing that sum(rate(http_requests_total[{{.window}}])) gives; the annotation assay.dev/metric would judge it by the run's own requests"}}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	fired := func(r *assay.Report, alert, severity string) (n int, x *assay.Replay) {
		for i := range r.Replays {
			if x = &r.Replays[i]; x.Alert == alert && x.Severity == severity {
				return len(x.Fired), x
			}
		}
		t.Fatalf("no replay of %s, %s in %+v", alert, severity, r.Replays)
		return 0, nil
	}
	if n, x := fired(r, "ServedSLO", "page"); n != 1 || len(x.Looks) != 1 || x.Looks[0].Kind != "natural" || !x.Looks[0].Delay.Known() {
		t.Errorf("page: %+v", x)
	}
	if _, x := fired(r, "CountedSLO", "page"); len(x.Looks) != 1 || x.Looks[0].Delay.Known() || !strings.Contains(strings.Join(x.Warnings, "; "), "the run has no series http_requests_total") {
		t.Errorf("page on metrics that are not there: %+v", x)
	}
	if n, _ := fired(report(), "ServedSLO", "page"); n != 0 {
		t.Errorf("after a good past ten seconds of outage paged %d times", n)
	}

	write(t, dir, "own.yaml", "groups:\n- name: own\n  interval: 5s\n  rules:\n  - {alert: Down, expr: 'sum(rate(assay_requests_total{outcome=\"unavailable\"}[15s])) > 1', for: 5s, labels: {severity: page}}\n")
	write(t, dir, "hour.yaml", "groups:\n- name: own\n  rules:\n  - {alert: Hour, expr: 'sum(rate(assay_requests_total{outcome=\"unavailable\"}[1h])) / sum(rate(assay_requests_total[1h])) > 0.05', labels: {severity: page}}\n")
	for _, c := range []struct {
		args  []string
		fires int
	}{{nil, 1}, {[]string{"--healthy-past"}, 0}, {[]string{"--healthy-past=false"}, 1}} {
		if n, x := fired(report(append(c.args, "--rules", "hour.yaml", "--rule-interval", "2s")...), "Hour", "page"); n != c.fires {
			t.Errorf("own rule over an hour, %v: %d times, want %d: %+v", c.args, n, c.fires, x)
		}
	}
	n, x := fired(report("--rules", "own.yaml", "--rule-interval", "5s"), "Down", "page")
	if n != 1 || x.File != "own.yaml" || x.Step != 5e9 || x.Looks[0].Fires != 1 || x.False != 0 || x.Open {
		t.Errorf("own rule: %+v", x)
	}
	if n, x := fired(report("--rules", "own.yaml", "--rule-interval", "1s", "--speed", "5"), "Down", "page"); n != 1 || x.Step != 1e9 || x.Speed != 5 {
		t.Errorf("own rule, five times as fast: %+v", x)
	}
	text := assayIn(t, dir, "assess", "run", "--rules", "own.yaml", "--rule-interval", "5s")
	for _, want := range []string{"SLO        served: 99 % of requests served over 30 days", "REPLAY     5 alerting rules", "page Down of own.yaml failure at", "would have fired"} {
		if !strings.Contains(text.out, want) {
			t.Errorf("%q is not in\n%s", want, text.out)
		}
	}
}

// The rules of a plan, of OpenSLO files and of a run are taken by the parser of Prometheus.
func TestRulesCommand(t *testing.T) {
	dir := t.TempDir()
	failing(t, dir)
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: drill\ntarget: {kind: sandbox}\nload: [{name: a, for: 9s, arrivals: {even: {rate: 8/s}}}]\nobjectives: [{metric: e2e, max: 600ms, target: 99%}]\nslo: {files: [slos.yaml]}\n")
	if got := assayIn(t, dir, "import", "load.jtl", "--slo", "slos.yaml", "--out", "run"); got.code != 0 {
		t.Fatalf("import: %s", got.err)
	}
	for _, c := range []struct {
		args []string
		slos int
	}{{[]string{"plan.yaml"}, 3}, {[]string{"slos.yaml"}, 2}, {[]string{"run"}, 2}} {
		got := assayIn(t, dir, append([]string{"dashboards", "rules"}, c.args...)...)
		groups, err := promrules.Parse("out", []byte(got.out))
		if got.code != 0 || err != nil || len(groups) != 3*c.slos {
			t.Errorf("%v: exit %d, %v, %d groups, want %d: %s", c.args, got.code, err, len(groups), 3*c.slos, got.err)
		}
	}
	if got := assayIn(t, dir, "dashboards", "rules", "plan.yaml"); !strings.Contains(got.out, "# e2e-600ms: the live metrics have no bucket that ends at 0.6s: the rules take 0.5s\n") || !strings.Contains(got.out, `le="0.5"`) {
		t.Errorf("no note on the bucket in\n%s", got.out)
	}
}

func TestPromisesRefused(t *testing.T) {
	dir := t.TempDir()
	failing(t, dir)
	write(t, dir, "bad.yaml", strings.Replace(openSLOText, "target: 0.99}", "targett: 0.99}", 1))
	write(t, dir, "rules.yaml", "groups: [{name: a, rules: [{alert: b, expr: 'sum('}]}]\n")
	write(t, dir, "plain.yaml", "apiVersion: assay/v1\nname: drill\ntarget: {kind: sandbox}\nload: [{name: a, for: 9s, arrivals: {even: {rate: 8/s}}}]\n")
	write(t, dir, "twice.yaml", "apiVersion: assay/v1\nname: drill\ntarget: {kind: sandbox}\nload: [{name: a, for: 9s, arrivals: {even: {rate: 8/s}}}]\nobjectives: [{metric: availability, target: 99%, name: served}]\nslo: {files: [slos.yaml]}\n")
	if got := assayIn(t, dir, "import", "load.jtl", "--slo", "slos.yaml", "--out", "run"); got.code != 0 {
		t.Fatalf("import: %s", got.err)
	}
	for _, c := range []struct {
		args, want string
	}{
		{"import load.jtl --slo bad.yaml", `bad.yaml:14: spec.objectives[0].targett: unknown key "targett"; did you mean "target"?`},
		{"import load.jtl --slo none.yaml", "none.yaml: no such file"},
		{"assess run --slo slos.yaml", "slos.yaml:14: the name served is taken by slos.yaml:14; give each promise a name of its own"},
		{"assess run --rules rules.yaml", `rules.yaml: 1:45: group "a", rule 1, "b": could not parse expression`},
		{"assess run --rules none.yaml", "no such file"},
		{"assess run --speed 0.5", "--speed 0.5 is out of range; 1 to 100000"},
		{"assess run --rule-interval 1ms", "--rule-interval 1ms is out of range; 100ms to 1h"},
		{"dashboards rules plain.yaml", "plain.yaml: no rules, since nothing is promised; an objective of a plan promises with target"},
		{"dashboards rules slos.yaml slos.yaml", "the name served is taken by slos.yaml:14"},
		{"validate twice.yaml", "slos.yaml:14: the name served is taken by objectives[0]"},
	} {
		got := assayIn(t, dir, strings.Fields(c.args)...)
		if got.code != 2 || !strings.Contains(strings.ReplaceAll(got.err, filepath.ToSlash(dir)+"/", ""), c.want) {
			t.Errorf("%s: exit %d, %s; want 2 and %q", c.args, got.code, got.err, c.want)
		}
	}
}

// An OpenSLO file is checked as what it is, and not as a plan.
func TestValidatePromises(t *testing.T) {
	dir := t.TempDir()
	text := "- apiVersion: openslo/v1\n  kind: SLO\n  metadata: {name: pages}\n  spec:\n    service: web\n    indicator: {metadata: {name: pages-sli}, spec: {ratioMetric: {counter: true, good: {metricSource: {type: Any, spec: {query: Any}}}, total: {metricSource: {type: Any, spec: {query: Any}}}}}}\n" +
		"    timeWindow: [{duration: 30d, isRolling: true}]\n    budgetingMethod: Occurrences\n    objectives: [{target: 0.99}]\n"
	if err := os.WriteFile(filepath.Join(dir, "slos.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := assayIn(t, dir, "validate", "slos.yaml"); got.code != 0 || !strings.Contains(got.out, "slos.yaml: an OpenSLO file of 1 promise;") || !strings.Contains(got.out, "pages: 99 %, which no run can judge: its metric source is of type any") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
}
