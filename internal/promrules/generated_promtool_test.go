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

	"github.com/prometheus/prometheus/model/labels"

	"github.com/assay-dev/assay"
)

// promtool, where it is installed, evaluates the rules that are made of a promise on the counters of a run, and sees the page and the ticket fire at each instant at which a replay does.
func TestGeneratedAsPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus)")
	}
	// Rules are evaluated between samples: of ranges that begin with one, Prometheus 2 and 3 make different things.
	const sampled, every, until = 15, 16, 1504 // s
	groups, notes := Generate([]assay.SLO{{Name: "good", Target: .999, Window: int64(30 * day), Good: assay.Indicator{Metric: "availability"}}})
	raw, err := Write(groups, notes)
	if err != nil {
		t.Fatal(err)
	}
	// Ten requests a second, of which all fail from 300 s to 420 s.
	made, series := NewMemory(), ""
	for outcome, failing := range map[string]bool{"ok": false, "server_error": true} {
		sum, values := 0, []string{}
		for at := 0; at <= until; at += sampled {
			if at > 0 && (at > 300 && at <= 420) == failing {
				sum += 10 * sampled
			}
			values = append(values, fmt.Sprint(sum))
			made.Add(labels.FromStrings("__name__", RequestSeries, "outcome", outcome), int64(at)*1000, float64(sum))
		}
		series += fmt.Sprintf("  - {series: '%s{outcome=\"%s\"}', values: '%s'}\n", RequestSeries, outcome, strings.Join(values, " "))
	}
	r := Replay{Groups: groups, End: until * 1000, Every: every * time.Second, Made: made}
	alerts, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [rules.yaml]\nevaluation_interval: %ds\ngroup_eval_order: [%s, %s, %s]\ntests:\n- interval: %ds\n  input_series:\n%s  alert_rule_test:\n",
		every, groups[0].Name, groups[1].Name, groups[2].Name, sampled, series) // promtool takes groups in any order else
	fired := map[string]int{}
	for at := int64(0); at < until; at += every {
		var firing []string
		for _, a := range alerts {
			for _, s := range a.States {
				if s.Firing && s.Begin <= at*1000 && at*1000 < s.End {
					fired[a.Rule.Labels[labelSeverity]]++
					var pairs []string
					for k, v := range s.Labels.Map() {
						if k != "alertname" {
							pairs = append(pairs, k+": "+v)
						}
					}
					title := "(" + a.Rule.Labels[labelSeverity] + ") service good SLO error budget burn rate is too fast."
					firing = append(firing, fmt.Sprintf("{exp_labels: {%s}, exp_annotations: {title: '%s', summary: 'service good SLO error budget burn rate is over expected.'}}", strings.Join(pairs, ", "), title))
				}
			}
		}
		fmt.Fprintf(&b, "  - {eval_time: %ds, alertname: GoodSLO, exp_alerts: [%s]}\n", at, strings.Join(firing, ", "))
	}
	if fired["page"] == 0 || fired["page"] > until/every-20 || fired["ticket"] == 0 {
		t.Fatalf("fired at %v of %d instants: that shows nothing", fired, until/every)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": string(raw), "test.yaml": b.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", filepath.Join(dir, "rules.yaml")}, {"test", "rules", filepath.Join(dir, "test.yaml")}} {
		if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%.3000s", strings.Join(args[:2], " "), err, out)
		}
	}
}
