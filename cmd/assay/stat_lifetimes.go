package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

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
			if n, err = strconv.Atoi(count); err != nil || n < 1 || n > maxNumbers {
				return nil, "", fmt.Errorf("--censored %q: want a time, or time:count", text)
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
		return a
	}
	told()
	a.add("mean", "mean", f.Mean, u)
	a.add("sd", "standard deviation", f.SD, u)
	a.add("log_likelihood", "log-likelihood", f.LogL, "")
	a.add("aic", "AIC", f.AIC, "")
	a.rows = append(a.rows, solutionRow{"censored", "censored", f.Censored, strconv.Itoa(f.Censored)})
	if f.Failures < 10 {
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
			a.q = estimated(f.Scale, f.InScale.Lo, f.InScale.Hi, confidence, u, f.Failures, "failures", "Weibull, maximum likelihood with right censoring; Wald on the logarithm")
			a.add("shape", "shape k", f.Shape, "")
			a.add("shape_lo", "", f.InShape.Lo, "")
			a.add("shape_hi", "", f.InShape.Hi, "")
			a.rows = append(a.rows, solutionRow{"", "  its interval", nil, fmt.Sprintf("[%.6g, %.6g]", f.InShape.Lo, f.InShape.Hi)})
			a.add("scale", "", f.Scale, u)
		})
	})
}

func (s *statFlags) lognormal() calculator {
	cmd := &cobra.Command{Use: "lognormal [--censored T:N] TIME...", Short: "Lognormal fit to lifetimes or repair times, with censoring", Long: "Fits a lognormal distribution by maximum likelihood: the usual model of repair times. The main figure is the median. " +
		"Without censored times the mean has Cox's interval as modified by Olsson beside it."}
	return s.onLives(cmd, func(lives []stat.Life, u assay.Unit, confidence float64) *solution {
		a := &solution{title: "median", source: "NIST/SEMATECH e-Handbook 8.4.1.3; Olsson, J. Stat. Educ. 13(1), 2005"}
		f, err := stat.FitLognormal(lives, confidence)
		return fitted(a, f.LifeFit, err, u, func() {
			median, in := f.Median()
			a.q = estimated(median, in.Lo, in.Hi, confidence, u, f.Failures, "failures", "lognormal, maximum likelihood with right censoring; Wald")
			a.add("mu", "mu", f.Mu, "")
			a.add("sigma", "sigma", f.Sigma, "")
			a.add("sigma_lo", "", f.InSigma.Lo, "")
			a.add("sigma_hi", "", f.InSigma.Hi, "")
			if f.Censored == 0 {
				n := float64(f.Failures)
				mean, in := stat.LognormalMean(f.Mu, f.Sigma*f.Sigma*n/(n-1), f.Failures, confidence)
				a.rows = append(a.rows, solutionRow{"mean_cox", "mean, Cox-Olsson", map[string]any{"value": mean, "lo": in.Lo, "hi": in.Hi},
					fmt.Sprintf("%s  [%s, %s]", inUnit(mean, u), inUnit(in.Lo, u), inUnit(in.Hi, u))})
			}
		})
	})
}

func (s *statFlags) survival() calculator {
	cmd := &cobra.Command{Use: "survival [--censored T:N] TIME...", Short: "Survival curve (Kaplan-Meier), with censoring", Long: "The product-limit estimate of the share that outlives each time of failure. The main figure is the median survival."}
	return s.onLives(cmd, func(lives []stat.Life, u assay.Unit, confidence float64) *solution {
		steps := stat.KaplanMeier(lives, confidence)
		a := &solution{title: "median survival", source: "NIST/SEMATECH e-Handbook 8.2.1.5"}
		median, lo, hi := math.NaN(), math.NaN(), math.Inf(1)
		var list []map[string]any
		var rows []solutionRow
		for _, p := range steps {
			if math.IsNaN(median) && p.Survival <= 0.5 {
				median = p.Time
			}
			if math.IsNaN(lo) && (p.In.Lo <= 0.5 || math.IsNaN(p.In.Lo)) { // the curve's band first holds one half
				lo = p.Time
			}
			if math.IsInf(hi, 1) && p.In.Hi < 0.5 {
				hi = p.Time
			}
			list = append(list, map[string]any{"time": p.Time, "at_risk": p.AtRisk, "failed": p.Failed, "survival": p.Survival, "lo": finite(p.In.Lo), "hi": finite(p.In.Hi)})
			rows = append(rows, solutionRow{"", inUnit(p.Time, u), nil, fmt.Sprintf("%.6f  [%.4f, %.4f]  %d of %d failed", p.Survival, p.In.Lo, p.In.Hi, p.Failed, p.AtRisk)})
		}
		failed := 0
		for _, l := range lives {
			if !l.Censored {
				failed++
			}
		}
		if math.IsNaN(median) {
			a.q = assay.NotEstimable(u, failed, "failures", "more than half outlived the watch")
		} else {
			a.q = estimated(median, lo, hi, confidence, u, failed, "failures", "Kaplan-Meier; where the band of Greenwood's variance on log(-log) holds one half")
		}
		a.rows = append([]solutionRow{{"steps", "", list, ""}}, rows...)
		return a
	})
}
