package promrules

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
)

// load is a gauge each 15 s of two instances.
var load = map[string][]float64{
	"a": {0, 5, 5, 5, 0, 5, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0, 0, 0},
	"b": {0, 0, 0, 0, 0, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0},
}

const loadRules = `groups:
- name: load
  interval: 15s
  labels: {team: orders}
  rules:
  - record: load:double
    expr: load * 2 > 4
    labels: {from: load}
  - alert: High
    expr: load:double > 6
    labels: {severity: page}
  - alert: HighFor
    expr: max(load) > 3
    for: 30s
  - alert: HighKept
    expr: load > 3
    for: 15s
    keep_firing_for: 30s
  - alert: Nothing
    expr: rate(no_such_total{a="b"}[1m] offset 15s) > 0 or nowhere > 1
`

func loadMemory(step int64) *Memory {
	m := NewMemory()
	for name, values := range load {
		for i, v := range values {
			m.Add(labels.FromStrings("__name__", "load", "instance", name), int64(i)*step, v)
		}
	}
	return m
}

func states(t *testing.T, text string, step int64, speed float64) map[string][]string {
	t.Helper()
	groups, err := Parse("load.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if groups, err = Scaled(groups, speed); err != nil {
		t.Fatal(err)
	}
	r := Replay{Groups: groups, Begin: 0, End: step * 17, Made: loadMemory(step)}
	alerts, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, a := range alerts {
		for _, s := range a.States {
			what := "pending"
			if s.Firing {
				what = "firing"
			}
			if s.Open {
				what += ", open"
			}
			got[a.Rule.Alert] = append(got[a.Rule.Alert], fmt.Sprintf("%s%s %d-%d", s.Labels.Get("instance"), what, s.Begin*15/step, s.End*15/step))
		}
		if len(a.Absent) > 0 {
			got[a.Rule.Alert] = append(got[a.Rule.Alert], "absent "+strings.Join(a.Absent, ", "))
		}
		if a.Rule.Alert == "High" && a.States[0].Labels.String() != `{alertname="High", from="load", instance="a", severity="page", team="orders"}` {
			t.Errorf("labels %s", a.States[0].Labels)
		}
	}
	return got
}

// An alert is pending for its for, fires until its expression is false, and longer where it is kept; a recording that gives nothing any more is stale at once.
func TestReplayStates(t *testing.T) {
	want := map[string][]string{
		"High":     {"afiring 15-60", "afiring 75-90", "bfiring 75-135", "afiring 150-225"},
		"HighFor":  {"pending 15-45", "firing 45-60", "pending 75-105", "firing 105-135", "pending 150-180", "firing 180-225"},
		"HighKept": {"apending 15-30", "afiring 30-120", "bpending 75-90", "bfiring 90-165", "apending 150-165", "afiring 165-255"},
		"Nothing":  {`absent no_such_total{a="b"}, nowhere`},
	}
	got := states(t, loadRules, 15_000, 1)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(got, states(t, loadRules, 1_000, 15)); d != "" {
		t.Errorf("fifteen times as fast, on data that is (-as written +scaled):\n%s", d)
	}
}

// promtool, where it is installed, sees the same alerts fire at the same instants.
func TestReplayAsPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	groups, err := Parse("load.yaml", []byte(loadRules))
	if err != nil {
		t.Fatal(err)
	}
	r := Replay{Groups: groups, Begin: 0, End: 255_000, Made: loadMemory(15_000)}
	alerts, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// The Debian release knows no labels of groups.
	if err := os.WriteFile(filepath.Join(dir, "load.yaml"), []byte(strings.Replace(loadRules, "  labels: {team: orders}\n", "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("rule_files: [load.yaml]\nevaluation_interval: 15s\ntests:\n- interval: 15s\n  input_series:\n")
	for name, values := range load {
		fmt.Fprintf(&b, "  - {series: 'load{instance=\"%s\"}', values: '%s'}\n", name, strings.Trim(fmt.Sprint(values), "[]"))
	}
	b.WriteString("  alert_rule_test:\n")
	for _, a := range alerts {
		for at := int64(0); at <= 255; at += 15 {
			var firing []string
			for _, s := range a.States {
				if s.Firing && s.Begin <= at*1000 && at*1000 < s.End {
					l := s.Labels.Map()
					delete(l, "alertname")
					delete(l, "team")
					var pairs []string
					for k, v := range l {
						pairs = append(pairs, k+": "+v)
					}
					firing = append(firing, "{exp_labels: {"+strings.Join(pairs, ", ")+"}}")
				}
			}
			fmt.Fprintf(&b, "  - {eval_time: %ds, alertname: %s, exp_alerts: [%s]}\n", at, a.Rule.Alert, strings.Join(firing, ", "))
		}
	}
	test := filepath.Join(dir, "test.yaml")
	if err := os.WriteFile(test, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "test", "rules", test).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, b.String())
	}
}

// What is no rule is refused with file, line and what would be right; too many evaluations are too.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "r.yaml: has no rules"},
		{"unknown", "groups:\n- name: a\n  rules:\n  - alrt: b\n    expr: c\n", "r.yaml: yaml: unmarshal errors:\n  line 4: field alrt not found"},
		{"expression", "groups:\n- name: a\n  rules:\n  - alert: b\n    expr: sum(\n", `r.yaml: 5:11: group "a", rule 1, "b": could not parse expression`},
		{"large", strings.Repeat("#", maxFile+1), "are too large for rules"},
	} {
		if _, err := Parse("r.yaml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
	groups, err := Parse("load.yaml", []byte(loadRules))
	if err != nil {
		t.Fatal(err)
	}
	long := Replay{Groups: groups, End: int64(365 * day / time.Millisecond)}
	if _, err := long.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "evaluations every 15s are too many; at most 20000") {
		t.Errorf("a year: error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(loadRules))
	f.Add([]byte("groups:\n- name: a\n  rules: [{record: b, expr: c[5m:], labels: {d: e}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		groups, err := Parse("r.yaml", data)
		if err != nil {
			return
		}
		if _, err := Scaled(groups, 60); err != nil {
			t.Errorf("took what cannot be scaled: %v", err)
		}
	})
}
