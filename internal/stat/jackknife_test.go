package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Of a mean the jackknife is Student's interval itself; of a ratio of sums it covers as often as it says.
func TestJackknife(t *testing.T) {
	x := []float64{3, 5, 4, 8, 6, 7}
	half := StudentT(0.975, 5) * math.Sqrt(3.5/6) // of variance 3.5
	got, in := Jackknife(len(x), 0.95, func(without int) float64 {
		s, n := 0.0, 0.0
		for i, v := range x {
			if i != without {
				s, n = s+v, n+1
			}
		}
		return s / n
	})
	if math.Abs(got-5.5) > 1e-12 || math.Abs(in.Lo-5.5+half) > 1e-9 || math.Abs(in.Hi-5.5-half) > 1e-9 {
		t.Errorf("%v %v, want 5.5 and %v to each side", got, in, half)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	missed := 0
	for range 2000 {
		a, b := make([]float64, 30), make([]float64, 30)
		sa, sb := 0.0, 0.0
		for i := range a {
			b[i] = 5 + rng.Float64()*3
			a[i] = b[i]*0.8 + rng.NormFloat64()
			sa, sb = sa+a[i], sb+b[i]
		}
		_, in := Jackknife(30, 0.95, func(i int) float64 {
			if i < 0 {
				return sa / sb
			}
			return (sa - a[i]) / (sb - b[i])
		})
		if in.Lo > 0.8 || in.Hi < 0.8 {
			missed++
		}
	}
	if missed < 60 || missed > 150 { // 100 expected, five standard deviations are 49
		t.Errorf("%d of 2000 intervals miss", missed)
	}
	if _, in := Jackknife(1, 0.95, func(int) float64 { return 1 }); !math.IsInf(in.Hi, 1) {
		t.Errorf("of one value: %v", in)
	}
}
