package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/stat"
)

// How a watch may have ended.
const (
	byTime    = "time"
	byFailure = "failure"
)

func terminatedFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "terminated", byTime, "the watch ended at a set time, or with its last failure: time or failure")
}

func checkTerminated(how string) error {
	if how != byTime && how != byFailure {
		return fmt.Errorf("--terminated %q is unknown; time or failure", how)
	}
	return nil
}

func (s *statFlags) mtbf() calculator {
	var watched amount
	var failures int
	var confidence float64
	var how string
	cmd := &cobra.Command{Use: "mtbf --time T --failures N", Short: "Mean time between failures at a constant rate", Args: cobra.NoArgs,
		Long: "The mean time between failures and its interval, for a constant rate: look at `assay stat trend` first. --time is the time watched, summed over all units."}
	cmd.Flags().Var(&watched, "time", "time watched, for example 800h")
	cmd.Flags().IntVar(&failures, "failures", 0, "failures in that time")
	terminatedFlag(cmd, &how)
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		if err := checkTerminated(how); err != nil {
			return nil, err
		}
		switch {
		case !watched.set || !(watched.v > 0):
			return nil, errors.New("--time is needed: the time watched, above 0, for example 800h")
		case failures < 0:
			return nil, fmt.Errorf("--failures %d is out of range; 0 or more", failures)
		case failures == 0 && how == byFailure:
			return nil, errors.New("a watch that ended with a failure has seen one; --failures 1 or more")
		}
		u := watched.unit()
		a := &solution{title: "MTBF", source: "NIST/SEMATECH e-Handbook 8.4.5.1; IEC 60605-4"}
		in := stat.MTBF(watched.v, failures, confidence)
		method := "chi-square, time-terminated"
		if how == byFailure {
			in, method = stat.MTBFFailureTerminated(watched.v, failures, confidence), "chi-square, failure-terminated"
		}
		value := watched.v / float64(failures)
		if failures == 0 {
			value, method = math.NaN(), "zero failures: time/ln(1/(1-confidence))"
		}
		a.q = estimated(value, in.Lo, in.Hi, confidence, u, failures, "failures", method)
		per, unit, suffix := 1.0, assay.Unit(""), "" // failure rates are per hour where the time has a unit
		if u == assay.Seconds {
			per, unit, suffix = 3600, assay.PerHour, "_per_hour"
		}
		a.add("rate"+suffix, "failure rate", per/value, unit)
		a.add("rate"+suffix+"_lo", "  at least", per/in.Hi, unit)
		a.add("rate"+suffix+"_hi", "  at most", per/in.Lo, unit)
		if failures == 0 {
			a.rows = []solutionRow{{a.rows[2].key, "failure rate at most", a.rows[2].value, a.rows[2].text}}
		}
		a.add("time", "watched", watched.v, u)
		if failures < 2 {
			f := stat.PlanningFactor(failures, confidence)
			a.notes = append(a.notes, fmt.Sprintf("to show an MTBF of %s at %g %% with %s takes a watch of %s", inUnit(watched.v, u), 100*confidence, dashboards.Things(failures, "failures"), inUnit(watched.v*f, u)))
		}
		return a, nil
	}}
}

// ages reads the ages of failures of a watch that ends at end.
func (s *statFlags) ages(args []string, end *amount, how string) (ages []float64, u assay.Unit, err error) {
	if err := checkTerminated(how); err != nil {
		return nil, "", err
	}
	d, err := s.read(args)
	if err != nil {
		return nil, "", err
	}
	slices.Sort(d.v)
	if len(d.v) == 0 {
		return nil, "", errors.New("no ages of failures were given")
	}
	last := d.v[len(d.v)-1]
	switch {
	case d.v[0] <= 0:
		return nil, "", fmt.Errorf("age %g: want ages above 0, from the beginning of the watch", d.v[0])
	case how == byFailure && !end.set:
		end.v, end.isTime = last, d.unit == assay.Seconds
	case !end.set:
		return nil, "", errors.New("--end is needed: when the watch ended; or --terminated failure")
	case end.unit() != d.unit:
		return nil, "", errors.New("--end and the ages want the same unit, or none")
	case end.v < last:
		return nil, "", fmt.Errorf("a failure at %g lies after the end at %g", last, end.v)
	}
	return d.v, d.unit, nil
}

