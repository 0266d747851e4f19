package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Beyond a hundred times the chance is that of the normal distribution, which at a hundred is as good as exact.
func TestArrangementsOfMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var between []float64
	for i := range 101 {
		between = append(between, rng.Float64()+float64(i)/300)
	}
	r, of, few, _ := Arrangements(between[:100])
	r2, of2, many, atMost := Arrangements(between)
	if of != 4950 || of2 != 5050 || r2-r > 100 || !(few > 0 && few < 0.2 && math.Abs(many-few) < 0.05) || atMost < 0.8 {
		t.Errorf("%d of %d, p %g; %d of %d, p %g and %g", r, of, few, r2, of2, many, atMost)
	}
}

// Pairs are counted as by looking at each, ties and all.
func TestArrangementsCountsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for n := range 40 {
		between := make([]float64, n)
		want := 0
		for i := range between {
			between[i] = float64(rng.IntN(12))
			for _, b := range between[:i] {
				if between[i] > b {
					want++
				}
			}
		}
		if r, _, _, _ := Arrangements(between); r != want {
			t.Errorf("%v: got %d, want %d", between, r, want)
		}
	}
}

// Tables of chi-square: 3.247 and 20.483 on 10 degrees of freedom at 2.5 and 97.5 %, 6.179 and 13.442 at 20 and 80 %. With that shape the test finds a trend as often as it says.
func TestTrendSeen(t *testing.T) {
	lo, hi := TrendSeen(5, .05, .8)
	if math.Abs(lo-6.179/20.483) > 1e-4 || math.Abs(hi-13.442/3.247) > 1e-3 {
		t.Errorf("got %g %g", lo, hi)
	}
	for _, beta := range []float64{lo, hi} {
		rng := rand.New(rand.NewPCG(1, 1))
		found, n := 0, 4000
		for range n {
			ages := make([]float64, 5)
			for i := range ages {
				ages[i] = math.Pow(rng.Float64(), 1/beta)
			}
			if TrendOf(ages, 1).MilHdbkP < .05 {
				found++
			}
		}
		if got := float64(found) / float64(n); math.Abs(got-.8) > .025 {
			t.Errorf("shape %g: found in %g, want 0.8", beta, got)
		}
	}
}
