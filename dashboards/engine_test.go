package dashboards

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestEngineLines(t *testing.T) {
	told := func(metric string, q assay.Quantity, warnings ...string) assay.Finding {
		return assay.Finding{Metric: metric, Labels: map[string]string{"engine": "vllm"}, Quantity: q, Warnings: warnings}
	}
	exact := func(v float64, u assay.Unit) assay.Quantity {
		return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: u, N: 10, Of: "observations", Basis: assay.Measured}
	}
	beyond := assay.Quantity{Value: math.NaN(), Lo: 160, Hi: math.Inf(1), Confidence: 1, Unit: assay.Seconds, N: 10, Basis: assay.Measured}
	r := &assay.Report{Findings: []assay.Finding{
		told("engine/ttft/mean", exact(0.25, assay.Seconds), "as the server counts it."),
		told("engine/ttft/p95", assay.Quantity{Value: 0.4, Lo: 0.25, Hi: 0.5, Confidence: 1, Unit: assay.Seconds, N: 10, Basis: assay.Measured}),
		told("engine/e2e/mean", exact(90, assay.Seconds)),
		told("engine/e2e/p95", beyond),
		told("engine/kv_usage/max", exact(0.6, assay.Ratio)),
		told("engine/preemptions", assay.NotMeasured(assay.Count, "vLLM exposed none")),
	}}
	want := []string{
		"vllm: TTFT mean 250 ms, p95 400 ms [250, 500]; end to end mean 90 s, p95 ≥2m40s (10 observations)",
		"KV cache at most 60 % (10 observations)",
		"not measured, because it was not exposed or nothing was counted: preempted",
		"TTFT: as the server counts it",
	}
	if d := cmp.Diff(want, engineLines(r)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := engineLines(&assay.Report{}); got != nil {
		t.Errorf("without an engine: %q", got)
	}
}