func endFlag(cmd *cobra.Command, into *amount) {
	cmd.Flags().Var(into, "end", "when the watch ended, from its beginning, for example 1500h")
}

func (s *statFlags) trend() calculator {
	var end amount
	var how string
	cmd := &cobra.Command{Use: "trend --end T AGE...", Short: "Is the failure rate constant? Laplace, MIL-HDBK and reverse arrangements",
		Long: "Tests whether failures at the given ages, counted from the beginning of the watch, came at a constant rate. Decide on the MIL-HDBK test for a power law; Laplace is the weaker."}
	endFlag(cmd, &end)
	terminatedFlag(cmd, &how)
	return calculator{cmd, func(args []string) (*solution, error) {
		ages, u, err := s.ages(args, &end, how)
		if err != nil {
			return nil, err
		}
		tested := ages
		if how == byFailure { // the last failure set the end, and tells nothing beside it
			tested = ages[:len(ages)-1]
		}
		a := &solution{title: "p of no trend", source: "NIST/SEMATECH e-Handbook 8.2.3.4; MIL-HDBK-189"}
		between := make([]float64, len(ages))
		last := 0.0
		for i, t := range ages {
			between[i], last = t-last, t
		}
		if len(tested) < 3 {
			a.q = assay.NotEstimable(assay.Ratio, len(ages), "failures", fmt.Sprintf("a trend needs at least 4 failures and there are %d", len(ages)))
			return a, nil
		}
		t := stat.TrendOf(tested, end.v)
		r, of, more, less := stat.Arrangements(between)
		a.q = assay.Quantity{Value: t.MilHdbkP, Lo: t.MilHdbkP, Hi: t.MilHdbkP, Confidence: 1, Unit: assay.Ratio, N: len(ages), Of: "failures", Method: "MIL-HDBK test, two-sided", Basis: assay.Estimated}
		way := "none to be seen at 5 %"
		if t.MilHdbkP < 0.05 {
			way = "improving: failures become rarer"
			if t.MilHdbkTail > 0.5 {
				way = "worsening: failures become more frequent"
			}
		}
		a.rows = append(a.rows, solutionRow{"trend", "trend", strings.SplitN(way, ":", 2)[0], way},
			solutionRow{"mil_hdbk", "MIL-HDBK", map[string]any{"chi2": t.MilHdbk, "dof": 2 * t.N, "p_upper": t.MilHdbkTail, "p": t.MilHdbkP},
				fmt.Sprintf("chi2 %.6g with %d degrees of freedom, upper p %.4g", t.MilHdbk, 2*t.N, t.MilHdbkTail)},
			solutionRow{"laplace", "Laplace", map[string]any{"z": t.Laplace, "p": t.LaplaceP, "p_lower": distuv.UnitNormal.CDF(t.Laplace)}, fmt.Sprintf("z %.6g, lower p %.4g; below 0 is improving", t.Laplace, distuv.UnitNormal.CDF(t.Laplace))},
			solutionRow{"reverse_arrangements", "reverse arrangements", map[string]any{"r": r, "of": of, "p_at_least": more, "p_at_most": less},
				fmt.Sprintf("%d of %d, p of at least as many %.4g, of at most %.4g (exact)", r, of, more, less)})
		a.add("end", "watched", end.v, u)
		if len(ages) < 10 {
			a.notes = append(a.notes, fmt.Sprintf("with %d failures only a strong trend can be seen; ten or more are better", len(ages)))
		}
		return a, nil
	}}
}

