package evidence

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// An Objective is what the evidence has to show, at a confidence of its own. Its bound is one-sided, as the planning table of the NIST/SEMATECH
// e-Handbook 8.3.1.1 takes it: it holds where the bound of that confidence lies on its side.
type Objective struct {
	assay.Objective
	Confidence float64 // more than 0.5 and less than 1
	Bad        float64 // MTBF in seconds that must not pass: the objective is then tested in sequence, with both risks 1-Confidence; 0 without
}

// Metrics are what an objective of the evidence may ask for.
func Metrics() []assay.Desc {
	d := func(metric string, u assay.Unit, better, help string) assay.Desc {
		return assay.Desc{Metric: metric, Unit: u, Better: better, Help: help}
	}
	return []assay.Desc{
		d("mtbf/service", assay.Seconds, "higher", "natural time up per failure of the service"),
		d("mtbf/instance", assay.Seconds, "higher", "natural time in routing per failure of an instance"),
		d("mtbf/gpu", assay.Seconds, "higher", "natural time watched per failure of a card"),
		d("failure_rate/service", assay.PerHour, "lower", "failures of the service per hour"),
		d("failure_rate/instance", assay.PerHour, "lower", "failures of instances per hour of an instance"),
		d("failure_rate/gpu", assay.PerHour, "lower", "failures of cards per hour of a card"),
		d("availability/natural", assay.Ratio, "higher", "by time, or by request with {by=request}"),
		d("recovery/rate", assay.Ratio, "higher", "share of faults recovered from, of one kind with {fault=kill}; of several with their --weight"),
		d("fault_tolerance", assay.Ratio, "higher", "share of faults that hurt no user, of one kind with {fault=kill}; of several with their --weight"),
		d("mttr", assay.Seconds, "lower", "mean time in which users recover, of one kind with {fault=kill}"),
		d("coverage", assay.Ratio, "higher", "share of faults recovered from, weighted as they strike in operation"),
	}
}

// judge decides one objective.
func (a Objective) judge(l *ledger, drills []drill, o *Options) assay.Judgement {
	j := assay.Judgement{Objective: a.Objective, Title: title(a)}
	two := sided(a.Confidence) // each side of a two-sided interval is then one-sided at the confidence asked for
	kind := a.Labels["fault"]
	switch head, subject, _ := strings.Cut(a.Metric, "/"); {
	case head == "mtbf" && a.Bad > 0:
		a.sequential(&j, l, assay.Subject(subject))
		return j
	case head == "mtbf" || head == "failure_rate":
		a.unit(&j, l, assay.Subject(subject))
		return j
	case a.Metric == "availability/natural":
		i := 0
		if a.Labels["by"] == "request" {
			i = 1
		}
		j.Quantity = l.availability(two)[i].Quantity
	case a.Metric == "recovery/rate":
		if j.Quantity = o.share(drills, kind, two, func(r *assay.RecoveryEvidence) int { return r.Recovered }); !o.several(drills, kind) {
			a.trials(&j, j.Quantity)
		}
	case a.Metric == "fault_tolerance":
		if j.Quantity = o.share(drills, kind, two, func(r *assay.RecoveryEvidence) int { return r.Tolerated }); !o.several(drills, kind) {
			a.trials(&j, j.Quantity)
		}
	case a.Metric == "mttr":
		j.Quantity = recovered(drills, kind, two).Mean
	case a.Metric == "coverage":
		j.Quantity = o.coverage(drills, two)
	}
	a.verdict(&j)
	if j.Verdict != assay.VerdictInconclusive {
		j.Enough = ""
	}
	return j
}

// sided is the confidence of a two-sided interval each of whose bounds holds one-sided at c, without the dust of 2*0.95-1.
func sided(c float64) float64 { return math.Round((2*c-1)*1e12) / 1e12 }

// verdict compares what is known with what is asked.
func (a Objective) verdict(j *assay.Judgement) {
	lo, hi := math.Inf(-1), math.Inf(1)
	if a.Min != nil {
		lo = *a.Min
	}
	if a.Max != nil {
		hi = *a.Max
	}
	j.Verdict = assay.Judge(j.Quantity, lo, hi)
	switch {
	case !j.Quantity.Known():
		j.Why = j.Quantity.Reason
	case j.Verdict == assay.VerdictFail:
		j.Why = fmt.Sprintf("its bound at %g %% misses the goal", 100*a.Confidence)
	case j.Verdict == assay.VerdictInconclusive:
		j.Why = fmt.Sprintf("the goal lies between its bounds at %g %%", 100*a.Confidence)
	}
}

