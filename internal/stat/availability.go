package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Unavailability returns the interval of the long-run share of bad time (or of bad
// requests) after up good and down bad units in which the bad ones came in k episodes. It
// is a bound on how often episodes come times a bound on how long they last, so it holds however strongly failures cluster:
//
//	upper odds = upper bound of episodes per good unit × upper bound of the mean length
//
// Both are taken from the distribution of their product, for episodes that come at a constant rate, or more evenly, with lengths as variable as a lognormal of the given
// sigma: 2 where nothing is known of the lengths, less where they are known to vary less (see [Lengths]). With few episodes of such lengths next to nothing is certain, and the
// interval says so. [UnavailabilityF] is narrower and exact for exponential lengths, but covers only .5 to .9 of lognormal ones; it serves as a check. Intervals from
// independent requests fail here: they cover the truth one time in seven at a nominal 95 % when fifty requests fail at a time.
//
// With no episode nothing bounds the length of one: see [UnavailabilityBound].
func Unavailability(up, down float64, k int, sigma, confidence float64) Interval {
	if k == 0 || up <= 0 {
		return Interval{0, 1, confidence}
	}
	z := normalQuantile(1 - 0.8*(1-confidence)/2) // a fifth of the error is left to what the lengths were taken for
	odds := down / up
	return Interval{share(odds * repairFactor(repairLower, sigma, k, z)), share(odds * repairFactor(repairUpper, sigma, k, z)), confidence}
}

// UnavailabilityF returns the interval of the share of bad units from the ratio of exponential
// up and down stretches, which follows an F distribution.
func UnavailabilityF(up, down float64, k int, confidence float64) Interval {
	if k == 0 || up <= 0 {
		return Interval{0, 1, confidence}
	}
	q := 1 - (1-confidence)/2
	n, rho := float64(k), down/up
	lo := rho / distuv.F{D1: 2 * n, D2: 2 * n}.Quantile(q)
	hi := rho * distuv.F{D1: 2*n + 2, D2: 2 * n}.Quantile(q) * (n + 1) / n
	return Interval{share(lo), share(hi), confidence}
}

// UnavailabilityBound returns the one-sided upper bound of the share of bad units after up good units without an
// episode, if an episode lasts longest units on average at most. longest is an assumption and must be shown as one.
func UnavailabilityBound(up, longest, confidence float64) Interval {
	if up <= 0 {
		return Interval{0, 1, confidence}
	}
	return Interval{0, share(poissonUpper(0, confidence) / up * longest), confidence}
}

func share(odds float64) float64 {
	if math.IsInf(odds, 1) {
		return 1
	}
	return odds / (1 + odds)
}

// Clusters counts runs of failures in a sequence of trials. Two failures
// belong to one cluster when fewer than Gap successes lie between them. The zero value has Gap 0: every
// run of consecutive failures is a cluster of its own.
type Clusters struct {
	Gap int

	N       int // clusters
	Good    int
	Bad     int
	Longest int // failures in the largest cluster
	since   int // successes since the last failure
	current int // failures in the last cluster
	closed  Lengths
	sizes   []int // of closed clusters, as long as all can be kept
}

// mostSizes bounds how many clusters are kept one by one.
const mostSizes = 1000

// Sizes returns how many failures each cluster took, in order; nil where there are more than a thousand, or clusters that were not added here.
func (c *Clusters) Sizes() []int {
	if c.N == 0 || c.N > mostSizes || c.current == 0 || len(c.sizes) != c.N-1 {
		return nil
	}
	return append(slices.Clone(c.sizes), c.current)
}

// Sigma returns how variable the sizes of clusters are at the most: see [Lengths.Sigma]. It is 2 for clusters that were not added here.
func (c *Clusters) Sigma() float64 {
	all := c.closed
	if c.current > 0 {
		all.Add(float64(c.current))
	}
	if all.n != c.N {
		return SigmaMost
	}
	return all.Sigma()
}

// Add takes the next trial.
func (c *Clusters) Add(failed bool) {
	if !failed {
		c.Good++
		c.since++
		return
	}
	if c.Bad == 0 || c.since > 0 && c.since >= c.Gap {
		if c.current > 0 {
			c.closed.Add(float64(c.current))
			if len(c.sizes) < mostSizes {
				c.sizes = append(c.sizes, c.current)
			}
		}
		c.N++
		c.current = 0
	}
	c.Bad++
	c.current++
	c.since = 0
	c.Longest = max(c.Longest, c.current)
}
