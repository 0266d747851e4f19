package dashboards

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestCoverageLines(t *testing.T) {
	secs := func(m string, v float64) assay.Finding {
		return assay.Finding{Metric: m, Quantity: est(assay.Seconds, v, v/2, v*3, 4, "repairs", "lognormal"), Evidence: []string{"5 repairs, of which 4 ended and 1 had not when last seen"}}
	}
	r := &assay.Report{Findings: []assay.Finding{
		{Metric: "recovery/coverage", Quantity: est(assay.Ratio, 0.95, 0.87, 0.98, 80, "faults", "by kind of fault, weighed by assumed rates; weighted sum"), Warnings: []string{"oom is assumed to strike"}},
		{Metric: "blast/requests", Quantity: exact(assay.Ratio, 0.4, 2, "faults")}, {Metric: "blast/users", Quantity: exact(assay.Ratio, 0.5, 2, "faults")},
		secs("mttr/user/median", 4), secs("mttr/user/mean", 6), secs("mttr/service/median", 2),
		{Metric: "whatif/unavailability", Quantity: est(assay.Ratio, 1e-4, 5e-5, 2e-4, 2, "faults", "what-if"), Evidence: []string{"assumed: one kill each 30 days"}, Warnings: []string{"a what-if"}},
	}}
	want := []string{
		"coverage 95 % [87, 98 %] of 80 faults, by kind, weighed by assumed rates; oom is assumed to strike",
		"blast radius of the worst of 2 faults: 40 % of requests, 50 % of users in its window and washout",
		"time to repair: user median 4 s [2, 12], mean 6 s [3, 18] (5 repairs, of which 4 ended and 1 had not when last seen)",
		"WHAT-IF 0.01 % [0.005, 0.02 %] of full service lost, by 2 faults; assumed: one kill each 30 days; a what-if",
	}
	if d := cmp.Diff(want, coverageLines(r)); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	if got := mttrLine(r, "service"); got != "time to repair: service median 2 s [1, 6] (5 repairs, of which 4 ended and 1 had not when last seen)" {
		t.Errorf("got %q", got)
	}
}

func TestLongestRepair(t *testing.T) {
	secs := func(v float64) assay.Quantity { return meas(assay.Seconds, v, 0, 1, "failure", "m") }
	r := &assay.Report{Begin: sec, Repairs: []assay.Repair{
		{Begin: 5 * sec, Down: secs(3), Detect: secs(1), Isolate: secs(0), Restore: secs(2), Verify: secs(9), Total: secs(12)},
		{Begin: 31 * sec, Down: secs(8), Detect: secs(1.5), Isolate: secs(0.5), Restore: secs(6), Verify: secs(1), Total: secs(9)}}}
	if got := longestRepair(r); got != "longest failure, at 30 s: users were down 8 s = detect 1.5 s + isolate 500 ms + restore 6 s; 1 s more to verify that it was over" {
		t.Errorf("got %q", got)
	}
	no := assay.NotMeasured(assay.Seconds, "no reaction of the platform was seen in it")
	r.Repairs = []assay.Repair{{Begin: 5 * sec, Down: secs(3), Detect: no, Isolate: no, Restore: no, Verify: secs(1), Total: secs(4)}}
	if got := longestRepair(r); got != "longest failure, at 4 s: users were down 3 s; no reaction of the platform was seen in it; 1 s more to verify that it was over" {
		t.Errorf("got %q", got)
	}
	if got := longestRepair(&assay.Report{}); got != "" {
		t.Errorf("without a failure %q", got)
	}
}
