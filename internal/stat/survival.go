package stat

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A Life is one observed lifetime, in any unit of time: until it failed, or, if Censored, until it was last seen alive.
type Life struct {
	Time     float64
	Censored bool
}

// errLives says why a lifetime distribution cannot be fitted.
var errLives = errors.New("a fit needs at least two different failures, all times above 0")

// errSpread says why lifetimes that a fit would take have none.
var errSpread = errors.New("the times are so far apart that a fit lies beyond all numbers")

// An age is one time of lives: its logarithm against the longest one, how many lasted as long, and how many of these failed.
type age struct{ log, n, failed float64 }

// agesOf returns the different times of lives, the shortest first, and the longest.
func agesOf(lives []Life) (ages []age, longest float64) {
	sorted := slices.SortedFunc(slices.Values(lives), func(a, b Life) int { return cmp.Compare(a.Time, b.Time) })
	longest = sorted[len(sorted)-1].Time
	for i, l := range sorted {
		if i == 0 || l.Time != sorted[i-1].Time {
			ages = append(ages, age{log: math.Log(l.Time / longest)})
		}
		a := &ages[len(ages)-1]
		a.n++
		if !l.Censored {
			a.failed++
		}
	}
	return ages, longest
}

// failures returns how many lives ended in a failure, and an error unless a two-parameter distribution can be fitted.
func failures(lives []Life) (r int, err error) {
	first, differ := math.NaN(), false
	for _, l := range lives {
		if !(l.Time > 0) || math.IsInf(l.Time, 1) {
			return 0, errLives
		}
		if !l.Censored {
			r++
			differ = differ || r > 1 && l.Time != first
			if r == 1 {
				first = l.Time
			}
		}
	}
	if r < 2 || !differ {
		return r, errLives
	}
	return r, nil
}

// A LifeFit is a distribution of lifetimes fitted to failures and censored times by maximum likelihood. The intervals are made
// for few failures: see [WeibullFit] and [LognormalFit].
type LifeFit struct {
	Failures, Censored int
	LogL, AIC          float64
	Mean, SD           float64 // of the distribution; SD is infinite where it has none
}

// A WeibullFit has Shape k and Scale eta: P(T > t) = exp(-(t/Scale)^Shape). A shape below 1 is a failure rate that falls with age.
type WeibullFit struct {
	LifeFit
	Shape, Scale     float64
	InShape, InScale Interval
}

