package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-dev/assay/internal/stat"
)

// Why an interval of a rate is not told.
const (
	fewEnd   = "fewer than 5 failures came, and the end of the watch is not told of fewer"
	fewShape = "fewer than 3 failures came, which fit no power law"
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
			return claim{told: x+y > 0, in: in, truth: c[1] / 3 / c[0], why: "neither side failed, and then nothing is known of the ratio"}
		}})
	}
	// A rate that changes by a power of time: its mean over the watch, which the chi-square interval covers whatever it did, and what it was at the end, which is told from five failures on.
	for _, beta := range []float64{.5, .7, 1, 1.4, 2} {
		for _, expected := range []float64{5, 15, 40} {
			ages := func(rng *rand.Rand) []float64 {
				out := make([]float64, poisson(rng, expected))
				for i := range out {
					out[i] = 1000 * math.Pow(rng.Float64(), 1/beta)
				}
				return out
			}
			name := fmt.Sprintf("rate of shape %g, %g failures expected: ", beta, expected)
			out = append(out, row{group: "failure rate", name: name + "mean MTBF over the watch", nominal: confidence, draw: func(rng *rand.Rand) claim {
				return claimed(stat.MTBF(1000, len(ages(rng)), confidence), 1000/expected)
			}}, row{group: "failure rate", name: name + "MTBF at the end", nominal: confidence, draw: func(rng *rand.Rand) claim {
				a := ages(rng)
				g, ok := stat.GrowthOf(a, 1000, false, confidence)
				return claim{told: ok && len(a) >= 5, in: g.In, truth: 1000 / expected / beta, why: fewEnd}
			}}, row{group: "failure rate", name: name + "shape", nominal: confidence, draw: func(rng *rand.Rand) claim {
				g, ok := stat.GrowthOf(ages(rng), 1000, false, confidence)
				return claim{told: ok, in: g.InBeta, truth: beta, why: fewShape}
			}})
		}
	}
	return out
}
