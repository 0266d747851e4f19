package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Trend is the outcome of two tests of a constant failure rate over (0, end].
type Trend struct {
	N           int
	Laplace     float64 // standard normal under a constant rate; negative: improving
	LaplaceP    float64 // two-sided
	MilHdbk     float64 // chi-square with 2N degrees of freedom; large: improving
	MilHdbkP    float64 // two-sided; the more powerful against a power law
	MilHdbkTail float64 // upper tail alone
}

// TrendOf tests whether failures at the given ages, of a watch that ended at
// a set time end, came at a constant rate. Both tests are approximate below four failures.
func TrendOf(ages []float64, end float64) Trend {
	n := float64(len(ages))
	if n == 0 {
		nan := math.NaN()
		return Trend{0, nan, nan, nan, nan, nan}
	}
	var sum, logs float64
	for _, t := range ages {
		sum += t - end/2
		logs += math.Log(end / t)
	}
	tr := Trend{N: len(ages), Laplace: sum / (end * math.Sqrt(n/12)), MilHdbk: 2 * logs}
	tr.LaplaceP = 2 * distuv.UnitNormal.CDF(-math.Abs(tr.Laplace))
	tr.MilHdbkTail = distuv.ChiSquared{K: 2 * n}.Survival(tr.MilHdbk)
	tr.MilHdbkP = math.Min(1, 2*math.Min(tr.MilHdbkTail, 1-tr.MilHdbkTail))
	return tr
}

// TrendSeen returns between which shapes of a power law the test of [TrendOf] at alpha, by MIL-HDBK-189, misses a trend of n failures more often than a chance of power finds it: below lo
// failures become rarer, and above hi more frequent, so plainly that it is found. Under a shape β the statistic times β is chi-square with 2n degrees of freedom (MIL-HDBK-189C, 5.5).
func TrendSeen(n int, alpha, power float64) (lo, hi float64) {
	c := distuv.ChiSquared{K: 2 * float64(n)}
	return c.Quantile(1-power) / c.Quantile(1-alpha/2), c.Quantile(power) / c.Quantile(alpha/2)
}
