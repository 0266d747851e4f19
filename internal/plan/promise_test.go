package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

const promiseHead = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload: [{name: a, for: 9s, arrivals: {even: {rate: 8/s}}}]\n"

// An objective with a target is a promise with a budget, and asks that the target holds.
func TestPromises(t *testing.T) {
	p, err := Parse("plan.yaml", []byte(promiseHead+`objectives:
  - {metric: availability/natural, target: 99.9%}
  - {metric: e2e, max: 800ms, target: 0.95, window: 4w, phase: a}
  - {metric: ttft, max: 1s, target: 99%, window: 12h, name: first-token}
  - {metric: ttft/p95, max: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	objectives, err := p.Validate(kinds)
	if err != nil {
		t.Fatal(err)
	}
	const d = int64(24 * time.Hour)
	want := []assay.SLO{
		{Name: "availability", Service: "t", Target: .999, Window: 30 * d, From: "objectives[0]", Good: assay.Indicator{Metric: "availability"}},
		{Name: "e2e-800ms-a", Service: "t", Target: .95, Window: 28 * d, From: "objectives[1]", Good: assay.Indicator{Metric: "e2e", Max: 8e8, Phase: "a"}},
		{Name: "first-token", Service: "t", Target: .99, Window: d / 2, From: "objectives[2]", Good: assay.Indicator{Metric: "ttft", Max: 1e9}},
	}
	if diff := cmp.Diff(want, p.Promises()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	target := .95
	if diff := cmp.Diff(assay.Objective{Metric: "slo/good", Labels: map[string]string{"slo": "e2e-800ms-a"}, Min: &target, Unit: assay.Ratio}, objectives[1]); diff != "" || len(objectives) != 4 {
		t.Errorf("%d objectives, the second (-want +got):\n%s", len(objectives), diff)
	}
	raw, _, err := p.JSON()
	if err != nil || !strings.Contains(string(raw), `{"metric":"e2e","phase":"a","max":"800ms","target":"0.95","window":"28d"}`) {
		t.Errorf("as JSON: %v %s", err, raw)
	}
}

func TestPromiseErrors(t *testing.T) {
	for _, c := range []struct{ objective, want string }{
		{"{metric: ttft/p95, max: 1s, target: 99%}", `objectives[0].metric: "ttft/p95" is no metric that a target is a share of; one of availability, ttft, e2e, tpot`},
		{"{metric: availability, target: 100%}", "objectives[0].target: 1 leaves no budget"},
		{"{metric: availability, target: 2s}", `objectives[0].target: "2s" has the wrong unit`},
		{"{metric: availability, target: 99%, max: 2s}", "objectives[0].max: belongs to a latency"},
		{"{metric: e2e, target: 99%}", "objectives[0]: needs max: how slow a good request may be"},
		{"{metric: e2e, max: 2%, target: 99%}", `objectives[0].max: "2%" has the wrong unit`},
		{"{metric: e2e, max: 0s, target: 99%}", "objectives[0].max: no request is that fast"},
		{"{metric: e2e, max: 2s, target: 99%, cold: all}", "objectives[0].cold: does not go with target"},
		{"{metric: e2e, max: 2s, target: 99%, class: b}", `objectives[0].class: no load has class "b"`},
		{"{metric: e2e, max: 2s, target: 99%, window: 30}", `objectives[0].window: "30" is no window of a budget; write for example 30d, 4w or 12h`},
		{"{metric: e2e, max: 2s, target: 99%, window: 2y}", `is no window of a budget`},
		{"{metric: e2e/p95, max: 2s, window: 30d}", "objectives[0].window: belongs to target"},
		{"{metric: availability, target: 99%, name: a b}", `objectives[0].name: "a b" is not a name`},
		{"{metric: availability, target: 99%}, {metric: availability, target: 99.9%}", "objectives[1]: is the second promise with the name availability"},
	} {
		p, err := Parse("plan.yaml", []byte(promiseHead+"objectives: ["+c.objective+"]\n"))
		if err == nil {
			_, err = p.Validate(kinds)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.objective, err, c.want)
		}
	}
	if _, err := Parse("plan.yaml", []byte(promiseHead+"slo: {files: []}\n")); err == nil || !strings.Contains(err.Error(), "slo.files: is empty") {
		t.Errorf("no files: error %v", err)
	}
}
