package stat

import (
	"math"
	"slices"
)

// TheilSen returns the median of the slopes between all pairs of points, which single outliers do not move, and Sen's interval for the
// slope at the given confidence, from the distribution of Kendall's rank statistic. The errors of the points are taken to be independent. xs must
// rise. With fewer than five points, or where even the widest interval does not attain the confidence, ok is false.
func TheilSen(xs, ys []float64, confidence float64) (slope float64, in Interval, ok bool) {
	n := len(xs)
	if n < 5 {
		return math.NaN(), Interval{math.NaN(), math.NaN(), 0}, false
	}
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range xs {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (ys[j]-ys[i])/(xs[j]-xs[i]))
		}
	}
	slices.Sort(slopes)
	m := len(slopes)
	half := normalQuantile(1-(1-confidence)/2) * math.Sqrt(float64(n*(n-1)*(2*n+5))/18)
	lo, hi := int(math.Floor((float64(m)-half)/2)), int(math.Ceil((float64(m)+half)/2)) // ranks from 0, the upper one is one further
	slope = Quantile(slopes, 0.5, Type7)
	if lo < 0 || hi >= m {
		return slope, Interval{math.NaN(), math.NaN(), 0}, false
	}
	return slope, Interval{slopes[lo], slopes[hi], confidence}, true
}
