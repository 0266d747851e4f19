package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-dev/assay/internal/stat"
)

// sampleRows are shares, quantiles, means and trends.
func sampleRows() []row {
	var out []row
	for _, c := range []struct {
		n int
		p float64
	}{{20, .05}, {20, .5}, {200, .01}, {1000, .95}} {
		successes := func(rng *rand.Rand) int {
			x := 0
			for range c.n {
				if rng.Float64() < c.p {
					x++
				}
			}
			return x
		}
		name := fmt.Sprintf("%d independent trials, share %g: ", c.n, c.p)
		out = append(out, row{"shares", name + "Clopper-Pearson", confidence, 0, false, func(rng *rand.Rand) claim {
			return claimed(stat.ClopperPearson(successes(rng), c.n, confidence), c.p)
		}}, row{"shares", name + "Wilson", confidence, 0, false, func(rng *rand.Rand) claim {
			return claimed(stat.Wilson(float64(successes(rng)), float64(c.n), confidence), c.p)
		}})
	}
	out = append(out, spellRows()...)
	strata := []stat.Stratum{{Weight: .5, N: 40}, {Weight: .3, N: 30}, {Weight: .2, N: 10}}
	truths := []float64{.97, .95, .8}
	injected := func(rng *rand.Rand) ([]stat.Stratum, float64) {
		s := slices.Clone(strata)
		truth := 0.
		for i := range s {
			for range s[i].N {
				if rng.Float64() < truths[i] {
					s[i].Recovered++
				}
			}
			truth += s[i].Weight * truths[i]
		}
		return s, truth
	}
	out = append(out, row{"shares", "faults recovered from, three classes with weights", confidence, 0, false, func(rng *rand.Rand) claim {
		s, truth := injected(rng)
		c, err := stat.CoverageOf(s, confidence)
		return claim{told: err == nil, in: c.In, truth: truth}
	}})
	for _, n := range []int{3, 10, 50} {
		out = append(out, row{"shares", fmt.Sprintf("mean of %d shares", n), confidence, 0, false, func(rng *rand.Rand) claim {
			x := make([]float64, n)
			for i := range x {
				x[i] = math.Sqrt(rng.Float64())
			}
			_, in := stat.MeanOfShares(x, confidence)
			return claimed(in, 2./3)
		}})
	}
	for _, c := range []struct {
		n      int
		p, rho float64
	}{{100, .5, 0}, {240, .95, 0}, {1000, .99, 0}, {240, .5, .7}, {240, .95, .7}, {1000, .95, .9}, {2000, .99, .8}} {
		out = append(out, row{"quantiles", fmt.Sprintf("p%g of %d latencies, correlation %g", 100*c.p, c.n, c.rho), confidence, 0, false, func(rng *rand.Rand) claim {
			x := series(rng, c.n, c.rho, math.Exp)
			in, ok := quantileOf(x, c.p, c.rho)
			return claim{told: ok, in: in, truth: math.Exp(normal(c.p)), why: "latencies that follow one another are worth too few independent ones for this quantile"}
		}})
	}
	for _, c := range []struct {
		n   int
		rho float64
	}{{20, 0}, {200, 0}, {200, .7}, {1000, .9}} {
		out = append(out, row{"means and trends", fmt.Sprintf("mean of %d values, correlation %g", c.n, c.rho), confidence, 0, false, func(rng *rand.Rand) claim {
			_, in := stat.MeanInterval(series(rng, c.n, c.rho, func(v float64) float64 { return v }), confidence)
			return claimed(in, 0)
		}})
	}
	for _, c := range []struct {
		n   int
		rho float64
	}{{8, 0}, {20, 0}, {100, 0}, {60, .4}} {
		out = append(out, row{"means and trends", fmt.Sprintf("slope of %d values, correlation %g", c.n, c.rho), confidence, 0, false, func(rng *rand.Rand) claim {
			y := series(rng, c.n, c.rho, func(v float64) float64 { return v })
			x := make([]float64, c.n)
			for i := range x {
				x[i] = float64(i)
				y[i] += .1 * x[i]
			}
			s, ok := stat.SlopeOf(x, y, confidence)
			return claim{told: ok, in: s.Interval, truth: .1}
		}})
	}
	return out
}

// series returns n values of a Gaussian process with the given correlation between neighbours, each as f makes it.
func series(rng *rand.Rand, n int, rho float64, f func(float64) float64) []float64 {
	x := make([]float64, n)
	g := rng.NormFloat64()
	for i := range x {
		x[i] = f(g)
		g = rho*g + math.Sqrt(1-rho*rho)*rng.NormFloat64()
	}
	return x
}

// quantileOf returns the interval of a quantile as the analyzers do: from order statistics, of as many values as they are worth.
func quantileOf(x []float64, p, rho float64) (stat.Interval, bool) {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	if rho == 0 {
		return stat.QuantileInterval(sorted, p, confidence, float64(len(x)))
	}
	q := stat.Quantile(sorted, p, stat.Type7)
	m := stat.NumBlocks(len(x))
	ones, sizes := make([]float64, m), make([]float64, m)
	for i := range m {
		lo, hi := stat.Split(len(x), m, i)
		for _, v := range x[lo:hi] {
			if v > q {
				ones[i]++
			}
		}
		sizes[i] = float64(hi - lo)
	}
	return stat.QuantileInterval(sorted, p, confidence, stat.Effective(len(x), stat.DesignEffect(ones, sizes), m, confidence))
}
