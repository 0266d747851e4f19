package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/assay-dev/assay/internal/stat"
)

// lifeRows are lifetimes and repair times, some of which had not ended when they were last seen.
func lifeRows() []row {
	var out []row
	// lives draws n lifetimes of which those beyond the quantile cut are not seen to end.
	lives := func(rng *rand.Rand, n int, quantile func(float64) float64, cut float64) []stat.Life {
		out := make([]stat.Life, n)
		for i := range out {
			u := rng.Float64()
			out[i] = stat.Life{Time: quantile(math.Min(u, cut)), Censored: u > cut}
		}
		return out
	}
	weibull := func(k float64) func(float64) float64 {
		return func(u float64) float64 { return 100 * math.Pow(-math.Log1p(-u), 1/k) }
	}
	lognormal := func(sigma float64) func(float64) float64 {
		return func(u float64) float64 { return 100 * math.Exp(sigma*normal(u)) }
	}
	for _, c := range []struct {
		n   int
		cut float64
	}{{6, 1}, {10, 1}, {20, .7}, {100, .7}} {
		seen := fmt.Sprintf("%d lives, %g %% seen to end: ", c.n, 100*c.cut)
		add := func(name string, draw func(rng *rand.Rand) (stat.Interval, float64, bool)) {
			out = append(out, row{"lifetimes", seen + name, confidence, 0, false, func(rng *rand.Rand) claim {
				in, truth, ok := draw(rng)
				return claim{told: ok, in: in, truth: truth, why: "none or all of the lives ended before, or too few to fit"}
			}})
		}
		add("Weibull shape", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			f, err := stat.FitWeibull(lives(rng, c.n, weibull(1.5), c.cut), confidence)
			return f.InShape, 1.5, err == nil
		})
		add("Weibull scale", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			f, err := stat.FitWeibull(lives(rng, c.n, weibull(1.5), c.cut), confidence)
			return f.InScale, 100, err == nil
		})
		add("lognormal median", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			f, err := stat.FitLognormal(lives(rng, c.n, lognormal(1), c.cut), confidence)
			if err != nil {
				return stat.Interval{}, 0, false
			}
			_, in := f.Median()
			return in, 100, true
		})
		add("lognormal sigma", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			f, err := stat.FitLognormal(lives(rng, c.n, lognormal(1), c.cut), confidence)
			return f.InSigma, 1, err == nil
		})
		repair := func(name string, of func(*stat.Repair) stat.Interval, truth func(sigma float64) float64) {
			for _, sigma := range []float64{.5, 1.5} {
				add(fmt.Sprintf("%s of repairs, sigma %g", name, sigma), func(rng *rand.Rand) (stat.Interval, float64, bool) {
					r, err := stat.RepairOf(lives(rng, c.n, lognormal(sigma), c.cut), confidence)
					return of(&r), truth(sigma), err == nil
				})
			}
		}
		repair("median", func(r *stat.Repair) stat.Interval { return r.InMedian }, func(float64) float64 { return 100 })
		repair("mean", func(r *stat.Repair) stat.Interval { return r.InMean }, func(s float64) float64 { return 100 * math.Exp(s*s/2) })
		repair("p90", func(r *stat.Repair) stat.Interval { return r.InP90 }, func(s float64) float64 { return 100 * math.Exp(s*normal(.9)) })
		add("survival at the median", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			in, ok := stat.Interval{}, false
			for _, s := range stat.KaplanMeier(lives(rng, c.n, weibull(1), c.cut), confidence) {
				if s.Time <= 100*math.Ln2 {
					in, ok = s.In, !math.IsNaN(s.In.Lo)
				}
			}
			return in, .5, ok
		})
		add("median of survival", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			_, in := stat.SurvivalMedian(stat.KaplanMeier(lives(rng, c.n, weibull(1), c.cut), confidence))
			return in, 100 * math.Ln2, true
		})
		if c.cut < 1 {
			continue
		}
		add("mean of a lognormal, Olsson", func(rng *rand.Rand) (stat.Interval, float64, bool) {
			var m, ss float64
			x := lives(rng, c.n, lognormal(1), 1)
			for _, l := range x {
				m += math.Log(l.Time) / float64(c.n)
			}
			for _, l := range x {
				ss += (math.Log(l.Time) - m) * (math.Log(l.Time) - m)
			}
			_, in := stat.LognormalMean(m, ss/float64(c.n-1), c.n, confidence)
			return in, 100 * math.Exp(.5), true
		})
	}
	return out
}
