package stat

import "math"

// SurvivalMedian returns the median lifetime of a survival curve and its interval, of those times at which the pointwise interval of survival holds a half (Brookmeyer
// and Crowley, Biometrics 38, 1982). The median is NaN where fewer than half died, and a bound is infinite where the curve does not reach it.
func SurvivalMedian(curve []SurvivalStep) (median float64, in Interval) {
	median, in = math.NaN(), Interval{0, math.Inf(1), 0}
	lo := false
	for _, s := range curve {
		in.Confidence = s.In.Confidence
		if math.IsNaN(median) && s.Survival <= 0.5 {
			median = s.Time
		}
		if !lo && (s.In.Lo <= 0.5 || s.Survival <= 0) {
			in.Lo, lo = s.Time, true
		}
		if s.In.Hi <= 0.5 {
			in.Hi = math.Min(in.Hi, s.Time)
		}
	}
	return median, in
}
