package compare

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// steadyEnough is the chance of runs that differ as much as these from which on failures may be added up over them as if each came by itself.
const steadyEnough = 0.2

// A watched is what one run tells of failures: how many, over how many hours.
type watched struct {
	at     int64
	events int
	hours  float64
	trend  bool // they came at no constant rate
}

// A tally is failures over the hours in which they could have happened, with the runs they are of.
type tally struct {
	events int
	hours  float64
	runs   []watched
}

// watchedOf returns what a run tells of failures of a kind, and why it tells nothing. It counts by what the run was watched: a rate by a power law is that at the
// end of the watch, and no exposure follows from it.
func watchedOf(r *Run, k kind) (watched, assay.Quantity) {
	q := valueOf(r, k)
	if !q.Known() {
		return watched{}, q
	}
	atEnd := strings.Contains(q.Method, "power law") || strings.Contains(q.Method, "Crow") // of results that told no mean
	w := watched{at: r.begin(), trend: atEnd || strings.Contains(q.Method, "not constant")}
	subject := assay.Subject(strings.TrimPrefix(k.metric, "failure_rate/"))
	if len(k.labels) == 0 {
		var ns int64
		for _, e := range r.Report.Exposure {
			if e.Subject == subject {
				ns += e.Time
			}
		}
		for i := range r.Report.Episodes {
			if e := &r.Report.Episodes[i]; e.Subject == subject && e.Ledger == assay.Natural && !(e.Subject == assay.GPU && e.Class == "app") {
				w.events++
			}
		}
		if ns > 0 {
			w.hours = float64(ns) / 3600e9
			return w, q
		}
	}
	w.events = q.N
	switch {
	case atEnd:
		return watched{}, assay.NotMeasured(assay.PerHour, "its rate is that at the end of the watch, and the result does not tell how long it was watched")
	case q.N > 0 && q.Value > 0:
		w.hours = float64(q.N) / q.Value
	case q.N == 0 && q.Hi > 0 && !math.IsInf(q.Hi, 1):
		w.hours = -math.Log(1-q.Confidence) / q.Hi
	default:
		return watched{}, assay.NotMeasured(assay.PerHour, "it has neither a rate nor a bound")
	}
	return w, q
}

// tallyOf adds up the failures of runs.
func tallyOf(k kind, runs []Run) (tally, []assay.Quantity) {
	var t tally
	qs := make([]assay.Quantity, len(runs))
	for i := range runs {
		var w watched
		if w, qs[i] = watchedOf(&runs[i], k); qs[i].Known() {
			t.events, t.hours, t.runs = t.events+w.events, t.hours+w.hours, append(t.runs, w)
		}
	}
	return t, qs
}

// trends returns how many of the runs had no constant rate.
func (t *tally) trends() int {
	n := 0
	for _, w := range t.runs {
		if w.trend {
			n++
		}
	}
	return n
}

// long writes hours.
func long(hours float64) string {
	if hours >= 48 {
		return fmt.Sprintf("%.3g h", hours)
	}
	d := time.Duration(hours * float64(time.Hour))
	return d.Round(max(time.Second, d/1000).Truncate(time.Second)).String()
}

// rate dresses a tally. cluster is how many failures count as one.
func (t *tally) rate(cluster, confidence float64) assay.Quantity {
	if len(t.runs) == 0 {
		return assay.NotMeasured(assay.PerHour, "no run tells it")
	}
	in := stat.Rate(t.hours/cluster, int(float64(t.events)/cluster), confidence)
	q := assay.Quantity{Value: float64(t.events) / t.hours, Lo: in.Lo, Hi: in.Hi, Confidence: confidence, Unit: assay.PerHour, N: t.events, Of: "failures",
		Method: fmt.Sprintf("failures of %s over %s", plural(len(t.runs), "run", "runs"), long(t.hours)), Basis: assay.Estimated}
	if t.events == 0 {
		q.Value, q.Lo = math.NaN(), 0
	}
	return q
}

