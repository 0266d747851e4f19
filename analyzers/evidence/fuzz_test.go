package evidence

import (
	"encoding/json"
	"testing"

	"github.com/assay-dev/assay"
)

// FuzzPool adds up results that anybody may have written: nothing in them takes the ledger down, and what comes out can be written.
func FuzzPool(f *testing.F) {
	m, r := natural("a", 0, 10, 2, 5)
	drilled(r, "kill", assay.Recovered, 12)
	drilled(r, "kill", assay.Unrecovered, 20)
	raw, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, m.Epoch)
	f.Add([]byte(`{"trust":{"valid":true},"exposure":[{"subject":"service","time_ns":-5,"in":[{"begin_ns":9,"end_ns":3},{"begin_ns":-9223372036854775808,"end_ns":9223372036854775807}]}],"episodes":[{"subject":"service","ledger":"natural","begin_ns":9223372036854775807}]}`), int64(1)<<62)
	f.Add([]byte(`{"trust":{"valid":true},"judged":-7,"findings":[{"metric":"availability/natural","quantity":{"value":-3e300,"of":"failures","n":-1}}]}`), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, epoch int64) {
		var r assay.Report
		if json.Unmarshal(raw, &r) != nil || len(r.Exposure) > 50 || len(r.Episodes) > 50 || len(r.Faults) > 50 {
			return
		}
		m := &assay.Manifest{ID: "x", Target: assay.Target{Name: "t"}, Epoch: epoch}
		other := *m
		other.ID, other.Epoch = "y", epoch+1e9
		min := 3600.0
		o := Options{Now: epoch, Stale: day, Weights: map[string]float64{"kill": 1}, Objectives: []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: &min}, Confidence: .95}, {Objective: assay.Objective{Metric: "mtbf/service", Min: &min}, Confidence: .9, Bad: 60}}}
		if _, err := json.Marshal(Pool([]*Run{Of("x", m, &r, ""), Of("y", &other, &r, "")}, o)); err != nil {
			t.Errorf("%v", err)
		}
	})
}