func (s *statFlags) growth() calculator {
	var end amount
	var how string
	var confidence float64
	cmd := &cobra.Command{Use: "growth --end T AGE...", Short: "Reliability growth by the power law (Crow-AMSAA): MTBF at the end of the watch",
		Long: "Fits the power law process to failures at the given ages, for a rate that is not constant, and gives the MTBF at the end of the watch."}
	endFlag(cmd, &end)
	terminatedFlag(cmd, &how)
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		ages, u, err := s.ages(args, &end, how)
		if err != nil {
			return nil, err
		}
		a := &solution{title: "MTBF at the end", source: "NIST/SEMATECH e-Handbook 8.4.5.2; Crow 1974"}
		g, ok := stat.GrowthOf(ages, end.v, how == byFailure, confidence)
		if !ok {
			a.q = assay.NotEstimable(u, len(ages), "failures", fmt.Sprintf("growth needs at least 3 failures, not all at the end, and there are %d", len(ages)))
			return a, nil
		}
		a.q = estimated(g.MTBF, g.In.Lo, g.In.Hi, confidence, u, len(ages), "failures", "Crow-AMSAA, bias-corrected, "+how+"-terminated; approximate interval")
		a.add("slope", "growth slope 1-beta", g.Slope, "")
		a.add("beta", "beta, freed of its bias", g.BetaU, "")
		a.add("beta_mle", "beta, maximum likelihood", g.Beta, "")
		a.add("beta_mle_lo", "", g.InBeta.Lo, "")
		a.add("beta_mle_hi", "", g.InBeta.Hi, "")
		a.add("lambda", "lambda", g.Lambda, "")
		a.add("mtbf_mle", "MTBF by the latter", end.v/(float64(len(ages))*g.Beta), u)
		if g.InBeta.Lo < 1 && 1 < g.InBeta.Hi {
			a.notes = append(a.notes, fmt.Sprintf("beta lies in [%.4g, %.4g], which holds 1: the rate may be constant, and then `assay stat mtbf` says more", g.InBeta.Lo, g.InBeta.Hi))
		}
		return a, nil
	}}
}

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

func censoredFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "censored", nil, "times at which units were last seen alive, each a time or time:count")
}

func fitRows(a *solution, f stat.LifeFit, u assay.Unit) {
	a.add("mean", "mean", f.Mean, u)
	a.add("sd", "standard deviation", f.SD, u)
	a.add("log_likelihood", "log-likelihood", f.LogL, "")
	a.add("aic", "AIC", f.AIC, "")
	a.rows = append(a.rows, solutionRow{"censored", "censored", f.Censored, strconv.Itoa(f.Censored)})
	if f.Failures < 10 {
		a.notes = append(a.notes, fmt.Sprintf("%d failures: the intervals are those of large samples and are too narrow; about 20 make them good", f.Failures))
	}
}

func (s *statFlags) weibull() calculator {
	var confidence float64
	var censored []string
	cmd := &cobra.Command{Use: "weibull [--censored T:N] TIME...", Short: "Weibull fit to lifetimes, with censoring", Long: "Fits a Weibull distribution to lifetimes by maximum likelihood. The main figure is the scale eta, the age that 63 % have failed by."}
	censoredFlag(cmd, &censored)
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		lives, u, err := s.lives(args, censored)
		if err != nil {
			return nil, err
		}
		a := &solution{title: "scale eta", source: "NIST/SEMATECH e-Handbook 8.4.1.3"}
		f, err := stat.FitWeibull(lives, confidence)
		if err != nil {
			a.q = assay.NotEstimable(u, f.Failures, "failures", err.Error())
			return a, nil
		}
		a.q = estimated(f.Scale, f.InScale.Lo, f.InScale.Hi, confidence, u, f.Failures, "failures", "Weibull, maximum likelihood with right censoring; Wald on the logarithm")
		a.add("shape", "shape k", f.Shape, "")
		a.add("shape_lo", "", f.InShape.Lo, "")
		a.add("shape_hi", "", f.InShape.Hi, "")
		a.rows = append(a.rows, solutionRow{"", "  its interval", nil, fmt.Sprintf("[%.6g, %.6g]", f.InShape.Lo, f.InShape.Hi)})
		a.add("scale", "", f.Scale, u)
		fitRows(a, f.LifeFit, u)
		return a, nil
	}}
}

func (s *statFlags) lognormal() calculator {
	var confidence float64
	var censored []string
	cmd := &cobra.Command{Use: "lognormal [--censored T:N] TIME...", Short: "Lognormal fit to lifetimes or repair times, with censoring", Long: "Fits a lognormal distribution by maximum likelihood: the usual model of repair times. The main figure is the median. " +
		"Without censored times the mean has Cox's interval as modified by Olsson beside it."}
	censoredFlag(cmd, &censored)
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		lives, u, err := s.lives(args, censored)
		if err != nil {
			return nil, err
		}
		a := &solution{title: "median", source: "NIST/SEMATECH e-Handbook 8.4.1.3; Olsson, J. Stat. Educ. 13(1), 2005"}
		f, err := stat.FitLognormal(lives, confidence)
		if err != nil {
			a.q = assay.NotEstimable(u, f.Failures, "failures", err.Error())
			return a, nil
		}
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
		fitRows(a, f.LifeFit, u)
		return a, nil
	}}
}

