package compare

import (
	"fmt"
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// A tally is events over the time in which they could have happened, in hours.
type tally struct {
	events   int
	exposure float64
	runs     int
}

// tallyOf sums the events of runs. What a run tells as a rate is taken apart: of none it tells the bound, of some the rate.
func tallyOf(qs []assay.Quantity) tally {
	var t tally
	for _, q := range qs {
		hours := 0.0
		switch {
		case !q.Known():
			continue
		case q.N > 0 && q.Value > 0:
			hours = float64(q.N) / q.Value
		case q.N == 0 && q.Hi > 0 && !math.IsInf(q.Hi, 1):
			hours = -math.Log(1-q.Confidence) / q.Hi
		default:
			continue
		}
		t.events, t.exposure, t.runs = t.events+q.N, t.exposure+hours, t.runs+1
	}
	return t
}

// long writes hours.
func long(hours float64) string {
	if hours >= 48 {
		return fmt.Sprintf("%.3g h", hours)
	}
	d := time.Duration(hours * float64(time.Hour))
	return d.Round(max(time.Second, d/1000).Truncate(time.Second)).String()
}

// rate dresses a tally.
func (t tally) rate(confidence float64) assay.Quantity {
	if t.runs == 0 {
		return assay.NotMeasured(assay.PerHour, "no run tells it")
	}
	in := stat.Rate(t.exposure, t.events, confidence)
	q := assay.Quantity{Value: float64(t.events) / t.exposure, Lo: in.Lo, Hi: in.Hi, Confidence: confidence, Unit: assay.PerHour, N: t.events, Of: "failures",
		Method: fmt.Sprintf("failures of %d runs over %s", t.runs, long(t.exposure)), Basis: assay.Estimated}
	if t.events == 0 {
		q.Value, q.Lo = math.NaN(), 0
	}
	return q
}

// rates fills in the change of a rate of events.
func rates(c *assay.Change, base, other []assay.Quantity, confidence float64) {
	a, b := tallyOf(base), tallyOf(other)
	c.Scale, c.P, c.Adjusted = assay.ScaleRate, assay.Num(math.NaN()), assay.Num(math.NaN())
	c.Base, c.Other = a.rate(confidence), b.rate(confidence)
	n := a.events + b.events
	c.Self = assay.NotEstimable(assay.Ratio, a.events, "failures", "failures are counted over all runs of the base together")
	c.Smallest = assay.NotEstimable(assay.Ratio, n, "failures", "it hangs on how many failures come")
	c.Verdict = assay.VerdictInconclusive
	switch {
	case a.runs == 0 || b.runs == 0:
		c.Change = assay.NotMeasured(assay.Ratio, "one side does not tell it")
		c.Why = "one side does not tell it"
		return
	case n == 0:
		c.Change = assay.NotEstimable(assay.Ratio, 0, "failures", "there was no failure on either side")
		c.Why = fmt.Sprintf("no failure in %s of the base and %s of the candidate", long(a.exposure), long(b.exposure))
		c.Enough = fmt.Sprintf("equal rates show as such from about %d failures on", enoughFailures(a, b, c.Margin, confidence))
		return
	}
	r := stat.RateRatioOf(a.events, a.exposure, b.events, b.exposure, confidence)
	c.Change = assay.Quantity{Value: r.Value - 1, Lo: r.In.Lo - 1, Hi: r.In.Hi - 1, Confidence: confidence, Unit: assay.Ratio, N: n,
		Of: fmt.Sprintf("failures, %d and %d", a.events, b.events), Method: fmt.Sprintf("ratio of rates over %s and %s, conditional binomial", long(a.exposure), long(b.exposure)), Basis: assay.Estimated}
	c.P = assay.Num(atLeast(a, b, 1+c.Margin))
	switch {
	case c.Change.Hi <= c.Margin:
		c.Verdict = assay.VerdictPass
	case c.Change.Lo > c.Margin:
		c.Verdict, c.Why = assay.VerdictFail, "the whole interval lies beyond the margin"
	default:
		c.Why = fmt.Sprintf("%d failures in %s against %d in %s of the base show neither", b.events, long(b.exposure), a.events, long(a.exposure))
		c.Enough = fmt.Sprintf("equal rates show as such from about %d failures on", enoughFailures(a, b, c.Margin, confidence))
	}
}

// atLeast returns the chance of as many events of b or more, given those of both, if its rate were ratio times that of a.
func atLeast(a, b tally, ratio float64) float64 {
	return stat.AtLeast(float64(b.events), float64(a.events+b.events), ratio*b.exposure/(a.exposure+ratio*b.exposure))
}

// enoughFailures returns of how many failures in all, at equal rates, the interval lies within the margin.
func enoughFailures(a, b tally, margin, confidence float64) int {
	for n := 2; n < 100000; n += 1 + n/20 {
		y := int(math.Round(float64(n) * b.exposure / (a.exposure + b.exposure)))
		if y < n && stat.RateRatioOf(n-y, a.exposure, y, b.exposure, confidence).In.Hi <= 1+margin {
			return n
		}
	}
	return 100000
}