// FitWeibull fits a Weibull distribution to right-censored lifetimes (NIST/SEMATECH e-Handbook 8.4.1.3). Where it cannot, the fit tells how many failures there are.
func FitWeibull(lives []Life, confidence float64) (WeibullFit, error) {
	r, err := failures(lives)
	if err != nil {
		return WeibullFit{LifeFit: LifeFit{Failures: r, Censored: len(lives) - r}}, err
	}
	// Times are in units of the longest, so that no power overflows, and equal ones stand once.
	ages, longest := agesOf(lives)
	logs := 0.0
	for _, a := range ages {
		logs += a.failed * a.log
	}
	logs /= float64(r)
	// The likelihood equation of the shape rises with it.
	score := func(k float64) float64 {
		var sum, weighted float64
		for _, a := range ages {
			p := a.n * math.Exp(k*a.log)
			sum += p
			weighted += p * a.log
		}
		return weighted/sum - 1/k - logs
	}
	lo, hi := 1e-6, 1.0
	for score(hi) < 0 {
		if lo, hi = hi, 2*hi; hi > 1e6 {
			return WeibullFit{}, errLives
		}
	}
	for hi-lo > 1e-15*hi {
		mid := (lo + hi) / 2
		if mid == lo || mid == hi {
			break
		}
		if score(mid) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	k := (lo + hi) / 2
	var sum float64
	for _, a := range ages {
		sum += a.n * math.Exp(k*a.log)
	}
	eta := longest * math.Pow(sum/float64(r), 1/k)
	if !(eta > 0) || math.IsInf(eta, 0) {
		return WeibullFit{LifeFit: LifeFit{Failures: r, Censored: len(lives) - r}}, errSpread
	}
	lnl := math.Log(longest)
	like := func(lnk, lneta float64) float64 {
		k := math.Exp(lnk)
		var s float64
		for _, a := range ages {
			z := a.log + lnl - lneta
			if a.failed > 0 {
				s += a.failed * (lnk - lneta + (k-1)*z)
			}
			s -= a.n * math.Exp(k*z)
		}
		return s
	}
	f := WeibullFit{Shape: k, Scale: eta, LifeFit: lifeFit(lives, r, like(math.Log(k), math.Log(eta)))}
	g1, g2 := math.Gamma(1+1/k), math.Gamma(1+2/k)
	f.Mean, f.SD = eta*g1, eta*math.Sqrt(g2-g1*g1)
	f.profile(ages, lnl, like, confidence)
	return f, nil
}

// A LognormalFit has the mean Mu and the standard deviation Sigma of the logarithm.
type LognormalFit struct {
	LifeFit
	Mu, Sigma     float64
	InMu, InSigma Interval

	cov covariance // of Mu and the logarithm of Sigma
}

// small returns the intervals: Student's t for Mu and chi-square for Sigma, both exact without censoring; with it the degrees of freedom are those that the information on
// the variance is worth.
func (f *LognormalFit) small(confidence float64) (mu, sigma Interval) {
	r := float64(f.Failures)
	free := r / (r - 1) // of the bias of the maximum likelihood estimate of a variance
	nu := math.Min(r-1, 1/(2*f.cov.bb*free))
	q := 1 - (1-confidence)/2
	half := StudentT(q, nu) * math.Sqrt(f.cov.aa*free)
	s := f.Sigma * math.Sqrt(free)
	return Interval{f.Mu - half, f.Mu + half, confidence}, Interval{s * math.Sqrt(nu/chi2(q, nu)), s * math.Sqrt(nu/chi2(1-q, nu)), confidence}
}

// Median returns the median and its interval.
func (f *LognormalFit) Median() (float64, Interval) {
	return math.Exp(f.Mu), Interval{math.Exp(f.InMu.Lo), math.Exp(f.InMu.Hi), f.InMu.Confidence}
}

// FitLognormal fits a lognormal distribution to right-censored lifetimes, by expectation and maximisation.
func FitLognormal(lives []Life, confidence float64) (LognormalFit, error) {
	r, err := failures(lives)
	if err != nil {
		return LognormalFit{LifeFit: LifeFit{Failures: r, Censored: len(lives) - r}}, err
	}
	n := float64(len(lives))
	logs := make([]float64, len(lives))
	var mu, sigma float64
	for i, l := range lives {
		logs[i] = math.Log(l.Time)
		mu += logs[i] / n
	}
	for _, x := range logs {
		sigma += (x - mu) * (x - mu) / n
	}
	sigma = max(math.Sqrt(sigma), 1e-9)
	for range 100_000 {
		var m1, m2 float64
		for i, l := range lives {
			x := logs[i]
			if !l.Censored {
				m1, m2 = m1+x, m2+x*x
				continue
			}
			h := hazard((x - mu) / sigma)
			m1 += mu + sigma*h
			m2 += mu*mu + sigma*sigma + sigma*(x+mu)*h
		}
		m1, m2 = m1/n, m2/n
		next := math.Sqrt(max(m2-m1*m1, 1e-18))
		done := math.Abs(m1-mu)+math.Abs(next-sigma) < 1e-13*(1+math.Abs(mu))
		if mu, sigma = m1, next; done {
			break
		}
	}
	like := func(mu, lns float64) float64 {
		sigma := math.Exp(lns)
		var s float64
		for i, l := range lives {
			z := (logs[i] - mu) / sigma
			if l.Censored {
				s += math.Log(math.Erfc(z/math.Sqrt2) / 2)
			} else {
				s += -z*z/2 - lns - logs[i] - math.Log(2*math.Pi)/2
			}
		}
		return s
	}
	f := LognormalFit{Mu: mu, Sigma: sigma, LifeFit: lifeFit(lives, r, like(mu, math.Log(sigma)))}
	f.Mean = math.Exp(mu + sigma*sigma/2)
	f.SD = f.Mean * math.Sqrt(math.Expm1(sigma*sigma))
	f.cov = covarianceOf(like, mu, math.Log(sigma))
	f.InMu, f.InSigma = f.small(confidence)
	return f, nil
}

// hazard is the hazard of the standard normal distribution at z.
func hazard(z float64) float64 {
	if z > 30 {
		return z + 1/z // its expansion, where the tail underflows
	}
	return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) / (math.Erfc(z/math.Sqrt2) / 2)
}

