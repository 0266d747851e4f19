package stat

import "math"

// Expected returns how long the test takes on average where the MTBF is m, by Wald's approximation, which neglects how far the boundaries are
// passed (Wald, Sequential Analysis, 1947; MIL-HDBK-781). It is in the unit of Good and Bad.
func (s Sequential) Expected(m float64) float64 {
	accept, reject := math.Log(s.Beta/(1-s.Alpha)), math.Log((1-s.Beta)/s.Alpha)
	step, slope := math.Log(s.Good/s.Bad), 1/s.Bad-1/s.Good
	drift := step/m - slope // of the logarithm of the ratio, per unit of time
	if math.Abs(drift)*m < 1e-9 {
		return -accept * reject * m / (step * step)
	}
	p := s.Reaches(m)
	return (p*reject + (1-p)*accept) / drift
}

// Reaches returns the chance of rejecting where the MTBF is m, by Wald's approximation: Alpha where it is Good, and 1-Beta where it is Bad.
func (s Sequential) Reaches(m float64) float64 {
	accept, reject := math.Log(s.Beta/(1-s.Alpha)), math.Log((1-s.Beta)/s.Alpha)
	step, slope := math.Log(s.Good/s.Bad), 1/s.Bad-1/s.Good
	// h solves E[exp(h L)] = 1: exp(h step) - 1 = h slope m.
	f := func(h float64) float64 { return math.Expm1(h*step) - h*slope*m }
	if math.Abs(step-slope*m) < 1e-9*step {
		return -accept / (reject - accept)
	}
	lo, hi := 1e-12, 1.0
	if step > slope*m { // rejects more often than not: h below 0
		lo, hi = -1, -1e-12
		for f(lo) < 0 {
			lo *= 2
		}
	} else {
		for f(hi) < 0 {
			hi *= 2
		}
	}
	low := f(lo)
	for range 200 {
		mid := (lo + hi) / 2
		if v := f(mid); (v < 0) == (low < 0) {
			lo = mid
		} else {
			hi = mid
		}
	}
	h := (lo + hi) / 2
	return -math.Expm1(h*accept) / (math.Exp(h*reject) - math.Exp(h*accept))
}

// Fixed returns the test of a set time with the risks of s: it accepts after that time with at most so many failures. It is the longest that s can take the place of.
// Beyond a hundred thousand failures, which a Good near Bad asks for, ok is false.
func (s Sequential) Fixed() (time float64, failures int, ok bool) {
	for r := range 100_000 {
		time = s.Bad * poissonUpper(r, 1-s.Beta)
		if time <= s.Good*poissonUpper(r, s.Alpha) {
			return time, r, true
		}
	}
	return 0, 0, false
}
