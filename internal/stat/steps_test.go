package stat

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// wander is noise of a standard deviation of one whose values have the given correlation with the next.
func wander(rng *rand.Rand, n int, rho float64) []float64 {
	y := make([]float64, n)
	x := rng.NormFloat64()
	for i := range y {
		y[i] = x
		x = rho*x + math.Sqrt(1-rho*rho)*rng.NormFloat64()
	}
	return y
}

// TestStepsOfNoise: what has one level shows a step once in a hundred series at most, with serial correlation and heavy tails too.
func TestStepsOfNoise(t *testing.T) {
	runs := 200
	if os.Getenv("ASSAY_FULL") != "" {
		runs = 5000
	}
	for _, c := range []struct {
		n    int
		rho  float64
		tail bool
	}{{20, 0, false}, {50, 0, false}, {100, 0, false}, {100, 0.3, false}, {100, 0.6, false}, {50, 0.6, false}, {100, 0.8, false}, {100, 0, true}, {100, 0.3, true}} {
		rng := rand.New(rand.NewPCG(uint64(c.n), uint64(100*c.rho)))
		wrong, covered := 0, 0
		for range runs {
			y := wander(rng, c.n, c.rho)
			for i := range y {
				if c.tail {
					y[i] = math.Exp(2 * y[i])
				}
			}
			s, ok := StepsOf(y, 1, 0, 0.99, 0.95)
			if !ok {
				t.Fatal("not looked at")
			}
			if len(s.Steps) > 0 {
				wrong++
			} else if s.In.Lo <= 0 && s.In.Hi >= 0 {
				covered++
			}
		}
		t.Logf("%+v: %d of %d", c, wrong, runs)
		if float64(wrong) > 0.01*float64(runs)+3*math.Sqrt(0.01*float64(runs)) {
			t.Errorf("%+v: steps in %d of %d series without one", c, wrong, runs)
		}
	}
}

func TestStepsOfSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	const runs = 200
	for _, c := range []struct {
		n    int
		at   float64
		size float64
		rho  float64
		told int // at least; ranks of few values have little power
	}{{100, 0.5, 3, 0, 186}, {100, 0.7, 3, 0, 186}, {100, 0.9, 4, 0, 186}, {100, 0.5, 5, 0.3, 186}, {50, 0.7, 5, 0, 186}, {20, 0.5, 8, 0, 110}} {
		found, near, covers := 0, 0, 0
		for range runs {
			y := wander(rng, c.n, c.rho)
			k := int(c.at * float64(c.n))
			for i := k; i < c.n; i++ {
				y[i] += c.size
			}
			s, _ := StepsOf(y, 1, 0, 0.99, 0.95)
			if len(s.Steps) != 1 {
				continue
			}
			x := s.Steps[0]
			found++
			if max(x.Index-k, k-x.Index) <= 2 {
				near++
			}
			if x.In.Lo <= c.size && c.size <= x.In.Hi {
				covers++
			}
			if d := x.After - x.Before; math.Abs(d-x.Size) > 1e-9 || !(x.P < 0.01) || x.BeforeIn.Lo >= x.Before || x.AfterIn.Hi <= x.After {
				t.Fatalf("%+v", x)
			}
		}
		t.Logf("%+v: found %d, near %d, covered %d", c, found, near, covers)
		if found < c.told || near < found-8 || float64(covers) < 0.88*float64(found) {
			t.Errorf("%+v: found %d, near %d, covered %d of %d", c, found, near, covers, runs)
		}
	}
}

// TestStepsOfATrend: what rises all the time is a trend and no stairs.
func TestStepsOfATrend(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 3))
	stairs, trend := 0, 0
	for range 200 {
		y := wander(rng, 100, 0)
		for i := range y {
			y[i] += 0.08 * float64(i)
		}
		s, _ := StepsOf(y, 1, 0, 0.99, 0.95)
		if len(s.Steps) > 0 {
			stairs++
		}
		if s.Trend {
			trend++
		}
	}
	if stairs > 2 || trend < 190 {
		t.Errorf("stairs %d, trends %d of 200", stairs, trend)
	}
}

// A trend that lives share is found in each, whatever their levels.
func TestSlopeWithin(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 3))
	covers, told := 0, 0
	const runs = 400
	for range runs {
		var lives, still []Stretch
		for k := range 4 {
			var a, b Stretch
			for i := range 20 {
				x := float64(25*k + i)
				e := rng.NormFloat64()
				a.X, a.Y = append(a.X, x), append(a.Y, 100+0.5*float64(i)+e)
				b.X, b.Y = append(b.X, x), append(b.Y, 100*float64(k)+e)
			}
			lives, still = append(lives, a), append(still, b)
		}
		s, ok := SlopeWithin(lives, 0.95)
		if ok && s.Interval.Lo <= 0.5 && 0.5 <= s.Interval.Hi && s.P < 1e-6 && s.N == 80 {
			covers++
		}
		if s, _ := SlopeWithin(still, 0.95); s.Interval.Lo > 0 || s.Interval.Hi < 0 {
			told++
		}
	}
	t.Logf("covered %d, told %d of %d", covers, told, runs)
	if covers < 370 || told > 32 {
		t.Errorf("covered %d, told %d of %d", covers, told, runs)
	}
}
