package stat

import "math"

// Jackknife returns a statistic of n values or blocks of them and its interval by leaving out one at a time (Tukey 1958): the mean of the
// pseudo-values n·θ - (n-1)·θ₋ᵢ, with Student's t of n-1 degrees of freedom. theta is asked for the statistic without number i, and for that of all with -1, which
// is returned as the value. It suits smooth statistics, such as ratios of sums, and not quantiles.
func Jackknife(n int, confidence float64, theta func(without int) float64) (float64, Interval) {
	all := theta(-1)
	if n < 2 {
		return all, Interval{math.Inf(-1), math.Inf(1), 1}
	}
	var sum, squares float64
	for i := range n {
		d := theta(i) - all
		sum += d
		squares += d * d
	}
	k := float64(n)
	variance := (k - 1) / k * (squares - sum*sum/k)
	half := StudentT(1-(1-confidence)/2, k-1) * math.Sqrt(variance)
	return all, Interval{all - half, all + half, confidence}
}
