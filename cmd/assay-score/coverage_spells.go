package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/assay-dev/assay/internal/stat"
)

// spellRows are shares of requests that come in spells, few and many, as goodput and the shares of classes tell them.
func spellRows() []row {
	var out []row
	add := func(name string, p float64, draw func(rng *rand.Rand) []bool) {
		out = append(out, row{"shares", name, confidence, 0, false, func(rng *rand.Rand) claim {
			return claimed(shareOf(draw(rng)), p)
		}})
	}
	for _, c := range []struct {
		n    int
		p, l float64
	}{{200, .1, 5}, {1000, .02, 5}, {1000, .1, 5}, {5000, .02, 5}, {200, .5, 25}, {200, .9, 45}, {1000, .02, 1}, {1000, .5, 1}} {
		add(fmt.Sprintf("%d trials, share %g, %g at a time", c.n, c.p, c.l), c.p, func(rng *rand.Rand) []bool {
			out := make([]bool, c.n)
			bad := rng.Float64() < c.p
			for i := range out {
				out[i] = bad
				switch {
				case c.l == 1:
					bad = rng.Float64() < c.p
				case bad:
					bad = rng.Float64() >= 1/c.l
				default:
					bad = rng.Float64() < 1/c.l*c.p/(1-c.p)
				}
			}
			return out
		})
	}
	for _, c := range []struct{ p, l, sigma float64 }{{.05, 8, 1}, {.05, 8, 1.5}} {
		add(fmt.Sprintf("2000 trials, share %g, %g at a time, lognormal, sigma %g", c.p, c.l, c.sigma), c.p, func(rng *rand.Rand) []bool {
			out := make([]bool, 2000)
			up := c.l * (1 - c.p) / c.p
			bad := false
			for at := -10 * up; at < float64(len(out)); bad = !bad {
				d := up * rng.ExpFloat64()
				if bad {
					d = c.l * math.Exp(c.sigma*rng.NormFloat64()-c.sigma*c.sigma/2)
				}
				for i := max(0, int(math.Ceil(at))); bad && i < len(out) && float64(i) < at+d; i++ {
					out[i] = true
				}
				at += d
			}
			return out
		})
	}
	return out
}

// shareOf returns the interval of the share of true ones, as the analyzers do: see [stat.SpellsInterval].
func shareOf(bad []bool) stat.Interval {
	m := stat.NumBlocks(len(bad))
	ones, sizes := make([]float64, m), make([]float64, m)
	var s stat.Spells
	for b := range m {
		lo, hi := stat.Split(len(bad), m, b)
		for _, v := range bad[lo:hi] {
			s.Add(v)
			if v {
				ones[b]++
			}
		}
		sizes[b] = float64(hi - lo)
	}
	in, _ := s.Interval(stat.Effective(len(bad), stat.ShareEffect(ones, sizes), m, confidence), confidence)
	return in
}
