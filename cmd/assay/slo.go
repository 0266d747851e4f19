package main

import (
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
)

// sloHelp is what --slo takes.
const sloHelp = "what must hold, for example ttft/p95=2s or error_ratio=1%; repeatable"

// objectivesOf reads the values of --slo: a metric and its bound, an upper one unless more of the metric is better.
func objectivesOf(slo []string) ([]assay.Objective, error) {
	var out []assay.Objective
	for _, text := range slo {
		metric, bound, ok := strings.Cut(text, "=")
		if !ok {
			return nil, exit(assay.ExitUsage, "--slo %q: write metric=bound, for example ttft/p95=2s", text)
		}
		var v plan.Value
		if err := v.UnmarshalText([]byte(bound)); err != nil {
			return nil, exit(assay.ExitUsage, "--slo %s: %v", metric, err)
		}
		d, known := kinds().Metrics(metric)
		if !known {
			return nil, exit(assay.ExitUsage, "--slo %q is no metric; for example ttft/p95, e2e/p95 or error_ratio", metric)
		}
		limit, err := v.In(d.Unit)
		if err != nil {
			return nil, exit(assay.ExitUsage, "--slo %s: %v", metric, err)
		}
		o := assay.Objective{Metric: metric, Unit: d.Unit}
		if d.Better == "higher" {
			o.Min = &limit
		} else {
			o.Max = &limit
		}
		out = append(out, o)
	}
	return out, nil
}
