package dashboards

import (
	"testing"

	"github.com/assay-dev/assay"
)

// The cold requests of a recording are told of, whether a start was seen or not.
func TestColdRequestsOfARecording(t *testing.T) {
	of := func(metric string, v float64) assay.Finding {
		return assay.Finding{Metric: metric, Labels: map[string]string{"cold": "cold"}, Quantity: assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: assay.Seconds, N: 4, Basis: assay.Measured}}
	}
	r := &assay.Report{Findings: []assay.Finding{of("e2e/p50", 4), of("e2e/max", 6.5)}}
	const want = "not measured, because no instance started in the run; 4 cold requests: E2E p50 4 s, max 6.5 s"
	if got := coldLine(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Findings[0].Quantity = assay.NotMeasured(assay.Seconds, "no request of this selection has it")
	if got, want := coldLine(r), "not measured, because no instance started in the run"; got != want {
		t.Errorf("none cold: got %s, want %s", got, want)
	}
}

// What a run cannot show is not laid to a want of spans where there are some.
func TestSpansThatNoRequestNames(t *testing.T) {
	r := &assay.Report{}
	if got, want := unseen(r), "limit, faults, instances, cold starts, bottleneck, scaling: not measured, because the run has no fault, no span and no event of an instance"; got != want {
		t.Errorf("no spans: %s, want %s", got, want)
	}
	r.Findings = []assay.Finding{{Metric: "bottleneck/unexplained", Quantity: assay.NotMeasured(assay.Ratio, "there are 4 spans, and 0 of 2 requests name a trace")}}
	if got, want := unseen(r), "limit, faults, instances, cold starts, scaling: not measured, because the run has no fault and no event of an instance; bottleneck: not measured, because there are 4 spans, and 0 of 2 requests name a trace"; got != want {
		t.Errorf("no trace is named: %s, want %s", got, want)
	}
}
