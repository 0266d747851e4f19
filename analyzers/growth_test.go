package analyzers

import (
	"testing"

	"github.com/assay-dev/assay"
)

// What counters of errors grew by in a short run is the last look less the first, with what was counted since a reset, and not what PromQL's increase makes of it at both ends.
func TestErrorsAreCountedWhole(t *testing.T) {
	failed := func(instance string, at func(int) float64) told {
		return told{"http_requests_total{status=5xx,method=POST,handler=/v1/chat/completions,instance=" + instance + "}", at}
	}
	served := told{"http_requests_total{status=2xx,method=POST,handler=/v1/chat/completions,instance=a}", func(minute int) float64 { return float64(10 * minute) }}
	r, err := Assess(t.Context(), minutes(t, 7, served, failed("a", after(3, 2, 5, 4, 1)), failed("b", after(7, 5, 8))), Options{Kinds: only("engine")})
	if err != nil {
		t.Fatal(err)
	}
	var got *assay.Finding
	for i := range r.Findings {
		if x := &r.Findings[i]; x.Metric == "engine/failures" && x.Quantity.Known() {
			got = x
		}
	}
	if got == nil || got.Quantity.Value != 4 { // 3 to 5, then 1 since it began anew; 7 to 8
		t.Errorf("failures %+v, want 4", got)
	}
}
