package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Unavailability returns the interval of the long-run share of bad time (or of bad
// requests) after up good and down bad units in which the bad ones came in k episodes. It
// is the product of a bound on how often episodes come and a bound on how long they last, so
// it holds however strongly failures cluster:
//
//	upper odds = upper bound of episodes per good unit × upper bound of the mean length
//
// Each of the four bounds is one-sided at 1-alpha/4 (Bonferroni), for episodes that come at a constant rate
// with lengths no more variable than a lognormal with sigma 1, the usual model of repair times. [UnavailabilityF] is half as wide and exact for
// exponential lengths, but covers only .75 to .94 of lognormal ones; it serves as a check. Intervals from independent requests fail here: they cover the truth one time in seven
// at a nominal 95 % when fifty requests fail at a time.
//
// With no episode nothing bounds the length of one: see [UnavailabilityBound].
func Unavailability(up, down float64, k int, confidence float64) Interval {
	if k == 0 || up <= 0 {
		return Interval{0, 1, confidence}
	}
	c := 1 - (1-confidence)/4
	rateLo, rateHi := poissonLower(k, c)/up, poissonUpper(k, c)/up
	n := 2 * float64(k)
	lenLo, lenHi := 2*down/chi2(c, n), 2*down/chi2(1-c, n)
	return Interval{share(rateLo * lenLo), share(rateHi * lenHi), confidence}
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
}

// Add takes the next trial.
func (c *Clusters) Add(failed bool) {
	if !failed {
		c.Good++
		c.since++
		return
	}
	if c.Bad == 0 || c.since > 0 && c.since >= c.Gap {
		c.N++
		c.current = 0
	}
	c.Bad++
	c.current++
	c.since = 0
	c.Longest = max(c.Longest, c.current)
}
