package stat

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Wilson returns the score interval of a proportion with x successes in n independent trials. n need not be
// whole: an effective sample size will do.
func Wilson(x, n, confidence float64) Interval {
	if n <= 0 {
		return Interval{0, 1, confidence}
	}
	z := normalQuantile(1 - (1-confidence)/2)
	p := x / n
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	in := Interval{math.Max(0, mid-half), math.Min(1, mid+half), confidence}
	if x == 0 {
		in.Lo = 0
	}
	if x == n {
		in.Hi = 1
	}
	return in
}

// ClopperPearson returns the exact interval of a proportion with x successes in n independent
// trials: it covers at least with the confidence asked for.
func ClopperPearson(x, n int, confidence float64) Interval {
	a := 1 - confidence
	in := Interval{0, 1, confidence}
	if x > 0 {
		in.Lo = distuv.Beta{Alpha: float64(x), Beta: float64(n - x + 1)}.Quantile(a / 2)
	}
	if x < n {
		in.Hi = distuv.Beta{Alpha: float64(x + 1), Beta: float64(n - x)}.Quantile(1 - a/2)
	}
	return in
}

// Trials returns the least number of independent trials that, with at most failures failures among them, shows
// with the given one-sided confidence that the probability of a failure is at most p.
func Trials(p float64, failures int, confidence float64) int {
	a := 1 - confidence
	hi := failures + 1
	for binomialCDF(failures, hi, p) > a {
		hi *= 2
	}
	return sort.Search(hi, func(n int) bool { return n > failures && binomialCDF(failures, n, p) <= a })
}

// binomialCDF returns P(X <= k) for X ~ Binomial(n, p), through the incomplete beta
// function, since the sum loses digits for large n.
func binomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return mathext.RegIncBeta(float64(n-k), float64(k+1), 1-p)
}

// AtMost returns the chance of at most x successes in n independent trials of probability p each, and AtLeast of at least x. Neither x nor n
// need be whole: those of an effective sample size will do.
func AtMost(x, n, p float64) float64 {
	switch {
	case x < 0:
		return 0
	case x >= n:
		return 1
	}
	return mathext.RegIncBeta(n-x, x+1, 1-p)
}

// AtLeast is the other side of [AtMost].
func AtLeast(x, n, p float64) float64 {
	switch {
	case x <= 0:
		return 1
	case x > n:
		return 0
	}
	return mathext.RegIncBeta(x, n-x+1, p)
}
