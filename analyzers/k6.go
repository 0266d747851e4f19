package analyzers

import (
	"github.com/assay-dev/assay"
)

// K6 reports what k6 found of the thresholds of its scripts: its own verdicts, from all values and without an interval.
type K6 struct{}

// MetricK6 is the metric of a k6 threshold. Its findings have the label threshold, "metric: expression", and the label phase where
// the script was a phase of a plan.
const MetricK6 = "k6/threshold"

// Describe returns the metric.
func (K6) Describe() []assay.Desc {
	return []assay.Desc{{Metric: MetricK6, Unit: assay.Ratio, Better: "higher",
		Help: "Share of the k6 processes in which a threshold of the script held at the end, as k6 judged it: over all its values, without an interval."}}
}

// Begin starts a pass.
func (K6) Begin(f *assay.Facts) assay.Pass { return &k6Pass{f: f} }

type k6Pass struct{ f *assay.Facts }

func (p *k6Pass) Requests([]assay.Request) {}

// Finish counts the verdicts, which k6 gives as events.
func (p *k6Pass) Finish(r *assay.Report) error {
	type key struct{ phase, threshold string }
	type tally struct{ n, held int }
	var order []key
	seen := map[key]*tally{}
	for i := range p.f.Events {
		e := &p.f.Events[i]
		metric, source, ok := e.Attrs["k6.metric"], e.Attrs["k6.threshold"], e.Attrs["ok"]
		if metric == "" || source == "" || ok == "" {
			continue
		}
		k := key{e.Phase, metric + ": " + source}
		t := seen[k]
		if t == nil {
			t = &tally{}
			seen[k] = t
			order = append(order, k)
		}
		t.n++
		if ok == "true" {
			t.held++
		}
	}
	for _, k := range order {
		t := seen[k]
		labels := map[string]string{"threshold": k.threshold}
		if k.phase != "" {
			labels["phase"] = k.phase
		}
		r.Findings = append(r.Findings, assay.Finding{Metric: MetricK6, Labels: labels,
			Quantity: counted(float64(t.held)/float64(t.n), assay.Ratio, t.n, "processes", "k6's own verdict at the end")})
	}
	return nil
}
