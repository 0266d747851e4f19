package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Growth is a fit of the power law process of Crow (AMSAA): E[N(t)] = Lambda t^Beta. A Beta below 1 is a deployment that fails ever more rarely.
type Growth struct {
	N           int
	Beta        float64 // as estimated
	BetaU       float64 // freed of its bias
	Lambda      float64
	MTBF        float64 // at the end, by BetaU: 1/(Lambda BetaU t^(BetaU-1))
	In          Interval
	InBeta      Interval // exact for a watch that ended at a set time
	Slope       float64  // of growth: 1 - BetaU
	Accumulated float64  // MTBF over the whole watch, which a trend makes meaningless
}

// GrowthOf fits the power law to failures at the given ages, of a watch that ended at a set time end, or with the last failure if
// failureTerminated. It needs at least three failures; ok is false below. The interval of the MTBF is the approximate one of the NIST/SEMATECH
// e-Handbook 8.4.5.2.
func GrowthOf(ages []float64, end float64, failureTerminated bool, confidence float64) (g Growth, ok bool) {
	r := float64(len(ages))
	if len(ages) < 3 {
		return Growth{N: len(ages)}, false
	}
	var logs float64
	for _, t := range ages {
		logs += math.Log(end) - math.Log(t) // a quotient may overflow
	}
	if !(logs > 0) {
		return Growth{N: len(ages)}, false
	}
	g = Growth{N: len(ages), Beta: r / logs, Accumulated: end / r}
	g.Lambda = r / math.Pow(end, g.Beta)
	free := (r - 1) / r
	if failureTerminated {
		free = (r - 2) / r
	}
	g.BetaU = free * g.Beta
	g.Slope = 1 - g.BetaU
	if g.MTBF = end / (r * g.BetaU); math.IsInf(g.MTBF, 1) {
		return Growth{N: len(ages)}, false
	}
	z := normalQuantile(1 - (1-confidence)/2)
	low := r + z*z/4 + math.Sqrt(r*z*z/2+z*z*z*z/16)
	g.In = Interval{g.MTBF * r * (r - 1) / (low * low), math.Inf(1), confidence}
	if high := r - z*math.Sqrt(r/2); high > 0 {
		g.In.Hi = g.MTBF * r * (r - 1) / (high * high)
	}
	dof := 2 * r
	if failureTerminated {
		dof = 2 * (r - 1)
	}
	c := distuv.ChiSquared{K: dof}
	a := (1 - confidence) / 2
	g.InBeta = Interval{g.Beta * c.Quantile(a) / (2 * r), g.Beta * c.Quantile(1-a) / (2 * r), confidence}
	return g, true
}

// ExactArrangements is of how many times at most [Arrangements] tells exact chances.
const ExactArrangements = 100

// ascents returns how many pairs of x are in rising order, and sorts x by merging with the help of spare, which is as long.
func ascents(x, spare []float64) (r int) {
	if len(x) < 2 {
		return 0
	}
	mid := len(x) / 2
	a, b := x[:mid], x[mid:]
	r = ascents(a, spare[:mid]) + ascents(b, spare[mid:])
	i, j := 0, 0
	for k := range x {
		if j == len(b) || i < len(a) && a[i] < b[j] {
			spare[k] = a[i]
			r += len(b) - j // all that are left of b are larger
			i++
		} else {
			spare[k] = b[j]
			j++
		}
	}
	copy(x, spare)
	return r
}

// Arrangements returns the number of reverse arrangements among times between failures, the pairs of which the later is the longer, how many pairs there
// are, and the chance of at least and of at most as many if they come in no order (NIST/SEMATECH e-Handbook 8.2.3.4), exact up to a hundred times and by the normal distribution beyond. Many mean that failures become rarer.
func Arrangements(between []float64) (r, of int, atLeast, atMost float64) {
	n := len(between)
	of = n * (n - 1) / 2
	r = ascents(slices.Clone(between), make([]float64, n))
	if n > ExactArrangements {
		m := float64(n)
		mean, sd := m*(m-1)/4, math.Sqrt(m*(m-1)*(2*m+5)/72)
		normal := func(x float64) float64 { return distuv.UnitNormal.CDF((x - mean) / sd) }
		return r, of, 1 - normal(float64(r)-0.5), normal(float64(r) + 0.5)
	}
	// A new value in last place is in 0 to k-1 such pairs with equal chances.
	p := []float64{1}
	for k := 2; k <= n; k++ {
		next := make([]float64, len(p)+k-1)
		for i, v := range p {
			for j := range k {
				next[i+j] += v / float64(k)
			}
		}
		p = next
	}
	for i, v := range p {
		if i >= r {
			atLeast += v
		}
		if i <= r {
			atMost += v
		}
	}
	return r, of, math.Min(1, atLeast), math.Min(1, atMost)
}