// rates fills in the change of a rate of failures. The unit is the run: that the candidate fails more must show by dealing the runs anew, and failures count one by
// one only where runs of a side differ no more than that lets expect.
func rates(c *assay.Change, a, b tally, confidence float64) {
	c.Scale, c.P, c.Adjusted = assay.ScaleRate, assay.Num(math.NaN()), assay.Num(math.NaN())
	cluster, p := dispersion(a, b)
	c.Base, c.Other = a.rate(cluster, confidence), b.rate(cluster, confidence)
	n := a.events + b.events
	c.Self = assay.NotEstimable(assay.Ratio, a.events, "failures", "failures are counted over all runs of the base together")
	c.Smallest = assay.NotEstimable(assay.Ratio, n, "failures", "it hangs on how many failures come")
	c.Verdict = assay.VerdictInconclusive
	gate := stat.Gate{Mean: true, Alpha: (1 - confidence) / 2}
	runs, least := min(len(a.runs), len(b.runs)), gate.Least()
	switch {
	case runs == 0:
		c.Change = assay.NotMeasured(assay.Ratio, "one side does not tell it")
		c.Why = "one side does not tell it"
		return
	case n == 0:
		c.Change = assay.NotEstimable(assay.Ratio, 0, "failures", "there was no failure on either side")
		c.Why = fmt.Sprintf("no failure in %s of the base and %s of the candidate", long(a.hours), long(b.hours))
		c.Enough = fmt.Sprintf("equal rates show as such from about %.0f failures on", enoughFailures(a, b, c.Margin, confidence))
		return
	}
	x, y := int(float64(a.events)/cluster), int(float64(b.events)/cluster)
	r := stat.RateRatioOf(x, a.hours, y, b.hours, confidence)
	how := "conditional binomial"
	if cluster > 1 {
		how = fmt.Sprintf("conditional binomial of %d and %d: runs differ more than failures that come one by one (p %.2g), so that %.3g count as one", x, y, p, cluster)
	}
	value := float64(b.events) / b.hours / (float64(a.events) / a.hours)
	c.Change = assay.Quantity{Value: value - 1, Lo: r.In.Lo - 1, Hi: r.In.Hi - 1, Confidence: confidence, Unit: assay.Ratio, N: n,
		Of: fmt.Sprintf("failures, %d and %d", a.events, b.events), Method: fmt.Sprintf("ratio of rates over %s and %s, %s", long(a.hours), long(b.hours), how), Basis: assay.Estimated}
	byRuns := gate.Decide(trialsOfRates(&gate, a, b))
	c.P = assay.Num(math.Max(stat.AtLeast(float64(y), float64(x+y), (1+c.Margin)*b.hours/(a.hours+(1+c.Margin)*b.hours)), byRuns.PBeyond))
	enough := enoughFailures(a, b, c.Margin, confidence) * cluster
	switch {
	case runs < least:
		c.Why = fmt.Sprintf("%d failures in %s against %d in %s of the base, in %s a side: how much runs differ does not show", b.events, long(b.hours), a.events, long(a.hours), plural(runs, "run", "runs"))
		c.More = least - runs
		return
	case c.Change.Hi <= c.Margin:
		c.Verdict = assay.VerdictPass
		return
	case c.Change.Lo > c.Margin && byRuns.Verdict == stat.GateFail:
		c.Verdict, c.Why = assay.VerdictFail, "the whole interval lies beyond the margin"
		return
	case c.Change.Lo > c.Margin:
		c.Why = fmt.Sprintf("the interval lies beyond the margin, but runs dealt anew to the sides differ as much (p %.2g)", byRuns.PBeyond)
	default:
		c.Why = fmt.Sprintf("%d failures in %s against %d in %s of the base show neither", b.events, long(b.hours), a.events, long(a.hours))
	}
	if cluster > 1 {
		c.Why += fmt.Sprintf("; they sit in few runs, and %.3g count as one", cluster)
	}
	c.Enough = fmt.Sprintf("equal rates show as such from about %.0f failures on", enough)
	if more := math.Ceil(float64(len(a.runs)+len(b.runs))/2*enough/float64(n)) - float64(runs); more <= mostMore {
		c.More = max(int(more), 1)
		c.Enough += fmt.Sprintf(", in about %s a side", plural(c.More, "more run", "more runs"))
	}
}

// mostMore bounds how many further runs of each side are worth naming.
const mostMore = 1000

func trialsOfRates(g *stat.Gate, a, b tally) []stat.Trial {
	var vs []value
	for i, t := range []tally{a, b} {
		for _, w := range t.runs {
			vs = append(vs, value{at: w.at, v: float64(w.events) / w.hours, other: i == 1})
		}
	}
	trials, ordered := trialsOf(vs)
	g.Unordered = !ordered
	return trials
}

// dispersion returns how many failures count as one, 1 or more, and the chance of runs of one side that differ as much if failures came one by one.
func dispersion(a, b tally) (cluster, p float64) {
	var chi, free float64
	for _, t := range []tally{a, b} {
		if t.events == 0 || len(t.runs) < 2 {
			continue
		}
		for _, w := range t.runs {
			want := float64(t.events) * w.hours / t.hours
			chi += (float64(w.events) - want) * (float64(w.events) - want) / want
		}
		free += float64(len(t.runs) - 1)
	}
	if free == 0 {
		return 1, 1
	}
	if p = stat.ChiSquareAbove(chi, free); p >= steadyEnough {
		return 1, p
	}
	return math.Max(1, chi/free), p
}

// enoughFailures returns of how many failures in all, at equal rates, the interval lies within the margin.
func enoughFailures(a, b tally, margin, confidence float64) float64 {
	for n := 2; n < 100000; n += 1 + n/20 {
		y := int(math.Round(float64(n) * b.hours / (a.hours + b.hours)))
		if y < n && stat.RateRatioOf(n-y, a.hours, y, b.hours, confidence).In.Hi <= 1+margin {
			return float64(n)
		}
	}
	return 100000
}
