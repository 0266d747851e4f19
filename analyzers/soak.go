package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/soak"
	"github.com/assay-dev/assay/internal/stat"
)

// Soaks that stop when they are decided
//
// The test is done again on all that was recorded, by the walk that the run did: the first line that the path of failures crosses decides, however often somebody looked. What the run could not
// know when it stopped, such as that a failure was a rollout, may make it undecided; then it is said. Once it has stopped, intervals for a set time do not hold for what its end
// depended on: those of the failures are of the stopped test, and the others of the natural ledger say that they know nothing of it.

// tested returns the objective with a sequential test; nil if none has.
func tested(f *assay.Facts) *assay.Objective {
	for i := range f.Manifest.Objectives {
		if o := &f.Manifest.Objectives[i]; o.Test != nil {
			return o
		}
	}
	return nil
}

// soaked does the test of the run again and puts what it came to into the report and into the MTBF and failure rate of the service.
func soaked(f *assay.Facts, r *assay.Report, up *facts.States, found []assay.Finding) {
	o := tested(f)
	if o == nil {
		return
	}
	t := soak.Test(*o)
	sure := t.Sure()
	ages := up.Ages(f)
	stop := sure.Walk(ages, seconds(up.Good))
	s := &assay.Soak{Metric: o.Metric, Good: t.Good, Bad: t.Bad, Risk: t.Alpha, After: stop.At, Failures: stop.Failures, Verdict: assay.VerdictInconclusive}
	r.Soak = s
	between := fmt.Sprintf("MTBF of %s against %s, α = β = %g %%", duration(t.Good), duration(t.Bad), 100*t.Alpha)
	when := fmt.Sprintf("after %s of up time with %s", duration(stop.At), things(stop.Failures, "failure"))
	switch stop.Decision {
	case stat.Accepted:
		s.Verdict, s.Said = assay.VerdictPass, fmt.Sprintf("accepted %s (%s)", when, between)
	case stat.Rejected:
		s.Verdict, s.Said = assay.VerdictFail, fmt.Sprintf("rejected %s (%s)", when, between)
	default:
		s.Said = fmt.Sprintf("not decided %s (%s)", when, between)
		if end := f.Manifest.End.Status; end != assay.EndComplete {
			s.Said += fmt.Sprintf("; the run ended early as %s, and if failures were why, the interval does not hold", end)
		}
		if e := stoppedBy(f); e != nil {
			s.Said += fmt.Sprintf("; the run stopped as %s, which what was recorded in all does not show", e.Attrs["decision"])
		}
	}
	if trend := changed(stop, ages); trend != "" {
		s.Verdict, s.Said = assay.VerdictInconclusive, s.Said+"; but "+trend
		return
	}
	if stop.At <= 0 {
		return
	}
	in := sure.Interval(stop, Confidence)
	const method = "order of the ends of Wald's test, which may end the watch (Bryant and Schmee 1979); constant rate"
	value, hourly := math.NaN(), math.NaN()
	if stop.Failures > 0 {
		value, hourly = stop.At/float64(stop.Failures), 3600*float64(stop.Failures)/stop.At
	}
	for i := range found {
		q := &found[i].Quantity
		if !q.Known() {
			continue
		}
		if found[i].Labels["at"] == atEnd {
			*q = assay.NotEstimable(q.Unit, stop.Failures, "failures", "a test of the failures themselves ended the watch, which is no set time")
			continue
		}
		switch found[i].Metric {
		case "mtbf/service":
			*q = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: stop.Failures, Of: "failures", Method: method, Basis: assay.Estimated}
		case "failure_rate/service":
			*q = assay.Quantity{Value: hourly, Lo: 3600 / in.Hi, Hi: 3600 / in.Lo, Confidence: Confidence, Unit: assay.PerHour, N: stop.Failures, Of: "failures", Method: method, Basis: assay.Estimated}
		default:
			continue
		}
		found[i].Evidence = append(found[i].Evidence, s.Said)
	}
}

// stoppedBy returns the event that ended the soak; nil if its phase went on to its end.
func stoppedBy(f *assay.Facts) *assay.Event {
	for i := range f.Events {
		if f.Events[i].Kind == assay.EventDecided {
			return &f.Events[i]
		}
	}
	return nil
}

// changed says that the rate was not constant until the stop, which the test takes for granted; "" if nothing shows it.
func changed(stop stat.Stop, ages []float64) string {
	ages = ages[:min(stop.Failures, len(ages))]
	if stop.Decision == stat.Rejected { // the last failure is the end
		ages = ages[:len(ages)-1]
	}
	var within []float64
	for _, a := range ages {
		if a > 0 {
			within = append(within, a)
		}
	}
	if len(within) < leastTrend {
		return ""
	}
	tr := stat.TrendOf(within, stop.At)
	if tr.MilHdbkP >= 1-Confidence {
		return ""
	}
	return fmt.Sprintf("the rate is not constant (MIL-HDBK-189 p = %.2g), which the test takes for granted", tr.MilHdbkP)
}

// unstopped tells of the other figures of the natural ledger that the end of the run hung on their failures.
func unstopped(f *assay.Facts, r *assay.Report) {
	if r.Soak == nil || stoppedBy(f) == nil {
		return
	}
	for i := range r.Findings {
		switch x := &r.Findings[i]; x.Metric {
		case "availability/natural", "mtbf/instance", "failure_rate/instance", "error_ratio":
			if x.Quantity.Known() && x.Quantity.Basis == assay.Estimated {
				x.Warnings = append(x.Warnings, "the run ended when the test of its failures was decided, which this interval knows nothing of")
			}
		}
	}
}

// sequential answers an objective by its test.
func sequential(r *assay.Report, o *assay.Objective, j *assay.Judgement) {
	s := r.Soak
	j.Title = fmt.Sprintf("%s, against %s", j.Title, bad(o))
	if s == nil || s.Metric != o.Metric {
		j.Verdict, j.Why = assay.VerdictInconclusive, "nothing of the run can be put to the test"
		return
	}
	if j.Verdict = s.Verdict; s.Verdict == assay.VerdictPass {
		return
	}
	if j.Why = s.Said; s.Verdict == assay.VerdictInconclusive {
		t := soak.Test(*o)
		if left := t.Sure().Accept(s.Failures) - s.After; left > 0 {
			j.Enough = fmt.Sprintf("%s more of up time without a further failure", duration(left))
		}
	}
}

// bad writes the value that an objective is tested against.
func bad(o *assay.Objective) string {
	if o.Metric == "failure_rate/service" {
		return fmt.Sprintf("%.3g/h", o.Test.Against)
	}
	return duration(o.Test.Against)
}
