package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// KornGraubard returns the interval of a proportion of trials that come in clusters, such as the requests of users, given its standard error over the
// clusters: that of Clopper and Pearson with as many trials as would have that standard error if they were independent, fewer by what few clusters tell of
// it, and never more than there are (Korn and Graubard, Survey Methodology 24, 1998). df is the degrees of freedom of the standard error: clusters less one.
// It holds for rare failures and skewed clusters, where a symmetric interval is too short on the side that matters.
func KornGraubard(p, se float64, trials, df int, confidence float64) Interval {
	if trials < 2 || df < 1 || math.IsNaN(p) {
		return Interval{0, 1, confidence}
	}
	a := (1 - confidence) / 2
	n := float64(trials)
	if se > 0 {
		n = p * (1 - p) / (se * se) * math.Pow(StudentT(1-a, n-1)/StudentT(1-a, float64(df)), 2)
		n = math.Min(n, float64(trials))
	}
	x := p * n
	in := Interval{0, 1, confidence}
	if x > 0 {
		in.Lo = distuv.Beta{Alpha: x, Beta: n - x + 1}.Quantile(a)
	}
	if x < n {
		in.Hi = distuv.Beta{Alpha: x + 1, Beta: n - x}.Quantile(1 - a)
	}
	return in
}
