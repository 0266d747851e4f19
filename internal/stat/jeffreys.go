package stat

import "gonum.org/v1/gonum/stat/distuv"

// Jeffreys returns the equal-tailed interval of Jeffreys' posterior of a proportion with x successes in n independent trials; its open side is closed
// where there were no successes, or nothing but (Brown, Cai and DasGupta, Stat. Sci. 16, 2001).
func Jeffreys(x, n int, confidence float64) Interval {
	post := distuv.Beta{Alpha: float64(x) + 0.5, Beta: float64(n-x) + 0.5}
	a := 1 - confidence
	in := Interval{0, 1, confidence}
	if x > 0 {
		in.Lo = post.Quantile(a / 2)
	}
	if x < n {
		in.Hi = post.Quantile(1 - a/2)
	}
	return in
}
