package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/assay-dev/assay/internal/stat"
)

const fewRuns = "so few values bound no shift at this confidence"

// comparisonRows are shifts between two samples, and how throughput goes with concurrency.
func comparisonRows() []row {
	var out []row
	noises := []struct {
		name string
		draw func(*rand.Rand) float64
	}{
		{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
		{"skewed", func(r *rand.Rand) float64 { return r.ExpFloat64() }},
		{"heavy-tailed", func(r *rand.Rand) float64 { return r.NormFloat64() / math.Abs(r.NormFloat64()) }},
		{"rounded", func(r *rand.Rand) float64 { return math.Round(2 * r.NormFloat64()) }},
	}
	for _, noise := range noises {
		for _, n := range []int{5, 10, 50} {
			const truth = 1.
			draw := func(rng *rand.Rand) (x, y []float64) {
				for range n {
					x, y = append(x, noise.draw(rng)), append(y, noise.draw(rng)+truth)
				}
				return x, y
			}
			out = append(out, row{"comparisons", fmt.Sprintf("gate, %d runs a side in turn, %s", n, noise.name), .9, 0, false, func(rng *rand.Rand) claim {
				x, y := draw(rng)
				var trials []stat.Trial
				for i := range x {
					trials = append(trials, stat.Trial{Value: x[i]}, stat.Trial{Value: y[i], Candidate: true})
				}
				r := stat.Gate{HigherBetter: true, Margin: .1, Alpha: .05}.Decide(trials)
				return claim{told: !math.IsInf(r.In.Hi, 1), in: loose(r.In), truth: truth, why: fewRuns}
			}}, row{"comparisons", fmt.Sprintf("Mann-Whitney, %d and %d values, %s", n, n, noise.name), confidence, 0, false, func(rng *rand.Rand) claim {
				x, y := draw(rng)
				in := stat.MannWhitney(y, x, confidence).In
				return claim{told: !math.IsInf(in.Hi, 1), in: loose(in), truth: truth, why: fewRuns}
			}})
		}
	}
	levels := []float64{1, 2, 4, 8, 16, 32, 64, 96}
	usl := func(rng *rand.Rand) (stat.USL, error) {
		x, sd := make([]float64, len(levels)), make([]float64, len(levels))
		for i, n := range levels {
			x[i] = 100 * n / (1 + .03*(n-1) + .0002*n*(n-1))
			sd[i] = .02 * x[i]
			x[i] += sd[i] * rng.NormFloat64()
		}
		return stat.FitUSL(levels, x, sd)
	}
	for i, c := range []struct {
		name  string
		truth float64
	}{{"lambda", 100}, {"sigma", .03}, {"kappa", .0002}} {
		out = append(out, row{"comparisons", "scalability, 8 levels, noise 2 %: " + c.name, confidence, 0, false, func(rng *rand.Rand) claim {
			u, err := usl(rng)
			if err != nil {
				return claim{}
			}
			var in [3]stat.Interval
			in[0], in[1], in[2] = u.Coefficients(confidence)
			return claimed(in[i], c.truth)
		}})
	}
	return out
}

// loose widens an interval by what rounding does to a difference.
func loose(in stat.Interval) stat.Interval {
	in.Lo -= 1e-9
	in.Hi += 1e-9
	return in
}
