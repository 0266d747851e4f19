package stat

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestRateChange(t *testing.T) {
	for _, c := range []struct {
		counts        []int
		before, after float64
		want          [3]int
	}{
		{[]int{0, 0, 0, 9, 11, 10}, 0, 10, [3]int{3, 3, 3}},
		{[]int{9, 11, 10, 0, 0, 0}, 10, 0, [3]int{3, 3, 3}},
		{[]int{2, 2, 2, 2}, 1, 4, [3]int{4, 0, 4}},
		{nil, 1, 2, [3]int{0, 0, 0}},
	} {
		at, lo, hi := RateChange(c.counts, c.before, c.after, .95)
		if got := [3]int{at, lo, hi}; got != c.want {
			t.Errorf("%v from %g to %g: got %v, want %v", c.counts, c.before, c.after, got, c.want)
		}
	}
	// The interval holds the truth as often as it says, and more where bins are coarse.
	rng := rand.New(rand.NewPCG(1, 2))
	held, const1000 := 0, 1000
	for range const1000 {
		truth := rng.IntN(61)
		counts := make([]int, 60)
		for i := range counts {
			rate := 2.0
			if i >= truth {
				rate = 4
			}
			counts[i] = int(distuv.Poisson{Lambda: rate, Src: rng}.Rand())
		}
		if _, lo, hi := RateChange(counts, 2, 4, .9); lo <= truth && truth <= hi {
			held++
		}
	}
	if held < 880 {
		t.Errorf("the truth lay in %d of %d intervals of 90 %%", held, const1000)
	}
}
