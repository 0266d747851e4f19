package stat

import (
	"math"
	"sort"
)

// Definitions of a sample quantile, by their Hyndman-Fan type.
const (
	Type6 = 6 // position p(n+1): NIST, Minitab
	Type7 = 7 // position p(n-1)+1: NumPy, R, k6
)

// Quantile returns the p-quantile of the sorted sample by the given Hyndman-Fan type; NaN for an empty one.
func Quantile(sorted []float64, p float64, hf int) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	h := p*float64(n-1) + 1
	if hf == Type6 {
		h = p * float64(n+1)
	}
	h = math.Max(1, math.Min(float64(n), h))
	i := int(h)
	if i >= n {
		return sorted[n-1]
	}
	return sorted[i-1] + (h-float64(i))*(sorted[i]-sorted[i-1])
}

// Ranks returns the ranks (from 1) of the order statistics that hold the p-quantile
// between them with at least the given confidence, and the confidence they attain.
// The tails are equal where the sample is large enough; a smaller sample gets
// the extreme as one end as long as the whole interval still attains the confidence. ok is
// false where not even the widest does.
func Ranks(n int, p, confidence float64) (lo, hi int, attained float64, ok bool) {
	a := 1 - confidence
	// Largest rank with at most a/2 below it, smallest with at least 1-a/2.
	lo = sort.Search(n, func(l int) bool { return binomialCDF(l, n, p) > a/2 })
	hi = 1 + sort.Search(n, func(u int) bool { return binomialCDF(u, n, p) >= 1-a/2 })
	switch {
	case lo >= 1 && hi <= n:
	case hi > n && lo >= 1:
		hi = n
		top := binomialCDF(n-1, n, p)
		lo = sort.Search(n, func(l int) bool { return top-binomialCDF(l, n, p) < confidence })
	case lo < 1 && hi <= n:
		lo = 1
		bottom := binomialCDF(0, n, p)
		hi = 1 + sort.Search(n, func(u int) bool { return binomialCDF(u, n, p)-bottom >= confidence })
	default:
		lo, hi = 1, n
	}
	if lo < 1 || hi > n || lo >= hi {
		return 0, 0, 0, false
	}
	attained = binomialCDF(hi-1, n, p) - binomialCDF(lo-1, n, p)
	return lo, hi, attained, attained >= confidence
}

// LeastN returns the least number of independent values of which the largest bounds the
// p-quantile from above with the given confidence: 59, 299 and 2995 for p95, p99 and p99.9 at 95 %. For a
// quantile below the median it is the smallest value that must bound it from below.
func LeastN(p, confidence float64) int {
	if p < 0.5 {
		p = 1 - p
	}
	n := int(math.Ceil(math.Log(1-confidence)/math.Log(p) - 1e-9))
	// Both ends are wanted: for quantiles near the median the other tail takes its part too.
	for {
		if _, _, _, ok := Ranks(n, p, confidence); ok {
			return n
		}
		n++
	}
}

// QuantileInterval returns the order-statistic interval of the p-quantile of a sorted
// sample whose correlation makes it worth only effective independent values
// (see [Effective]). The ranks are those of a sample of the effective size, spread to
// the real one and rounded outwards. ok is false where the effective size is too small.
func QuantileInterval(sorted []float64, p, confidence, effective float64) (in Interval, ok bool) {
	n := len(sorted)
	lo, hi, attained, ok := SpreadRanks(n, p, confidence, effective)
	if !ok {
		return Interval{math.NaN(), math.NaN(), 0}, false
	}
	return Interval{sorted[lo-1], sorted[hi-1], attained}, true
}

// SmallQuantileInterval is [QuantileInterval] of independent values, of which there may be few: where not even the range of the sample has the
// confidence, it is the range, with the confidence that it attains, as long as that is one half at least. So three values hold a median at 75 %. Values that share a cause are not independent: of requests that
// waited for the same start, the start counts once.
func SmallQuantileInterval(sorted []float64, p, confidence float64) (in Interval, ok bool) {
	n := len(sorted)
	if in, ok := QuantileInterval(sorted, p, confidence, float64(n)); ok {
		return in, true
	}
	attained := 1 - math.Pow(p, float64(n)) - math.Pow(1-p, float64(n))
	if n < 2 || attained < 0.5 {
		return Interval{math.NaN(), math.NaN(), 0}, false
	}
	return Interval{sorted[0], sorted[n-1], attained}, true
}

// SpreadRanks returns the ranks in a sample of n that [QuantileInterval] uses.
func SpreadRanks(n int, p, confidence, effective float64) (lo, hi int, attained float64, ok bool) {
	m := int(math.Min(effective, float64(n)))
	if m < 2 {
		return 0, 0, 0, false
	}
	lo, hi, attained, ok = Ranks(m, p, confidence)
	if !ok || m == n {
		return lo, hi, attained, ok
	}
	// Rank k of m stands at the share k/(m+1) of the distribution.
	scale := float64(n+1) / float64(m+1)
	lo = max(1, int(math.Floor(float64(lo)*scale)))
	hi = min(n, int(math.Ceil(float64(hi)*scale)))
	return lo, hi, attained, lo < hi
}
