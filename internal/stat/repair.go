package stat

import (
	"errors"
	"fmt"
	"math"
)

// LeastRepairs is how many repairs must have been seen to end for their distribution to be fitted.
const LeastRepairs = 3

// ErrFewRepairs says that too few repairs were seen to end.
var ErrFewRepairs = errors.New("too few repairs were seen to end")

// A Repair is the distribution of repair times, lognormal, fitted to repairs that ended and to such as had not when they were last seen.
type Repair struct {
	N, Censored             int // of N repairs, Censored were not seen to end
	Mu, Sigma               float64
	Median, Mean, P90       float64 // in the unit of the times
	InMedian, InMean, InP90 Interval
}

// RepairOf fits a lognormal distribution to repair times by maximum likelihood with right censoring, and gives the median, the mean and the 90th
// percentile with intervals for small samples: Student's t for the mean of the logarithm, chi-square for its variance, and both put together by the method of
// variance estimates recovery (Zou, Huo and Taleban, Environmetrics 20, 2009, for the mean of a lognormal). Without censoring the interval of the median is
// exact. With censoring the degrees of freedom are those that the information on the variance is worth, and the correlation of both estimates is taken into account.
func RepairOf(times []Life, confidence float64) (Repair, error) {
	f, err := FitLognormal(times, confidence)
	r := Repair{N: len(times)}
	for _, t := range times {
		if t.Censored {
			r.Censored++
		}
	}
	switch {
	case err != nil:
		return r, err
	case f.Failures < LeastRepairs:
		return r, fmt.Errorf("%w: %d; want %d", ErrFewRepairs, f.Failures, LeastRepairs)
	}
	done := float64(f.Failures)
	free := done / (done - 1) // of the bias of the maximum likelihood estimate of a variance
	r.Mu, r.Sigma = f.Mu, f.Sigma*math.Sqrt(free)
	nu := math.Min(done-1, 1/(2*f.cov.bb*free))
	rho := f.cov.ab / math.Sqrt(f.cov.aa*f.cov.bb)
	q := 1 - (1-confidence)/2
	r.put(StudentT(q, nu)*math.Sqrt(f.cov.aa*free), rho, nu, confidence)
	return r, nil
}

// put fills the figures: half is half the interval of Mu, rho the correlation of the estimates, nu the degrees of freedom of Sigma's.
func (r *Repair) put(half, rho, nu, confidence float64) {
	q := 1 - (1-confidence)/2
	lo, hi := r.Sigma*math.Sqrt(nu/chi2(q, nu)), r.Sigma*math.Sqrt(nu/chi2(1-q, nu))
	// sum puts the interval of Mu and that of a part that grows with Sigma together.
	sum := func(v, below, above float64) (float64, Interval) {
		join := func(b float64) float64 { return math.Sqrt(half*half + 2*rho*half*b + b*b) }
		return math.Exp(r.Mu + v), Interval{math.Exp(r.Mu + v - join(v-below)), math.Exp(r.Mu + v + join(above-v)), confidence}
	}
	z := normalQuantile(0.9)
	r.Median, r.InMedian = sum(0, 0, 0)
	r.Mean, r.InMean = sum(r.Sigma*r.Sigma/2, lo*lo/2, hi*hi/2)
	r.P90, r.InP90 = sum(z*r.Sigma, z*lo, z*hi)
}

// mostRepairs is where [Repair.Enough] gives up.
const mostRepairs = 10_000

// Enough returns how many repairs like these, all seen to end, would bring the upper bound of a figure down to most, in the unit of the times; 0 if ten thousand would not.
func (r Repair) Enough(bound func(Repair) Interval, most, confidence float64) int {
	for n := LeastRepairs; n <= mostRepairs; n++ {
		r.put(StudentT(1-(1-confidence)/2, float64(n-1))*r.Sigma/math.Sqrt(float64(n)), 0, float64(n-1), confidence)
		if bound(r).Hi <= most {
			return n
		}
	}
	return 0
}
