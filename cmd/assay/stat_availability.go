package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/stat"
)

func (s *statFlags) availability() calculator {
	var up, down, longest amount
	var episodes int
	var sigma float64
	var confidence float64
	cmd := &cobra.Command{Use: "availability --up T --down T --episodes K", Short: "Availability from up time, down time and episodes, or from requests", Args: cobra.NoArgs,
		Long: "Availability and its interval, which holds under clustered failures and heavy-tailed repairs: a bound on how often episodes come times a bound on how long they last. " +
			"--up and --down may be times, or counts of good and bad requests."}
	cmd.Flags().Var(&up, "up", "good time, for example 1000h, or good requests")
	cmd.Flags().Var(&down, "down", "bad time or bad requests")
	cmd.Flags().IntVar(&episodes, "episodes", 0, "episodes that the bad came in")
	cmd.Flags().Float64Var(&sigma, "sigma", 2, "how variable the lengths of episodes are, as the standard deviation of the logarithm of a lognormal, 1 to 2; exponential lengths are 1")
	cmd.Flags().Var(&longest, "longest", "without an episode: what the mean length of one does not exceed, an assumption")
	confidenceFlag(cmd, &confidence)
	return calculator{cmd, func([]string) (*solution, error) {
		switch {
		case !(sigma >= 1 && sigma <= 2):
			return nil, fmt.Errorf("--sigma %g is out of range; 1 to 2", sigma)
		case longest.set && (!(longest.v > 0) || episodes > 0 || longest.isTime != up.isTime):
			return nil, errors.New("--longest wants a length above 0 in the unit of --up, and no episode: with one its length is known")
		case !up.set || !(up.v > 0):
			return nil, errors.New("--up is needed: good time or good requests, above 0")
		case down.v < 0 || episodes < 0:
			return nil, errors.New("--down and --episodes want 0 or more")
		case down.set && down.v > 0 && down.isTime != up.isTime:
			return nil, errors.New("--up and --down want the same unit, or none")
		case (down.v > 0) != (episodes > 0):
			return nil, fmt.Errorf("--down %g in --episodes %d: what is bad comes in at least one episode, and an episode has some", down.v, episodes)
		}
		a := &solution{title: "availability", source: "rate times mean length, lognormal lengths; F ratio as a check: Trivedi, alternating renewal"}
		if longest.set {
			in := stat.UnavailabilityBound(up.v, longest.v, confidence)
			a.q = estimated(math.NaN(), 1-in.Hi, math.Inf(1), confidence, assay.Ratio, 0, "episodes", "bound on the rate of episodes times the mean length that was stated")
			a.source = "rule of three, exact"
			a.notes = append(a.notes, fmt.Sprintf("it rests on the assumption that episodes last no more than %s on average", inUnit(longest.v, up.unit())))
			return a, nil
		}
		if episodes == 0 {
			a.q = assay.NotEstimable(assay.Ratio, 0, "episodes", "nothing bounds how long an episode would last; see `assay stat mtbf` for how rare they are; --longest states a bound")
			a.q.Method = "bound on the rate of episodes times bound on their mean length"
			return a, nil
		}
		in := stat.Unavailability(up.v, down.v, episodes, sigma, confidence)
		f, wide := stat.RenewalF(up.v, down.v, episodes, confidence), stat.UnavailabilityF(up.v, down.v, episodes, confidence)
		a.q = estimated(up.v/(up.v+down.v), 1-in.Hi, 1-in.Lo, confidence, assay.Ratio, episodes, "episodes", fmt.Sprintf("bound on the rate of episodes times bound on their mean length, for lengths up to as variable as a lognormal with sigma %g", sigma))
		a.rows = append(a.rows, solutionRow{"exponential_f", "if all is exponential", map[string]any{"lo": 1 - f.Hi, "hi": 1 - f.Lo}, fmt.Sprintf("[%.6g, %.6g] by the F ratio, a check only", 1-f.Hi, 1-f.Lo)},
			solutionRow{"exponential_f_wide", "  of a watch of a set time", map[string]any{"lo": 1 - wide.Hi, "hi": 1 - wide.Lo}, fmt.Sprintf("[%.6g, %.6g], one more episode above", 1-wide.Hi, 1-wide.Lo)})
		a.add("mean_episode", "mean episode", down.v/float64(episodes), up.unit())
		if episodes < 20 && sigma == 2 {
			a.notes = append(a.notes, fmt.Sprintf("after %s little is known of a mean length that may vary so: with 20 the upper end of the bad is about 6 times what was seen", dashboards.Things(episodes, "episodes")))
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
		budget := math.Round((1-objective)*1e12) / 1e12 // without the dust of 1-0.999
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
		case bad != math.Trunc(bad) || total != math.Trunc(total):
			return nil, fmt.Errorf("--bad %g --total %g: want whole requests; a share is --ratio", bad, total)
		case total > 0 && bad >= 0 && bad <= total && total < 1e15:
			in := stat.ClopperPearson(int(bad), int(total), confidence)
			a.q = estimated(bad/total/budget, in.Lo/budget, in.Hi/budget, confidence, "", int(total), "requests", "Clopper-Pearson over budget; for independent requests")
		default:
			return nil, errors.New("--bad and --total are needed, with 0 <= bad <= total and total above 0; or --ratio")
		}
		rate := a.q.Value
		left := func(rate float64) float64 { return period.v / rate } // never at a rate of 0
		a.add("exhausted_after", "budget spent after", left(rate), assay.Seconds)
		a.add("exhausted_after_lo", "", left(a.q.Hi), assay.Seconds)
		a.add("exhausted_after_hi", "", left(a.q.Lo), assay.Seconds)
		if a.q.Lo < a.q.Hi {
			a.rows = append(a.rows, solutionRow{"", "  its interval", nil, fmt.Sprintf("[%s, %s]", inUnit(left(a.q.Hi), assay.Seconds), inUnit(left(a.q.Lo), assay.Seconds))})
		}
		a.add("budget", "budget of the period", budget*period.v, assay.Seconds)
		if window.set {
			a.add("spent", "share of it spent in the window", rate*window.v/period.v, "")
		}
		a.rows = append(a.rows, burnRules(&a.q, period.v)...)
		return a, nil
	}}
}

