package loadgen

import "testing"

// TestGentleFor: a ramp sends what its goals need, with a margin, and is bounded.
func TestGentleFor(t *testing.T) {
	for _, c := range []struct {
		slo    map[string]float64
		want   int
		steady int
	}{
		{map[string]float64{"ttft/mean": 1}, 300, 150},
		{map[string]float64{"ttft/p50": 1}, 300, 150},
		{map[string]float64{"ttft/p95": 1}, 386, 236},
		{map[string]float64{"error_ratio": .01}, 509, 359},
		{map[string]float64{"e2e/p95": 1, "error_ratio": .01}, 509, 359},
		{map[string]float64{"error_ratio": .0001}, 1500, 1350},
	} {
		n := GentleFor(c.slo)
		ramp := Ramp(c.slo, n, Fixed(1), Fixed(1))
		if n != c.want || ramp[2].Max != c.steady || ramp[2].For.Seconds()*6.4 < float64(c.steady) {
			t.Errorf("%v: %d requests, steady %d in %v; want %d, %d", c.slo, n, ramp[2].Max, ramp[2].For, c.want, c.steady)
		}
	}
}
