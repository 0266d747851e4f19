package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// MTBF returns the two-sided interval of the mean time between failures after
// failures in exposure time, for a watch that ended at a set time, at a constant
// rate. With no failure it is the one-sided lower bound exposure/ln(1/alpha).
func MTBF(exposure float64, failures int, confidence float64) Interval {
	if failures == 0 {
		return Interval{exposure / -math.Log(1-confidence), math.Inf(1), confidence}
	}
	lo, hi := MTBFFactors(failures, confidence)
	m := exposure / float64(failures)
	return Interval{m * lo, m * hi, confidence}
}

// MTBFFailureTerminated is MTBF for a watch that ended with its last failure. It needs at least one.
func MTBFFailureTerminated(exposure float64, failures int, confidence float64) Interval {
	if failures < 1 {
		return Interval{math.NaN(), math.NaN(), confidence}
	}
	a := 1 - confidence
	r := float64(failures)
	return Interval{2 * exposure / chi2(1-a/2, 2*r), 2 * exposure / chi2(a/2, 2*r), confidence}
}

// MTBFFactors returns what the point estimate exposure/failures is multiplied with to give the
// two-sided bounds. With no failure the lower factor multiplies the exposure and there is no upper one.
func MTBFFactors(failures int, confidence float64) (lo, hi float64) {
	a := 1 - confidence
	r := float64(failures)
	if failures == 0 {
		return 2 / chi2(1-a/2, 2), math.Inf(1)
	}
	return 2 * r / chi2(1-a/2, 2*r+2), 2 * r / chi2(a/2, 2*r)
}

// Rate returns the two-sided interval of a constant failure rate per unit of exposure; with no
// failure, its one-sided upper bound.
func Rate(exposure float64, failures int, confidence float64) Interval {
	m := MTBF(exposure, failures, confidence)
	return Interval{1 / m.Hi, 1 / m.Lo, confidence}
}

// PlanningFactor returns how many times the goal one must watch, with at most failures failures,
// to show with the given one-sided confidence that the MTBF is at least the goal.
func PlanningFactor(failures int, confidence float64) float64 {
	return chi2(confidence, 2*float64(failures)+2) / 2
}

// Poisson count bounds: lower and upper one-sided bounds, each at confidence, of the mean
// of a Poisson count.
func poissonLower(n int, confidence float64) float64 {
	if n == 0 {
		return 0
	}
	return chi2(1-confidence, 2*float64(n)) / 2
}

func poissonUpper(n int, confidence float64) float64 {
	return chi2(confidence, 2*float64(n)+2) / 2
}

func chi2(p, dof float64) float64 { return distuv.ChiSquared{K: dof}.Quantile(p) }

func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }

// StudentT returns the quantile p of Student's t distribution.
func StudentT(p, dof float64) float64 { return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: dof}.Quantile(p) }
