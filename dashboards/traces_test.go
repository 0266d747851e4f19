package dashboards

import (
	"testing"

	"github.com/assay-dev/assay"
)

func TestTracesText(t *testing.T) {
	share := func(v float64, n int) assay.Quantity {
		return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: assay.Ratio, N: n}
	}
	late := func(v float64) assay.Quantity {
		return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: assay.Seconds, N: 400}
	}
	otlp, tempo := map[string]string{"source": "otlp"}, map[string]string{"store": "tempo"}
	all := []assay.Finding{{Metric: "trace/sampled", Quantity: share(0.9, 40)}, {Metric: "trace/coverage", Quantity: share(0.66, 38)},
		{Metric: "trace/late/p50", Labels: otlp, Quantity: late(1.2)}, {Metric: "trace/late/p95", Labels: otlp, Quantity: late(5)}, {Metric: "trace/late/max", Labels: otlp, Quantity: late(5.5)},
		{Metric: "validity/late", Labels: tempo, Quantity: late(12)}}
	for n, want := range map[int]string{
		0: "",
		1: "traces: sampled 90 % (n 40)",
		6: "traces: sampled 90 % (n 40); they explain 66 % of the end-to-end time (n 38); by otlp spans came 1.2 s after their end at the median, 5 s at p95, at most 5.5 s (n 400); from tempo the last trace came 12 s after the load (n 400)",
	} {
		if got := tracesText(&assay.Report{Findings: all[:n]}); got != want {
			t.Errorf("%d findings: got %q, want %q", n, got, want)
		}
	}
}