func lifeFit(lives []Life, r int, logL float64) LifeFit {
	return LifeFit{Failures: r, Censored: len(lives) - r, LogL: logL, AIC: 4 - 2*logL}
}

// A covariance is that of two estimates a and b.
type covariance struct{ aa, bb, ab float64 }

// covarianceOf returns the covariance of two parameters from the curvature of the log-likelihood at its top, by central differences.
func covarianceOf(like func(a, b float64) float64, a, b float64) covariance {
	const h = 1e-4
	top := like(a, b)
	aa := (like(a+h, b) - 2*top + like(a-h, b)) / h / h
	bb := (like(a, b+h) - 2*top + like(a, b-h)) / h / h
	ab := (like(a+h, b+h) - like(a+h, b-h) - like(a-h, b+h) + like(a-h, b-h)) / 4 / h / h
	det := aa*bb - ab*ab
	return covariance{-bb / det, -aa / det, ab / det}
}

// A SurvivalStep is one step of a survival curve: from Time on, the share Survival is still alive.
type SurvivalStep struct {
	Time     float64
	AtRisk   int // alive and watched just before
	Failed   int
	Survival float64
	In       Interval // by Greenwood's variance on the scale of log(-log); NaN where nothing is left
}

// KaplanMeier returns the product-limit estimate of survival, one step for each time of failure (NIST/SEMATECH e-Handbook 8.2.1.5). A life that is
// censored at the time of a failure counts as having outlived it.
func KaplanMeier(lives []Life, confidence float64) []SurvivalStep {
	sorted := slices.Clone(lives)
	slices.SortFunc(sorted, func(a, b Life) int { return cmp.Compare(a.Time, b.Time) })
	z := normalQuantile(1 - (1-confidence)/2)
	var out []SurvivalStep
	s, green := 1.0, 0.0
	for i := 0; i < len(sorted); {
		t, n, d := sorted[i].Time, len(sorted)-i, 0
		for ; i < len(sorted) && sorted[i].Time == t; i++ {
			if !sorted[i].Censored {
				d++
			}
		}
		if d == 0 {
			continue
		}
		s *= 1 - float64(d)/float64(n)
		green += float64(d) / float64(n) / float64(n-d)
		step := SurvivalStep{Time: t, AtRisk: n, Failed: d, Survival: s, In: Interval{math.NaN(), math.NaN(), confidence}}
		if s > 0 {
			w := math.Exp(z * math.Sqrt(green) / math.Log(s))
			step.In.Lo, step.In.Hi = math.Pow(s, 1/w), math.Pow(s, w)
			if step.In.Lo > step.In.Hi {
				step.In.Lo, step.In.Hi = step.In.Hi, step.In.Lo
			}
		}
		out = append(out, step)
	}
	return out
}

// LognormalMean returns the mean of a lognormal distribution of which n uncensored values have the mean m and the variance s2 of their
// logarithms, with Cox's interval as modified by Olsson (J. Stat. Educ. 13(1), 2005), which takes Student's t.
func LognormalMean(m, s2 float64, n int, confidence float64) (float64, Interval) {
	t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(1 - (1-confidence)/2)
	half := t * math.Sqrt(s2/float64(n)+s2*s2/(2*float64(n-1)))
	return math.Exp(m + s2/2), Interval{math.Exp(m + s2/2 - half), math.Exp(m + s2/2 + half), confidence}
}
