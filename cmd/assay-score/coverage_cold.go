package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-dev/assay/internal/stat"
)

// coldRows are quantiles of how long starts take that each hold some requests: the start is the unit.
func coldRows() []row {
	const requests, sigma = 20, 0.5 // 30 s, half of them within a third of it
	draw := func(rng *rand.Rand) float64 { return 30 * math.Exp(sigma*rng.NormFloat64()) }
	quantile := func(p float64) float64 { return 30 * math.Exp(sigma*normal(p)) }
	var out []row
	for _, starts := range []int{3, 6, 10, 30, 60} {
		for _, p := range []float64{.5, .9, .95} {
			_, _, nominal, ok := stat.Ranks(starts, p, confidence)
			if !ok {
				nominal = 1 - math.Pow(p, float64(starts)) - math.Pow(1-p, float64(starts))
			}
			name := fmt.Sprintf("p%g of %d starts that hold %d requests each", 100*p, starts, requests)
			sample := func(rng *rand.Rand) []float64 {
				x := make([]float64, starts)
				for i := range x {
					x[i] = draw(rng)
				}
				slices.Sort(x)
				return x
			}
			out = append(out, row{"cold starts", name, nominal, 0, false, func(rng *rand.Rand) claim {
				in, ok := stat.SmallQuantileInterval(sample(rng), p, confidence)
				return claim{told: ok, in: in, truth: quantile(p), why: "not even the range of so few starts holds this quantile as often as not"}
			}})
			if starts != 3 {
				continue
			}
			out = append(out, row{"cold starts", name + ", as if each request counted", confidence, 0, true, func(rng *rand.Rand) claim {
				var waits []float64
				for _, s := range sample(rng) {
					waits = append(waits, slices.Repeat([]float64{s}, requests)...)
				}
				in, ok := stat.SmallQuantileInterval(waits, p, confidence)
				return claim{told: ok, in: in, truth: quantile(p)}
			}})
		}
	}
	return out
}

// normal returns the quantile p of the standard normal distribution.
func normal(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
