package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// lives reads failures from the arguments and censored times from a flag.
func (s *statFlags) lives(args, censored []string) (lives []stat.Life, u assay.Unit, err error) {
	if len(args) == 0 && len(censored) > 0 {
		return nil, "", errors.New("no failures were given")
	}
	d, err := s.read(args)
	if err != nil {
		return nil, "", err
	}
	for _, v := range d.v {
		if !(v > 0) {
			return nil, "", fmt.Errorf("lifetime %g: want more than 0", v)
		}
		lives = append(lives, stat.Life{Time: v})
	}
	for _, text := range censored {
		value, count, many := strings.Cut(text, ":")
		n := 1
		if many {
			if n, err = strconv.Atoi(count); err != nil || n < 1 || n > maxNumbers-len(lives) {
				return nil, "", fmt.Errorf("--censored %q: want a time, or time:count with a count of 1 or more, and no more than %d lives in all", text, maxNumbers)
			}
		}
		v, isTime, err := parseNumber(value)
		if err != nil || !(v > 0) {
			return nil, "", fmt.Errorf("--censored %q: want a time above 0, or time:count", text)
		}
		if isTime != (d.unit == assay.Seconds) {
			return nil, "", fmt.Errorf("--censored %q and the failures want the same unit, or none", text)
		}
		for range n {
			lives = append(lives, stat.Life{Time: v, Censored: true})
		}
	}
	return lives, d.unit, nil
}

// onLives makes a command that works on lifetimes, some of which may be censored.
func (s *statFlags) onLives(cmd *cobra.Command, solve func(lives []stat.Life, u assay.Unit, confidence float64) *solution) calculator {
	var confidence float64
	var censored []string
	cmd.Flags().StringSliceVar(&censored, "censored", nil, "times at which units were last seen alive, each a time or time:count")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		lives, u, err := s.lives(args, censored)
		if err != nil {
			return nil, err
		}
		return solve(lives, u, confidence), nil
	}}
}

// fitted fills in what any fit tells after what told says of its own parameters; or why there is none.
func fitted(a *solution, f stat.LifeFit, err error, u assay.Unit, told func()) *solution {
	if err != nil {
		a.q = assay.NotEstimable(u, f.Failures, "failures", err.Error())
		a.q.Method = "maximum likelihood with right censoring"
		if f.Failures < 3 {
			a.notes = append(a.notes, "two failures at different times give a fit, about 20 a good one")
		}
		return a
	}
	told()
	a.add("mean", "mean", f.Mean, u)
	a.add("sd", "standard deviation", f.SD, u)
	a.add("log_likelihood", "log-likelihood", f.LogL, "")
	a.add("aic", "AIC", f.AIC, "")
	a.rows = append(a.rows, solutionRow{"censored", "censored", f.Censored, strconv.Itoa(f.Censored)})
	if f.Failures < 10 && strings.Contains(a.q.Method, "Wald") {
		a.notes = append(a.notes, fmt.Sprintf("%d failures: the intervals are those of large samples and are too narrow; about 20 make them good", f.Failures))
	}
	return a
}

func (s *statFlags) weibull() calculator {
	cmd := &cobra.Command{Use: "weibull [--censored T:N] TIME...", Short: "Weibull fit to lifetimes, with censoring", Long: "Fits a Weibull distribution to lifetimes by maximum likelihood. The main figure is the scale eta, the age that 63 % have failed by."}
	return s.onLives(cmd, func(lives []stat.Life, u assay.Unit, confidence float64) *solution {
		a := &solution{title: "scale eta", source: "NIST/SEMATECH e-Handbook 8.4.1.3"}
		f, err := stat.FitWeibull(lives, confidence)
		return fitted(a, f.LifeFit, err, u, func() {
			a.q = estimated(f.Scale, f.InScale.Lo, f.InScale.Hi, confidence, u, f.Failures, "failures", "Weibull, maximum likelihood with right censoring; profile likelihood by Student's t")
			a.add("shape", "shape k", f.Shape, "")
			a.add("shape_lo", "", f.InShape.Lo, "")
			a.add("shape_hi", "", f.InShape.Hi, "")
			a.rows = append(a.rows, solutionRow{"", "  its interval", nil, fmt.Sprintf("[%.6g, %.6g]", f.InShape.Lo, f.InShape.Hi)})
			a.add("scale", "", f.Scale, u)
		})
	})
}

