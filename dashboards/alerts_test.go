package dashboards

import (
	"math"
	"testing"

	"github.com/assay-dev/assay"
)

func TestAlertsLine(t *testing.T) {
	of := func(name string, q assay.Quantity) assay.Finding {
		return assay.Finding{Metric: "alert/delay", Labels: map[string]string{"alert": name}, Quantity: q}
	}
	seen := func(v, lo, hi float64) assay.Quantity {
		return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: 1, Unit: assay.Seconds, N: 1, Method: "looks", Basis: assay.Measured}
	}
	r := &assay.Report{Findings: []assay.Finding{of("Slow", seen(4, 2, 4)), of("Down", seen(math.NaN(), 30, math.Inf(1))), of("Lost", assay.NotMeasured(assay.Seconds, "no fault was applied"))}}
	want := "Slow fired 4 s [2, 4] after the first fault; Down DID NOT FIRE in the 30 s from the first fault on; Lost not measured, because no fault was applied"
	if got := alertsLine(r); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := alertsLine(&assay.Report{}); got != "" {
		t.Errorf("a run without: %q", got)
	}
}
