package stat

import "gonum.org/v1/gonum/stat/distuv"

// RenewalF returns the textbook's interval of the share of bad units after k pairs of exponential up and down stretches: the odds over their true
// value follow F with 2k and 2k degrees of freedom (Trivedi, Probability and Statistics, alternating renewal). It is a check of [Unavailability], not a
// substitute: a watch that ends at a set time and repairs with a heavy tail break it.
func RenewalF(up, down float64, k int, confidence float64) Interval {
	if k == 0 || up <= 0 {
		return Interval{0, 1, confidence}
	}
	f := distuv.F{D1: 2 * float64(k), D2: 2 * float64(k)}.Quantile(1 - (1-confidence)/2)
	rho := down / up
	return Interval{share(rho / f), share(rho * f), confidence}
}
