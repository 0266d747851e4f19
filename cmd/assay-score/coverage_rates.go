package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-dev/assay/internal/stat"
)

// rateRows are failures in time.
func rateRows() []row {
	var out []row
	poisson := func(rng *rand.Rand, mean float64) int { return int(distuv.Poisson{Lambda: mean, Src: rng}.Rand()) }
	for _, mean := range []float64{.5, 2, 8, 40} {
		out = append(out, row{"failure rate", fmt.Sprintf("MTBF, watched for a set time, %g failures expected", mean), confidence, 0, false, func(rng *rand.Rand) claim {
			return claimed(stat.MTBF(100, poisson(rng, mean), confidence), 100/mean)
		}})
	}
	for _, r := range []int{1, 3, 20} {
		out = append(out, row{"failure rate", fmt.Sprintf("MTBF, watched until failure %d", r), confidence, 0, false, func(rng *rand.Rand) claim {
			var t float64
			for range r {
				t += rng.ExpFloat64()
			}
			return claimed(stat.MTBFFailureTerminated(t, r, confidence), 1)
		}})
	}
	for _, c := range [][2]float64{{2, 2}, {5, 15}, {40, 40}} {
		out = append(out, row{"failure rate", fmt.Sprintf("ratio of two rates, %g and %g failures expected", c[0], c[1]), confidence, 0, false, func(rng *rand.Rand) claim {
			x, y := poisson(rng, c[0]), poisson(rng, c[1])
			in := stat.RateRatioOf(x, 100, y, 300, confidence).In
			return claim{told: x+y > 0, in: in, truth: c[1] / 3 / c[0]}
		}})
	}
	for _, c := range []struct{ beta, expected float64 }{{.6, 10}, {1.5, 10}, {.6, 40}} {
		ages := func(rng *rand.Rand) []float64 {
			out := make([]float64, poisson(rng, c.expected))
			for i := range out {
				out[i] = 1000 * math.Pow(rng.Float64(), 1/c.beta)
			}
			return out
		}
		name := fmt.Sprintf("growth, shape %g, %g failures expected: ", c.beta, c.expected)
		out = append(out, row{"failure rate", name + "shape", confidence, 0, false, func(rng *rand.Rand) claim {
			g, ok := stat.GrowthOf(ages(rng), 1000, false, confidence)
			return claim{told: ok, in: g.InBeta, truth: c.beta}
		}}, row{"failure rate", name + "MTBF at the end", confidence, 0, false, func(rng *rand.Rand) claim {
			g, ok := stat.GrowthOf(ages(rng), 1000, false, confidence)
			return claim{told: ok, in: g.In, truth: 1000 / c.expected / c.beta}
		}})
	}
	return out
}
