package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestK6 counts verdicts by threshold and phase, and judges by them.
func TestK6(t *testing.T) {
	verdict := func(phase, metric, source, ok string) assay.Event {
		return assay.Event{Kind: assay.EventAnnotation, Source: "k6", Phase: phase, Attrs: map[string]string{"k6.metric": metric, "k6.threshold": source, "ok": ok}}
	}
	f := &assay.Facts{Events: []assay.Event{
		verdict("", "checks", "rate==1", "true"), verdict("", "checks", "rate==1", "false"), verdict("", "checks", "rate==1", "true"), verdict("", "checks", "rate==1", "true"),
		verdict("x", "checks", "rate==1", "true"),
		{Kind: assay.EventAnnotation, Text: "something else"},
	}}
	r := &assay.Report{Trust: assay.Trust{Valid: true}}
	if err := (K6{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	want := []assay.Finding{
		{Metric: MetricK6, Labels: map[string]string{"threshold": "checks: rate==1"}, Quantity: counted(0.75, assay.Ratio, 4, "processes", "k6's own verdict at the end")},
		{Metric: MetricK6, Labels: map[string]string{"threshold": "checks: rate==1", "phase": "x"}, Quantity: counted(1, assay.Ratio, 1, "processes", "k6's own verdict at the end")},
	}
	if diff := cmp.Diff(want, r.Findings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := 1.0
	for phase, verdict := range map[string]assay.Verdict{"": assay.VerdictFail, "x": assay.VerdictPass} {
		labels := map[string]string{"threshold": "checks: rate==1"}
		if phase != "" {
			labels["phase"] = phase
		}
		if j := judge(r, &assay.Objective{Metric: MetricK6, Labels: labels, Min: &one}); j.Verdict != verdict {
			t.Errorf("phase %q: %+v, want %s", phase, j, verdict)
		}
	}
}
