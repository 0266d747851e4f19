package evidence

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// sequential decides an objective on an MTBF by Wald's test against a Bad one, between lines that hold its risks for certain, along the clock of the exposure: the first line that the path of failures
// crosses decides. It holds its risks however often somebody looks, which a test of a set time does not.
func (a Objective) sequential(j *assay.Judgement, l *ledger, s assay.Subject) {
	risk := 1 - a.Confidence
	t := stat.Sequential{Good: *a.Min, Bad: a.Bad, Alpha: risk, Beta: risk}.Sure()
	j.Title = fmt.Sprintf("%s, in sequence against %s", title(a), span(a.Bad))
	j.Verdict = assay.VerdictInconclusive
	unit, ok := l.unit(s)
	if !ok || unit.Exposure <= 0 {
		j.Quantity = assay.NotMeasured(assay.Seconds, fmt.Sprintf("no run watched a %s in natural time", s))
		j.Why, j.Enough = j.Quantity.Reason, span(t.Accept(0))+" without a failure"
		return
	}
	at := sided(a.Confidence)
	if unit.Failures == 0 {
		at = a.Confidence // one-sided already
	}
	j.Quantity, _ = mean(unit.Exposure, unit.Failures, at)
	if unit.Trend != nil && !unit.Trend.Constant {
		j.Why = "the rate is not constant, which the test takes for granted"
		return
	}
	begins := make([]int64, 0, unit.Failures)
	for _, f := range l.failures[s] {
		begins = append(begins, f.begin)
	}
	ages, total := clock(l.exposure[s], begins)
	switch stop := t.Walk(ages, total); stop.Decision {
	case stat.Accepted:
		j.Verdict = assay.VerdictPass
	case stat.Rejected:
		j.Verdict = assay.VerdictFail
		j.Why = fmt.Sprintf("rejected after %s, at its %s", span(stop.At), nth(stop.Failures))
	default:
		j.Why = fmt.Sprintf("%s in %s lie between the lines", things(stop.Failures, "failure"), span(total))
		j.Enough = fmt.Sprintf("%s more without a further failure; about %s in all where it is good", span(t.Accept(stop.Failures)-total), span(t.Expected(t.Good)))
	}
}

// nth names one failure of several.
func nth(n int) string {
	if n == 1 {
		return "first failure"
	}
	return fmt.Sprintf("failure number %d", n)
}
