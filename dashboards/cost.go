package dashboards

import (
	"github.com/assay-dev/assay"
)

// coldCost says what cold requests do to the latency of all, "" where that is not known.
func coldCost(r *assay.Report) string {
	s := ""
	if f := r.Find("cold/p99/added"); f != nil && f.Quantity.Known() {
		s += "; they add " + Measure(f.Quantity) + " to p99" + rests(f.Quantity)
	}
	if f := r.Find("cold/flip"); f != nil && f.Quantity.Known() && f.Quantity.Lo > 0.5 { // else it tells nothing yet
		s += "; latencies are cold from " + Measure(f.Quantity) + " of requests on" + rests(f.Quantity)
	}
	if f := r.Find("cold/missed"); f != nil && f.Quantity.Known() && f.Quantity.Value > 0 {
		s += "; cold were " + of(f.Quantity) + " of the missed requests"
	}
	return s
}

// scalingQuality are the words for what is known of how well the number of instances followed the load.
func scalingQuality(r *assay.Report) string {
	var parts []entry
	for _, m := range []struct{ metric, word string }{{"scaling/overshoot", "overshoot"}, {"scaling/to_zero", "to zero"}, {"scaling/detect", "rise seen after"}, {"scaling/held", "requests held"}, {"scaling/fairness", "balance"},
		{"scaling/flaps", "swings"}, {"scaling/in", "fewer after"}} {
		if f := r.Find(m.metric); f != nil && f.Quantity.Known() {
			parts = append(parts, entry{m.word + " " + Measure(f.Quantity), f.Quantity})
		}
	}
	return listed(parts, ", ")
}
