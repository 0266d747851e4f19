package facts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// TestLimits: a request is held to the objectives on its own phase and class, and of several to that on the highest quantile.
func TestLimits(t *testing.T) {
	goal := func(metric string, max float64, labels ...string) assay.Objective {
		o := assay.Objective{Metric: metric, Max: &max}
		for i := 0; i < len(labels); i += 2 {
			if o.Labels == nil {
				o.Labels = map[string]string{}
			}
			o.Labels[labels[i]] = labels[i+1]
		}
		return o
	}
	floor := 1.0
	answer := func(first, end int64, phase, class string) assay.Request {
		return assay.Request{Due: second, FirstToken: second + first*ms, End: second + end*ms, Phase: phase, Class: class, Outcome: assay.OK}
	}
	for _, c := range []struct {
		name string
		of   []assay.Objective
		r    assay.Request
		want string
	}{
		{"the median holds no request", []assay.Objective{goal("ttft/p50", .1), goal("ttft/p99", 2)}, answer(500, 600, "a", ""), ""},
		{"nor alone", []assay.Objective{goal("ttft/p50", .1), goal("e2e/mean", .1)}, answer(500, 600, "a", ""), ""},
		{"the highest quantile does", []assay.Objective{goal("ttft/p90", .1), goal("ttft/p99", 2)}, answer(2001, 2100, "a", ""), "ttft/p99"},
		{"whatever their order", []assay.Objective{goal("ttft/p99.9", 2), goal("ttft/p95", .1)}, answer(500, 600, "a", ""), ""},
		{"max is the highest", []assay.Objective{goal("e2e/max", 1), goal("e2e/p99", .5)}, answer(500, 1001, "a", ""), "e2e/max"},
		{"of one quantile the tighter", []assay.Objective{goal("e2e/p95", 1), goal("e2e/p95", .5), goal("e2e/p95", 2)}, answer(1, 600, "a", ""), "e2e/p95"},
		{"each class has its own", []assay.Objective{goal("e2e/p95", .3, "class", "chat"), goal("e2e/p95", 5, "class", "batch")}, answer(1, 400, "a", "batch"), ""},
		{"and is held to it", []assay.Objective{goal("e2e/p95", .3, "class", "chat"), goal("e2e/p95", 5, "class", "batch")}, answer(1, 400, "a", "chat"), "e2e/p95 class chat"},
		{"so has each phase", []assay.Objective{goal("e2e/p95", .3, "phase", "a"), goal("e2e/p95", 5, "phase", "b")}, answer(1, 400, "b", ""), ""},
		{"one on all holds a class too", []assay.Objective{goal("e2e/p95", .3), goal("e2e/p99", 5, "class", "batch")}, answer(1, 400, "a", "batch"), "e2e/p95"},
		{"of several families the first", []assay.Objective{goal("e2e/p95", .3), goal("ttft/p95", .3)}, answer(400, 400, "a", ""), "ttft/p95"},
		{"cold ones hold no warm one", []assay.Objective{goal("e2e/p95", .3, "cold", "cold")}, answer(1, 400, "a", ""), ""},
		{"a floor is no limit", []assay.Objective{{Metric: "e2e/p95", Min: &floor}}, answer(1, 400, "a", ""), ""},
	} {
		got := ""
		if l := facts.LimitsOf(&assay.Manifest{Objectives: c.of}).Missed(&c.r); l != nil {
			got = l.Name()
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
