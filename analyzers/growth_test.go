package analyzers

import (
	"math"
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

// A server makes a counter with the first thing that it counts: what is new of an exporter that was looked at before without it began at zero, and what an exporter brings with it did not.
func TestCountersThatAreBorn(t *testing.T) {
	failed := func(instance string, at func(int) float64) told {
		return told{"http_requests_total{status=5xx,method=POST,handler=/v1/chat/completions,instance=" + instance + "}", at}
	}
	served := func(instance string, since float64) told {
		return told{"http_requests_total{status=2xx,method=POST,handler=/v1/chat/completions,instance=" + instance + "}", after(math.NaN(), since, 100, since+1, 200)}
	}
	for _, c := range []struct {
		name string
		told []told
		want float64
	}{
		{"born", []told{served("a", 0), failed("a", after(math.NaN(), 4, 40))}, 40},
		{"born at the last look", []told{served("a", 0), failed("a", after(math.NaN(), 9, 40))}, 40},
		{"born and growing", []told{served("a", 0), failed("a", after(math.NaN(), 4, 40, 6, 45))}, 45},
		{"there from the first look on", []told{served("a", 0), failed("a", after(40, 6, 45))}, 5},
		{"of an exporter that is new itself", []told{served("a", 0), served("b", 4), failed("b", after(math.NaN(), 4, 40, 6, 45))}, 5},
		{"of another exporter", []told{served("a", 0), served("b", 0), failed("b", after(math.NaN(), 4, 7)), failed("a", after(3, 4, 4))}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Assess(t.Context(), minutes(t, 10, c.told...), Options{Kinds: only("engine")})
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Findings {
				if x := &r.Findings[i]; x.Metric == "engine/failures" && x.Quantity.Known() {
					if x.Quantity.Value != c.want {
						t.Errorf("failures %s, want %g", x.Quantity, c.want)
					}
					return
				}
			}
			t.Error("no failures told")
		})
	}
}
