package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
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
		case !watched.set:
			return nil, errors.New("--time is needed: the time watched, above 0, for example 800h")
		case !(watched.v > 0):
			return nil, fmt.Errorf("--time %s is out of range: the time watched, above 0, for example 800h", &watched)
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
			a.notes = append(a.notes, fmt.Sprintf("one-sided at %g %%; the lower end of a two-sided interval, which tables of factors print, is %s", 100*confidence, inUnit(watched.v/math.Log(2/(1-confidence)), u)))
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
		return nil, "", fmt.Errorf("a failure at %s lies after the end, --end %s", inUnit(last, d.unit), inUnit(end.v, d.unit))
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
			a.q.Method = "MIL-HDBK test, two-sided"
			return a, nil
		}
		t := stat.TrendOf(tested, end.v)
		r, of, more, less := stat.Arrangements(between)
		chances := "exact"
		if len(between) > stat.ExactArrangements {
			chances = "normal"
		}
		a.q = assay.Quantity{Value: t.MilHdbkP, Lo: t.MilHdbkP, Hi: t.MilHdbkP, Confidence: 1, Unit: assay.Ratio, N: len(ages), Of: "failures", Method: "MIL-HDBK test, two-sided", Basis: assay.Measured}
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
				fmt.Sprintf("%d of %d, p of at least as many %.4g, of at most %.4g (%s)", r, of, more, less, chances)})
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
			a.q = assay.NotEstimable(u, len(ages), "failures", fmt.Sprintf("growth needs at least 3 failures, not all at the end nor all at the beginning, and there are %d", len(ages)))
			a.q.Method = "Crow-AMSAA, bias-corrected, " + how + "-terminated"
			return a, nil
		}
		a.q = estimated(g.MTBF, g.In.Lo, g.In.Hi, confidence, u, len(ages), "failures", "Crow-AMSAA, bias-corrected, "+how+"-terminated; approximate interval")
		a.add("slope", "growth slope 1-beta", g.Slope, "")
		a.add("beta", "beta, freed of its bias", g.BetaU, "")
		a.add("beta_mle", "beta, maximum likelihood", g.Beta, "")
		a.add("beta_mle_lo", "", g.InBeta.Lo, "")
		a.add("beta_mle_hi", "", g.InBeta.Hi, "")
		per := ""
		if u == assay.Seconds {
			per = ", of seconds to the power of beta"
		}
		a.add("lambda", "lambda"+per, g.Lambda, "")
		a.add("mtbf_mle", "MTBF by the latter", end.v/(float64(len(ages))*g.Beta), u)
		if g.InBeta.Lo < 1 && 1 < g.InBeta.Hi {
			a.notes = append(a.notes, fmt.Sprintf("beta lies in [%.4g, %.4g], which holds 1: the rate may be constant, and then `assay stat mtbf` says more", g.InBeta.Lo, g.InBeta.Hi))
		}
		return a, nil
	}}
}
