package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSlope(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	// One wild point does not move it.
	s, ok := SlopeOf(x, []float64{3, 5, 7, 9, 900, 13, 15, 17, 19, 21}, .95)
	if !ok || s.PerX != 2 || s.Intercept != 1 || s.S != 45-2*5 {
		t.Errorf("%+v, want a slope of 2 from 1 with S 35", s)
	}
	if s.Interval.Lo > 2 || s.Interval.Hi < 2 || math.IsInf(s.Interval.Hi, 0) {
		t.Errorf("interval %+v of 2", s.Interval)
	}
	// Ten points in strict order: z = (45−1)/sqrt(10·9·25/18) = 3.9355.
	up, _ := SlopeOf(x, x, .95)
	if up.S != 45 || math.Abs(up.P-8.303e-5) > 2e-8 {
		t.Errorf("S %d with p %g, want 45 with 8.303e-5", up.S, up.P)
	}
	flat, ok := SlopeOf(x, make([]float64, 10), .95)
	if !ok || flat.PerX != 0 || flat.P != 1 || flat.Interval.Lo != 0 || flat.Interval.Hi != 0 {
		t.Errorf("%+v of a constant", flat)
	}
	if _, ok := SlopeOf(x[:7], x[:7], .95); ok {
		t.Error("seven points are told to be enough")
	}
	if _, ok := SlopeOf(make([]float64, 10), x, .95); ok {
		t.Error("a slope over one x")
	}
}

// A value that wanders is no trend: neighbours that resemble each other widen the interval.
func TestSlopeOfAWalk(t *testing.T) {
	times := repeats(300, 3000)
	for _, c := range []struct{ rho, most float64 }{{0, .06}, {.5, .1}, {.8, .2}} {
		rng := rand.New(rand.NewPCG(8, uint64(c.rho*10)))
		alarms := 0
		for range times {
			x, y := make([]float64, 40), make([]float64, 40)
			g := rng.NormFloat64()
			for i := range y {
				x[i], y[i] = float64(i), g
				g = c.rho*g + math.Sqrt(1-c.rho*c.rho)*rng.NormFloat64()
			}
			if s, _ := SlopeOf(x, y, .95); s.Interval.Lo > 0 || s.Interval.Hi < 0 {
				alarms++
			}
		}
		got := float64(alarms) / float64(times)
		t.Logf("correlation %g: %.3f false alarms", c.rho, got)
		if got > c.most+3.72*math.Sqrt(c.most*(1-c.most)/float64(times)) {
			t.Errorf("correlation %g: %.3f false alarms, want at most %g", c.rho, got, c.most)
		}
	}
}

func TestSlopeCoverage(t *testing.T) {
	times := repeats(400, 4000)
	for _, n := range []int{8, 12, 20, 60} {
		rng := rand.New(rand.NewPCG(3, uint64(n)))
		hit, false5 := 0, 0
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		for range times {
			y, flat := make([]float64, n), make([]float64, n)
			for i := range y {
				flat[i] = math.Exp(.3 * rng.NormFloat64())
				y[i] = .1*x[i] + flat[i]
			}
			if s, _ := SlopeOf(x, y, .95); s.Interval.Lo <= .1 && .1 <= s.Interval.Hi {
				hit++
			}
			if s, _ := SlopeOf(x, flat, .95); s.P < .05 {
				false5++
			}
		}
		got, alarms := float64(hit)/float64(times), float64(false5)/float64(times)
		t.Logf("n=%d: coverage %.3f, false alarms %.3f", n, got, alarms)
		if got < floor(.95, times) || alarms > .05+3.72*math.Sqrt(.05*.95/float64(times)) {
			t.Errorf("n=%d: coverage %.3f, false alarms %.3f", n, got, alarms)
		}
	}
}
