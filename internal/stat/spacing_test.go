package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDispersion(t *testing.T) {
	var even, burst, poisson []float64
	rng := rand.New(rand.NewPCG(1, 1))
	at := 0.0
	for i := range 20000 {
		even = append(even, float64(i))
		burst = append(burst, float64(i/4*4)) // four at once
		at += rng.ExpFloat64()
		poisson = append(poisson, at)
	}
	for _, c := range []struct {
		name        string
		times       []float64
		least, most float64
	}{{"even", even, 0, 1e-9}, {"in fours", burst, .3, .45}, {"poisson", poisson, .9, 1.1}} {
		if got := Dispersion(c.times, 10); got < c.least || got > c.most {
			t.Errorf("%s: %g, want %g to %g", c.name, got, c.least, c.most)
		}
	}
	if !math.IsNaN(Dispersion(even[:10], 9)) || !math.IsNaN(Dispersion(nil, 1)) {
		t.Error("dispersion of less than two windows")
	}
}

func TestKSWithin(t *testing.T) {
	a := []float64{1, 2, 3, 4}
	for _, c := range []struct {
		b           []float64
		slack, want float64
	}{{a, 0, 0}, {[]float64{1.1, 2.1, 3.1, 4.1}, 0, .25}, {[]float64{1.1, 2.1, 3.1, 4.1}, .2, 0}, {[]float64{5, 6}, .5, 1}, {[]float64{1, 1, 4, 4}, 0, .25}, {[]float64{0, 0, 0, 4}, .5, .75}} {
		if got := KSWithin(a, c.b, c.slack); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v within %g: %g, want %g", c.b, c.slack, got, c.want)
		}
		if got := KSWithin(c.b, a, c.slack); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v within %g, other way: %g, want %g", c.b, c.slack, got, c.want)
		}
	}
	if !math.IsNaN(KSWithin(nil, a, 0)) {
		t.Error("a distance to nothing")
	}
}
