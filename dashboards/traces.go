package dashboards

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// tracesText says in a line what came of the traces that requests ask for: how many, how late, and how much of the time they explain. "" where none came.
func tracesText(r *assay.Report) string {
	sampled, covered := r.Find("trace/sampled"), r.Find("trace/coverage")
	if sampled == nil || !sampled.Quantity.Known() || sampled.Quantity.Value == 0 {
		return ""
	}
	q := sampled.Quantity
	parts := []string{fmt.Sprintf("traces: sampled %s %% (n %s)", percent(q.Value), Integer(q.N))}
	if covered != nil && covered.Quantity.Known() {
		parts = append(parts, fmt.Sprintf("they explain %s %% of the end-to-end time (n %s)", percent(roundShare(covered.Quantity.Value)), Integer(covered.Quantity.N)))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric != "trace/late/p50" {
			continue
		}
		of := func(name string) string {
			for j := range r.Findings {
				if l := &r.Findings[j]; l.Metric == "trace/late/"+name && l.Labels["source"] == f.Labels["source"] {
					return Measure(l.Quantity)
				}
			}
			return "?"
		}
		parts = append(parts, fmt.Sprintf("by %s spans came %s after their end at the median, %s at p95, at most %s (n %s)", f.Labels["source"], Measure(f.Quantity), of("p95"), of("max"), Integer(f.Quantity.N)))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric == "validity/late" && f.Quantity.Known() {
			parts = append(parts, fmt.Sprintf("from %s the last trace came %s after the load (n %s)", f.Labels["store"], Measure(f.Quantity), Integer(f.Quantity.N)))
		}
	}
	return strings.Join(parts, "; ")
}