func (s *statFlags) lognormal() calculator {
	var n int
	var m, s2 float64
	cmd := &cobra.Command{Use: "lognormal [--censored T:N] TIME... | --n N --log-mean M --log-variance S2", Short: "Lognormal fit to lifetimes or repair times, with censoring", Long: "Fits a lognormal distribution by maximum likelihood: the usual model of repair times. The main figure is the median; " +
		"mean and 90th percentile stand beside it with intervals for small samples. Without censored times the mean has Cox's interval as modified by Olsson too. With --n, --log-mean and --log-variance, the mean follows from the logarithms' own."}
	cmd.Flags().IntVar(&n, "n", 0, "how many values there are, in place of them")
	cmd.Flags().Float64Var(&m, "log-mean", 0, "mean of their natural logarithms")
	cmd.Flags().Float64Var(&s2, "log-variance", 0, "variance of their natural logarithms, over n-1")
	c := s.onLives(cmd, solveLognormal)
	fit := c.calc
	c.calc = func(args []string) (*solution, error) {
		summed := false
		for _, name := range []string{"n", "log-mean", "log-variance"} {
			summed = summed || cmd.Flags().Changed(name)
		}
		switch {
		case !summed:
			return fit(args)
		case len(args) > 0:
			return nil, errors.New("give times, or --n, --log-mean and --log-variance, not both")
		case n < 2 || !(s2 > 0) || math.IsInf(s2+m, 0) || math.IsNaN(m):
			return nil, fmt.Errorf("--n %d --log-mean %g --log-variance %g: want n 2 at least, a finite mean and a variance above 0", n, m, s2)
		}
		confidence, _ := cmd.Flags().GetFloat64("confidence")
		a := &solution{title: "mean", source: "Olsson, J. Stat. Educ. 13(1), 2005"}
		mean, in := stat.LognormalMean(m, s2, n, confidence)
		a.q = estimated(mean, in.Lo, in.Hi, confidence, "", n, "values", "Cox's interval as modified by Olsson: Student's t")
		half := distuv.UnitNormal.Quantile(1-(1-confidence)/2) * math.Sqrt(s2/float64(n)+s2*s2/(2*float64(n-1)))
		lo, hi := mean*math.Exp(-half), mean*math.Exp(half)
		a.rows = append(a.rows, solutionRow{"cox_z", "by Cox, with the normal's quantile", map[string]any{"lo": lo, "hi": hi}, fmt.Sprintf("[%.6g, %.6g], too narrow", lo, hi)})
		a.add("median", "median", math.Exp(m), "")
		return a, nil
	}
	return c
}

func solveLognormal(lives []stat.Life, u assay.Unit, confidence float64) *solution {
	a := &solution{title: "median", source: "NIST/SEMATECH e-Handbook 8.4.1.3; Zou, Huo and Taleban 2009; Olsson, J. Stat. Educ. 13(1), 2005"}
	f, err := stat.FitLognormal(lives, confidence)
	return fitted(a, f.LifeFit, err, u, func() {
		median, in := f.Median()
		a.q = estimated(median, in.Lo, in.Hi, confidence, u, f.Failures, "failures", "lognormal, maximum likelihood with right censoring; Student's t of the logarithms")
		both := func(key, name string, v float64, in stat.Interval) {
			a.rows = append(a.rows, solutionRow{key, name, map[string]any{"value": finite(v), "lo": finite(in.Lo), "hi": finite(in.Hi)}, fmt.Sprintf("%s  [%s, %s]", inUnit(v, u), inUnit(in.Lo, u), inUnit(in.Hi, u))})
		}
		if r, err := stat.RepairOf(lives, confidence); err == nil {
			a.q = estimated(r.Median, r.InMedian.Lo, r.InMedian.Hi, confidence, u, f.Failures, "failures", "lognormal, maximum likelihood with right censoring; interval for small samples")
			both("mean_small", "mean, small sample", r.Mean, r.InMean)
			both("p90", "p90", r.P90, r.InP90)
		}
		a.add("mu", "mu", f.Mu, "")
		a.add("sigma", "sigma", f.Sigma, "")
		a.add("sigma_lo", "", f.InSigma.Lo, "")
		a.add("sigma_hi", "", f.InSigma.Hi, "")
		if f.Censored == 0 {
			n := float64(f.Failures)
			mean, in := stat.LognormalMean(f.Mu, f.Sigma*f.Sigma*n/(n-1), f.Failures, confidence)
			both("mean_cox", "mean, Cox-Olsson", mean, in)
		}
	})
}

func (s *statFlags) survival() calculator {
	cmd := &cobra.Command{Use: "survival [--censored T:N] TIME...", Short: "Survival curve (Kaplan-Meier), with censoring", Long: "The product-limit estimate of the share that outlives each time of failure. The main figure is the median survival."}
	return s.onLives(cmd, func(lives []stat.Life, u assay.Unit, confidence float64) *solution {
		steps := stat.KaplanMeier(lives, confidence)
		a := &solution{title: "median survival", source: "NIST/SEMATECH e-Handbook 8.2.1.5"}
		median, in := stat.SurvivalMedian(steps)
		var list []map[string]any
		var rows []solutionRow
		for _, p := range steps {
			list = append(list, map[string]any{"time": p.Time, "at_risk": p.AtRisk, "failed": p.Failed, "survival": p.Survival, "lo": finite(p.In.Lo), "hi": finite(p.In.Hi)})
			rows = append(rows, solutionRow{"", inUnit(p.Time, u), nil, fmt.Sprintf("%.6f  %s%d of %d failed", p.Survival, band(p.In), p.Failed, p.AtRisk)})
		}
		failed := 0
		for _, l := range lives {
			if !l.Censored {
				failed++
			}
		}
		const method = "Kaplan-Meier; where the band of Greenwood's variance on log(-log) holds one half"
		if math.IsNaN(median) {
			a.q = assay.NotEstimable(u, failed, "failures", "more than half outlived the watch: watch until half of them have failed")
			a.q.Method = method
		} else {
			a.q = estimated(median, in.Lo, in.Hi, confidence, u, failed, "failures", method)
		}
		a.rows = append([]solutionRow{{"steps", "", list, ""}}, rows...)
		return a
	})
}

// band writes the interval of a step of the survival curve; nothing where it has none.
func band(in stat.Interval) string {
	if math.IsNaN(in.Lo) || math.IsNaN(in.Hi) {
		return ""
	}
	return fmt.Sprintf("[%.4f, %.4f]  ", in.Lo, in.Hi)
}
