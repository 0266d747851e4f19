package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Critical values of the one-sided test of Kolmogorov and Smirnov (Miller, JASA 51, 1956).
func TestSmirnov(t *testing.T) {
	for _, c := range []struct {
		n    int
		p, d float64
	}{{1, .05, .95}, {5, .05, .50945}, {5, .025, .56328}, {10, .05, .36866}, {10, .025, .40925}, {20, .05, .26473}, {20, .01, .32866}} {
		near(t, "distance", smirnov(c.n, c.p), c.d, 5e-6)
	}
}

func TestMeanOfShares(t *testing.T) {
	// With one value, the band is as wide as its confidence: mean of 1 lies above 0.025.
	mean, in := MeanOfShares([]float64{1}, 0.95)
	near(t, "mean", mean, 1, 1e-12)
	near(t, "from", in.Lo, 0.025, 1e-9)
	near(t, "to", in.Hi, 1, 1e-12)
	_, in = MeanOfShares([]float64{1, 1, 1, 1, 1}, 0.95)
	near(t, "from", in.Lo, 1-.56328, 1e-5)
	if _, in = MeanOfShares(nil, 0.95); in.Lo != 0 || in.Hi != 1 {
		t.Errorf("nothing gives %v", in)
	}
}

func TestMeanOfSharesCovers(t *testing.T) {
	n := repeats(400, 2000)
	for _, c := range []struct {
		name string
		draw func(*rand.Rand) float64
		mean float64
	}{
		{"coin", func(r *rand.Rand) float64 { return math.Floor(r.Float64() + .9) }, .9},
		{"uniform", func(r *rand.Rand) float64 { return r.Float64() }, .5},
		{"rare loss", func(r *rand.Rand) float64 {
			if r.Float64() < .05 {
				return 0
			}
			return 1 - .2*r.Float64()
		}, .95 * .9},
	} {
		for _, k := range []int{3, 10, 30} {
			rng := rand.New(rand.NewPCG(uint64(k), 5))
			hit := 0
			for range n {
				v := make([]float64, k)
				for i := range v {
					v[i] = c.draw(rng)
				}
				if _, in := MeanOfShares(v, 0.95); in.Lo <= c.mean && c.mean <= in.Hi {
					hit++
				}
			}
			if got := float64(hit) / float64(n); got < floor(0.95, n) {
				t.Errorf("%s, n %d: covered in %.3f", c.name, k, got)
			}
		}
	}
}

func TestSurvivalMedian(t *testing.T) {
	// NIST/SEMATECH e-Handbook 8.2.1.5: the curve ends at 0.67.
	m, in := SurvivalMedian(KaplanMeier(lives([]float64{10, 32, 56, 98, 122, 181}, 50, 100, 125, 150, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200), 0.95))
	if !math.IsNaN(m) || !math.IsInf(in.Hi, 1) {
		t.Errorf("median %g in %v of a curve that ends above a half", m, in)
	}
	m, in = SurvivalMedian(KaplanMeier(lives([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 0.95))
	if m != 5 || !(in.Lo >= 1 && in.Lo < 5 && in.Hi > 5 && in.Hi <= 10) {
		t.Errorf("median %g in %v", m, in)
	}
	n := repeats(400, 2000)
	for _, k := range []int{8, 25} {
		rng := rand.New(rand.NewPCG(uint64(k), 6))
		hit := 0
		for range n {
			ls := make([]Life, k)
			for i := range ls {
				if v := rng.ExpFloat64(); v > 1.5 {
					ls[i] = Life{1.5, true}
				} else {
					ls[i] = Life{v, false}
				}
			}
			if _, in := SurvivalMedian(KaplanMeier(ls, 0.95)); in.Lo <= math.Ln2 && math.Ln2 <= in.Hi {
				hit++
			}
		}
		got := float64(hit) / float64(n)
		t.Logf("n %d: median covered in %.3f", k, got)
		if got < floor(0.95, n) {
			t.Errorf("n %d: median covered in %.3f", k, got)
		}
	}
}
