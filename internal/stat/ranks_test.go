package stat

import (
	"math"
	"testing"
)

// TestLeastRanks: the smallest samples of which all of one below all of the other, 1 of C(2n, n), leaves a tail at most.
func TestLeastRanks(t *testing.T) {
	for confidence, want := range map[float64]int{.5: 2, .8: 3, .9: 3, .95: 4, .99: 5, .999: 7} {
		n := LeastRanks(confidence)
		if n != want {
			t.Errorf("%g: %d, want %d", confidence, n, want)
		}
		for m, bounded := range map[int]bool{n: true, n - 1: false} {
			var x, y []float64
			for i := range m {
				x, y = append(x, float64(i)+.3), append(y, float64(i)+.01*float64(i+1))
			}
			if r := MannWhitney(x, y, confidence); !math.IsInf(r.In.Lo, 0) != bounded {
				t.Errorf("%g with %d values: %+v", confidence, m, r)
			}
		}
	}
}