func (s *statFlags) survival() calculator {
	var confidence float64
	var censored []string
	cmd := &cobra.Command{Use: "survival [--censored T:N] TIME...", Short: "Survival curve (Kaplan-Meier), with censoring", Long: "The product-limit estimate of the share that outlives each time of failure. The main figure is the median survival."}
	censoredFlag(cmd, &censored)
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		lives, u, err := s.lives(args, censored)
		if err != nil {
			return nil, err
		}
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
		return a, nil
	}}
}

func (s *statFlags) availability() calculator {
	var up, down amount
	var episodes int
	var confidence float64
	cmd := &cobra.Command{Use: "availability --up T --down T --episodes K", Short: "Availability from up time, down time and episodes, or from requests", Args: cobra.NoArgs,
		Long: "Availability and its interval, which holds under clustered failures and heavy-tailed repairs: a bound on how often episodes come times a bound on how long they last. " +
			"--up and --down may be times, or counts of good and bad requests."}
	cmd.Flags().Var(&up, "up", "good time, for example 1000h, or good requests")
	cmd.Flags().Var(&down, "down", "bad time or bad requests")
	cmd.Flags().IntVar(&episodes, "episodes", 0, "episodes that the bad came in")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		switch {
		case !up.set || !(up.v > 0):
			return nil, errors.New("--up is needed: good time or good requests, above 0")
		case down.v < 0 || episodes < 0:
			return nil, errors.New("--down and --episodes want 0 or more")
		case down.set && down.v > 0 && down.isTime != up.isTime:
			return nil, errors.New("--up and --down want the same unit, or none")
		case (down.v > 0) != (episodes > 0):
			return nil, fmt.Errorf("--down %g in --episodes %d: what is bad comes in at least one episode, and an episode has some", down.v, episodes)
		}
		a := &solution{title: "availability", source: "rate times length with Bonferroni; F ratio as a check: Trivedi, alternating renewal"}
		if episodes == 0 {
			a.q = assay.NotEstimable(assay.Ratio, 0, "episodes", "nothing bounds how long an episode would last; see `assay stat mtbf` for how rare they are")
			return a, nil
		}
		in := stat.Unavailability(up.v, down.v, episodes, confidence)
		f := stat.UnavailabilityF(up.v, down.v, episodes, confidence)
		a.q = estimated(up.v/(up.v+down.v), 1-in.Hi, 1-in.Lo, confidence, assay.Ratio, episodes, "episodes", "bound on the rate of episodes times bound on their mean length")
		a.rows = append(a.rows, solutionRow{"exponential_f", "if all is exponential", map[string]any{"lo": 1 - f.Hi, "hi": 1 - f.Lo}, fmt.Sprintf("[%.6g, %.6g] by the F ratio, a check only", 1-f.Hi, 1-f.Lo)})
		a.add("mean_episode", "mean episode", down.v/float64(episodes), up.unit())
		if episodes < 5 {
			a.notes = append(a.notes, fmt.Sprintf("%d episodes say little: 20 make the interval about a third as wide", episodes))
		}
		return a, nil
	}}
}

