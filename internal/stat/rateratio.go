package stat

import "math"

// A RateRatio compares how often two Poisson processes fail.
type RateRatio struct {
	Value float64 // rate of the candidate over that of the base; NaN without any failure, +Inf without one of the base
	In    Interval
	PMore float64 // chance of so large a share of the failures in the candidate, or larger, at equal rates
	PLess float64 // of so small a share, or smaller
}

// RateRatioOf compares failures in the exposures of base and candidate, in one unit of time. Given how many failures there are in all, those of the candidate are
// binomial (Przyborowski and Wilenski, Biometrika 31, 1940), so the interval is exact by Clopper and Pearson: it covers at least at confidence. Failures must be independent: where they
// cluster, they are episodes. Without a failure nothing is known, and the interval is all from 0 to infinity. Exposures must be above 0.
func RateRatioOf(baseFailures int, baseExposure float64, candidateFailures int, candidateExposure, confidence float64) RateRatio {
	n := baseFailures + candidateFailures
	r := RateRatio{Value: math.NaN(), In: Interval{0, math.Inf(1), confidence}, PMore: 1, PLess: 1}
	if n == 0 {
		return r
	}
	r.Value = float64(candidateFailures) / candidateExposure / (float64(baseFailures) / baseExposure)
	share := ClopperPearson(candidateFailures, n, confidence)
	odds := func(p float64) float64 { return p / (1 - p) * baseExposure / candidateExposure }
	r.In.Lo, r.In.Hi = odds(share.Lo), odds(share.Hi)
	even := candidateExposure / (baseExposure + candidateExposure)
	r.PMore = AtLeast(float64(candidateFailures), float64(n), even)
	r.PLess = AtMost(float64(candidateFailures), float64(n), even)
	return r
}
