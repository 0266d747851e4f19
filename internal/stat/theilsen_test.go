package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTheilSen: a line is found exactly, and an outlier does not move it.
func TestTheilSen(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	line := make([]float64, len(x))
	for i := range x {
		line[i] = 3 - 0.5*x[i]
	}
	if s, in, ok := TheilSen(x, line, 0.95); !ok || s != -0.5 || in.Lo != -0.5 || in.Hi != -0.5 {
		t.Errorf("a line: %g %v %v", s, in, ok)
	}
	line[4] = 1e6 // one outlier moves nothing
	if s, in, ok := TheilSen(x, line, 0.95); !ok || s != -0.5 || in.Lo > -0.5 || in.Hi < -0.5 {
		t.Errorf("an outlier: %g %v %v", s, in, ok)
	}
	if _, _, ok := TheilSen(x[:4], line[:4], 0.95); ok {
		t.Error("four points gave an interval")
	}
	if _, _, ok := TheilSen(x[:5], line[:5], 0.9999); ok {
		t.Error("five points gave an interval of 99.99 %")
	}
}

// TestTheilSenCovers: the interval holds the true slope as often as it says, whatever the errors.
func TestTheilSenCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, noise := range map[string]func() float64{"normal": rng.NormFloat64, "exponential": rng.ExpFloat64, "heavy tails": func() float64 { return math.Tan(math.Pi * (rng.Float64() - 0.5)) }} {
		const runs = 2000
		hit := 0
		for range runs {
			var x, y []float64
			for i := range 40 {
				x, y = append(x, float64(i)), append(y, 0.2*float64(i)+noise())
			}
			if _, in, ok := TheilSen(x, y, 0.95); ok && in.Lo <= 0.2 && 0.2 <= in.Hi {
				hit++
			}
		}
		got := float64(hit) / runs
		if least := 0.95 - 3.72*math.Sqrt(0.95*0.05/runs); got < least || got > 0.975 {
			t.Errorf("%s: covered in %.3f, want at least %.3f", name, got, least)
		}
	}
}