func (s *statFlags) burn() calculator {
	var objective float64
	var bad, total, ratio float64
	var window, period amount
	var confidence float64
	period.v, period.isTime = 30*86400, true
	cmd := &cobra.Command{Use: "burn --objective 0.999 --bad N --total N --window 1h", Short: "Burn rate of an error budget, and when it is spent", Args: cobra.NoArgs,
		Long: "How fast the error budget of an objective burns: 1 spends it in exactly its period. The interval is that of independent requests, which clustered failures make too narrow."}
	cmd.Flags().Float64Var(&objective, "objective", 0.999, "share of good requests that is promised")
	cmd.Flags().Float64Var(&bad, "bad", 0, "bad requests in the window")
	cmd.Flags().Float64Var(&total, "total", 0, "all requests in the window")
	cmd.Flags().Float64Var(&ratio, "ratio", -1, "share of bad requests, instead of counts")
	cmd.Flags().Var(&window, "window", "length of the window, for the share of the budget that it spent")
	cmd.Flags().Var(&period, "period", "period of the budget")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		budget := 1 - objective
		a := &solution{title: "burn rate", source: "Google SRE Workbook, chapter 5"}
		switch {
		case !(objective > 0 && objective < 1):
			return nil, fmt.Errorf("--objective %g is out of range; more than 0 and less than 1", objective)
		case !(period.v > 0):
			return nil, errors.New("--period wants more than 0")
		case ratio >= 0 && total > 0:
			return nil, errors.New("give --ratio or --bad and --total, not both")
		case ratio >= 0:
			if ratio > 1 {
				return nil, fmt.Errorf("--ratio %g is out of range; 0 to 1", ratio)
			}
			a.q = exact(ratio/budget, "", "ratio over budget")
		case total > 0 && bad >= 0 && bad <= total:
			in := stat.ClopperPearson(int(bad), int(total), confidence)
			a.q = estimated(bad/total/budget, in.Lo/budget, in.Hi/budget, confidence, "", int(total), "requests", "Clopper-Pearson over budget; for independent requests")
		default:
			return nil, errors.New("--bad and --total are needed, with 0 <= bad <= total and total above 0; or --ratio")
		}
		rate := a.q.Value
		left := math.Inf(1)
		if rate > 0 {
			left = period.v / rate
		}
		a.add("exhausted_after", "budget spent after", left, assay.Seconds)
		a.add("budget", "budget of the period", budget*period.v, assay.Seconds)
		if window.set {
			a.add("spent", "share of it spent in the window", rate*window.v/period.v, "")
		}
		for _, w := range []struct {
			name  string
			rate  float64
			share string
		}{{"page, 1h and 5m", 14.4, "2 %"}, {"page, 6h and 30m", 6, "5 %"}, {"ticket, 1d and 2h", 3, "10 %"}, {"ticket, 3d and 6h", 1, "10 %"}} {
			state := "below"
			if rate >= w.rate {
				state = "AT OR ABOVE"
			}
			a.rows = append(a.rows, solutionRow{"", w.name, nil, fmt.Sprintf("%s %g (%s of a 30 d budget)", state, w.rate, w.share)})
		}
		return a, nil
	}}
}

func (s *statFlags) coverage() calculator {
	var confidence float64
	cmd := &cobra.Command{Use: "coverage WEIGHT:INJECTED:RECOVERED...", Short: "Share of faults recovered from, by class with the weights of operation", Args: cobra.MinimumNArgs(1),
		Long: "The share of faults from which a deployment recovers, each class weighted as it strikes in operation; the weights add up to 1. For example: assay stat coverage .5:40:40 .3:30:29 .2:10:8"}
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func(args []string) (*solution, error) {
		var strata []stat.Stratum
		n := 0
		for _, arg := range args {
			p := strings.Split(arg, ":")
			var x stat.Stratum
			var err, err2, err3 error
			if len(p) == 3 {
				x.Weight, err = strconv.ParseFloat(p[0], 64)
				x.N, err2 = strconv.Atoi(p[1])
				x.Recovered, err3 = strconv.Atoi(p[2])
			}
			if len(p) != 3 || errors.Join(err, err2, err3) != nil {
				return nil, fmt.Errorf("%q: want weight:injected:recovered, for example .5:40:39", arg)
			}
			strata = append(strata, x)
			n += x.N
		}
		c, err := stat.CoverageOf(strata, confidence)
		if err != nil {
			return nil, err
		}
		a := &solution{title: "coverage", source: "Powell et al., FTCS 1993; Cukier et al., IEEE Trans. Computers 48(7), 1999"}
		a.q = estimated(c.Value, c.In.Lo, c.In.Hi, confidence, assay.Ratio, n, "injections", "weighted sum of classes; Jeffreys posteriors")
		a.add("se", "standard error", c.SE, "")
		a.add("lower", "one-sided lower bound", c.Lower, "")
		a.add("pooled", "added up without weights", c.Pooled, "")
		return a, nil
	}}
}
