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
