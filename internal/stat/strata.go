package stat

import (
	"fmt"
	"math"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Stratum is one class of faults: the weight with which it strikes in operation, how many were injected, and of how many the deployment
// recovered.
type Stratum struct {
	Weight       float64
	N, Recovered int
}

// A Coverage is the share of faults from which a deployment recovers, of faults as they strike in operation.
type Coverage struct {
	Value, SE float64
	Pooled    float64  // what adding up all injections would give: wrong, unless they were injected in the proportion in which they strike
	In        Interval // by the weighted sum of Jeffreys' posteriors
	Lower     float64  // one-sided, at the same confidence
}

// strataCells is how finely the posteriors are summed. Ends are interpolated within a cell, which leaves six digits.
const strataCells = 10_000

// CoverageOf estimates coverage from injections by class (Powell et al., FTCS 1993; Cukier et al., IEEE ToC 48(7), 1999). The weights must add up to 1.
func CoverageOf(strata []Stratum, confidence float64) (Coverage, error) {
	var c Coverage
	var sum, variance float64
	n, recovered := 0, 0
	for i, s := range strata {
		if !(s.Weight > 0) || s.N < 1 || s.Recovered < 0 || s.Recovered > s.N {
			return c, fmt.Errorf("class %d: weight %g, %d of %d: want a weight above 0 and 0 <= recovered <= injected, 1 at least", i+1, s.Weight, s.Recovered, s.N)
		}
		p := float64(s.Recovered) / float64(s.N)
		sum += s.Weight
		c.Value += s.Weight * p
		variance += s.Weight * s.Weight * p * (1 - p) / float64(s.N)
		n += s.N
		recovered += s.Recovered
	}
	if math.Abs(sum-1) > 1e-9 {
		return c, fmt.Errorf("the weights add up to %g; want 1", sum)
	}
	c.SE, c.Pooled = math.Sqrt(variance), float64(recovered)/float64(n)
	// The distribution of the sum, cell by cell: mass[i] lies at i/strataCells.
	mass := []float64{1}
	for _, s := range strata {
		post := distuv.Beta{Alpha: float64(s.Recovered) + 0.5, Beta: float64(s.N-s.Recovered) + 0.5}
		cells := max(1, int(math.Round(s.Weight*strataCells)))
		one := make([]float64, cells+1)
		last := 0.0
		for i := range one {
			edge := (float64(i) + 0.5) / float64(cells)
			at := 1.0
			if edge < 1 {
				at = post.CDF(edge)
			}
			one[i], last = at-last, at
		}
		next := make([]float64, len(mass)+cells)
		for i, v := range mass {
			if v < 1e-15 {
				continue
			}
			for j, w := range one {
				next[i+j] += v * w
			}
		}
		mass = next
	}
	for i := 1; i < len(mass); i++ {
		mass[i] += mass[i-1]
	}
	q := func(p float64) float64 {
		i := min(sort.SearchFloat64s(mass, p), len(mass)-1)
		below := 0.0
		if i > 0 {
			below = mass[i-1]
		}
		within := 0.5
		if mass[i] > below {
			within = math.Min(1, (p-below)/(mass[i]-below))
		}
		return math.Max(0, math.Min(1, (float64(i)-0.5+within)/float64(len(mass)-1)))
	}
	a := 1 - confidence
	c.In = Interval{q(a / 2), q(1 - a/2), confidence}
	if recovered == n { // what was seen lies inside
		c.In.Hi = 1
	}
	if recovered == 0 {
		c.In.Lo = 0
	}
	c.Lower = q(a)
	return c, nil
}