// burnRules says of each pair of windows of the workbook whether a burn rate fires it, and how long after it began. Where the interval of the rate holds the factor, neither is known.
func burnRules(rate *assay.Quantity, period float64) (out []solutionRow) {
	var list []map[string]any
	for _, w := range []struct {
		severity    string
		factor      float64
		long, short float64 // seconds
	}{{"page", 14.4, 3600, 300}, {"page", 6, 6 * 3600, 1800}, {"ticket", 3, 86400, 7200}, {"ticket", 1, 3 * 86400, 6 * 3600}} {
		text, after := "below it", math.NaN()
		var fires any = false
		least := w.factor * (1 - 1e-12)
		switch {
		case rate.Lo >= least: // the long window fills up from nothing
			fires, after = true, w.long*w.factor/rate.Value
			text = "AT OR ABOVE it, fires after " + inUnit(after, assay.Seconds)
		case rate.Hi >= least:
			fires, text = nil, "not decided: the interval of the burn rate holds it"
		}
		share := w.factor * w.long / period
		list = append(list, map[string]any{"severity": w.severity, "factor": w.factor, "long": w.long, "short": w.short, "budget_share": share, "fires": fires, "fires_after": finite(after)})
		out = append(out, solutionRow{"", fmt.Sprintf("%s, %s and %s", w.severity, inUnit(w.long, assay.Seconds), inUnit(w.short, assay.Seconds)), nil,
			fmt.Sprintf("%g times, %.3g %% of the budget: %s", w.factor, 100*share, text)})
	}
	return append(out, solutionRow{"rules", "", list, ""})
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