// unit decides an objective on a failure rate, and says how long a watch would be enough.
func (a Objective) unit(j *assay.Judgement, l *ledger, s assay.Subject) {
	unit, ok := l.unit(s)
	rate := strings.HasPrefix(a.Metric, "failure_rate")
	u := assay.Seconds
	if rate {
		u = assay.PerHour
	}
	goal := 0.0 // MTBF in seconds
	switch {
	case rate && a.Max != nil && *a.Max > 0:
		goal = 3600 / *a.Max
	case !rate && a.Min != nil:
		goal = *a.Min
	}
	c := a.Confidence
	if !ok || unit.Exposure <= 0 {
		j.Quantity = assay.NotMeasured(u, fmt.Sprintf("no run watched a %s in natural time", s))
		a.verdict(j)
		j.Enough = fmt.Sprintf("%s without a failure", span(goal*stat.PlanningFactor(0, c)))
		return
	}
	n, varies := unit.Failures, unit.Trend != nil && !unit.Trend.Constant
	at := c // one-sided already
	if n > 0 {
		at = sided(c)
	}
	mtbf, hourly := mean(unit.Exposure, n, at)
	held := ""
	if varies {
		begins := make([]int64, 0, n)
		for _, f := range l.failures[s] {
			begins = append(begins, f.begin)
		}
		ages, total := clock(l.exposure[s], begins)
		if end := atEnd(ages, total, unit.Trend, sided(c)); end != nil {
			held = "held to the mean over the watch, which is worse than what the rate was at its end"
			if end.MTBF.Lo < mtbf.Lo {
				mtbf, hourly, held = end.MTBF, end.Rate, "held to what the rate was at the end of the watch, which is worse than the mean over it"
			}
		}
	}
	if j.Quantity = mtbf; rate {
		j.Quantity = hourly
	}
	a.verdict(j)
	if held != "" && j.Why != "" {
		held = "; " + held
	}
	j.Why += held
	if j.Verdict != assay.VerdictInconclusive || goal <= 0 {
		return
	}
	if varies {
		j.Enough = "the rate is not constant: no length of the watch can be named; go on until the bounds leave the goal"
		return
	}
	more := func(failures int) string { return span(max(0, goal*stat.PlanningFactor(failures, c)-unit.Exposure)) }
	of := "no further failure"
	if n == 0 {
		of = "no failure"
	}
	j.Enough = fmt.Sprintf("%s more with %s, or %s more with one", more(n), of, more(n+1))
}

// trials says how many further faults that all go well would be enough.
func (a Objective) trials(j *assay.Judgement, q assay.Quantity) {
	if a.Min == nil || !(*a.Min > 0 && *a.Min < 1) {
		return
	}
	bad := 0
	if q.Known() {
		bad = q.N - int(math.Round(q.Value*float64(q.N)))
	}
	if need := stat.Trials(1-*a.Min, bad, a.Confidence) - q.N; need > 0 {
		j.Enough = things(need, "more drill") + ", all good"
	}
}

// title names an objective as people say it.
func title(a Objective) string {
	s := a.Metric
	for _, k := range sorted(a.Labels) {
		s += fmt.Sprintf(" %s=%s", k, a.Labels[k])
	}
	return s
}

// decide answers for all services together: what fails, else what is not decided. Where nothing could be read, nothing that was asked is decided; where nothing was asked, there is no
// decision.
func decide(e *assay.Evidence, asked int) {
	switch {
	case asked == 0:
		return
	case len(e.Services) == 0:
		e.Decision, e.Exit = assay.Undecided, assay.ExitInconclusive
		return
	}
	e.Decision, e.Exit = assay.Go, assay.ExitGo
	for _, s := range e.Services {
		for _, j := range s.Objectives {
			switch {
			case j.Verdict == assay.VerdictFail:
				e.Decision, e.Exit = assay.NoGo, assay.ExitNoGo
			case j.Verdict != assay.VerdictPass && e.Exit == assay.ExitGo:
				e.Decision, e.Exit = assay.Undecided, assay.ExitInconclusive
			}
		}
	}
}
