package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestJain(t *testing.T) {
	for _, tc := range []struct {
		x    []float64
		want float64
	}{
		{[]float64{3, 3, 3}, 1},
		{[]float64{0, 0, 5, 0}, 0.25},
		{[]float64{1, 2, 3}, 36.0 / 42}, // (Σx)²/(nΣx²)
		{nil, math.NaN()},
		{[]float64{0, 0}, math.NaN()},
	} {
		if got := Jain(tc.x); got != tc.want && !(math.IsNaN(got) && math.IsNaN(tc.want)) {
			t.Errorf("Jain(%v) = %v, want %v", tc.x, got, tc.want)
		}
	}
}

// Whatever lies within the intervals has an index within the bounds, and the bounds are reached.
func TestJainBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	for range 300 {
		in := make([]Interval, 2+rng.IntN(4))
		for i := range in {
			a, b := rng.Float64(), rng.Float64()
			in[i] = Interval{Lo: min(a, b), Hi: max(a, b)}
		}
		lo, hi := JainBounds(in)
		least, most := 1.0, 0.0
		x := make([]float64, len(in))
		for k := range 4000 {
			for i := range x {
				u := rng.Float64()
				if k%2 == 0 { // corners
					u = math.Round(u)
				}
				x[i] = in[i].Lo + u*(in[i].Hi-in[i].Lo)
			}
			j := Jain(x)
			least, most = min(least, j), max(most, j)
		}
		if least < lo-1e-12 || most > hi+1e-12 || least > lo+1e-9 || most < hi-0.1 {
			t.Errorf("%v: bounds %v to %v, seen %v to %v", in, lo, hi, least, most)
		}
	}
}
