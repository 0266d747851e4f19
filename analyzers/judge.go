package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// judge answers one objective. A finding matches if it has the metric and at least the objective's selectors; one with exactly these goes before
// others, and of several others the worst counts.
func judge(r *assay.Report, o *assay.Objective) assay.Judgement {
	desc, _ := Lookup(o.Metric)
	j := assay.Judgement{Objective: *o, Title: Title(o.Metric, o.Labels)}
	if j.Objective.Unit == "" {
		j.Objective.Unit = desc.Unit
	}
	lo, hi := bounds(o)
	var found *assay.Finding
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric != o.Metric || !superset(f.Labels, o.Labels) {
			continue
		}
		if len(f.Labels) == len(o.Labels) {
			found = f
			break
		}
		if found == nil || worse(f, found, desc, lo, hi) {
			found = f
		}
	}
	if found == nil {
		j.Quantity = assay.NotMeasured(desc.Unit, "this run has nothing that shows it")
		j.Verdict, j.Why = assay.VerdictInconclusive, j.Quantity.Reason
		return j
	}
	found, held := heldTo(r, found, desc, lo, hi)
	j.Quantity = found.Quantity
	j.Verdict = assay.Judge(found.Quantity, lo, hi)
	if o.Test != nil {
		if sequential(r, o, &j); r.Trust.Valid {
			return j
		}
	}
	switch {
	case !r.Trust.Valid:
		j.Verdict = assay.VerdictInvalid
		if len(r.Trust.Problems) > 0 {
			j.Why = "the run could not measure: " + r.Trust.Problems[0]
		}
	case !j.Quantity.Known():
		j.Why = j.Quantity.Reason
	case !j.Quantity.Bounded():
		j.Why = "it has no interval"
	case j.Verdict == assay.VerdictFail:
		j.Why = "the whole interval lies outside the goal"
	case j.Verdict == assay.VerdictInconclusive:
		j.Why = "the interval reaches across the goal"
	}
	if j.Verdict == assay.VerdictInconclusive {
		j.Enough = enough(o, &j.Quantity, lo, hi)
	}
	if q := &j.Quantity; (j.Verdict == assay.VerdictPass || j.Verdict == assay.VerdictFail) && q.Basis == assay.Estimated && q.Confidence > 0 && q.Confidence < Confidence-1e-9 {
		held = fmt.Sprintf("its bounds hold at %.3g %%, which is what %d %s give", 100*q.Confidence, q.N, cmp.Or(q.Of, "records"))
	}
	if held != "" && j.Why != "" {
		held = "; " + held
	}
	j.Why += held
	return j
}

// heldTo returns which figure an objective on a rate of failures is held to where the rate was not constant, the worse of its mean and that at the end of the watch, and says so.
func heldTo(r *assay.Report, mean *assay.Finding, desc assay.Desc, lo, hi float64) (f *assay.Finding, said string) {
	end := r.Find(mean.Metric, "at", atEnd)
	switch {
	case len(mean.Labels) > 0 || mean.Quantity.Method != meanRate || end == nil || !end.Quantity.Known():
		return mean, ""
	case worse(end, mean, desc, lo, hi):
		return end, "the rate is not constant, and the objective is held to that at the end of the watch, which is the worse"
	}
	return mean, "the rate is not constant, and the objective is held to its mean over the watch, which is worse than that at the end"
}

func superset(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func badness(v assay.Verdict) int {
	return slices.Index([]assay.Verdict{assay.VerdictPass, assay.VerdictInvalid, assay.VerdictInconclusive, assay.VerdictFail}, v)
}

func worse(a, b *assay.Finding, d assay.Desc, lo, hi float64) bool {
	va, vb := badness(assay.Judge(a.Quantity, lo, hi)), badness(assay.Judge(b.Quantity, lo, hi))
	if va != vb {
		return va > vb
	}
	if d.Better == "higher" {
		return a.Quantity.Lo < b.Quantity.Lo
	}
	return a.Quantity.Hi > b.Quantity.Hi
}

// enough says what data would decide an inconclusive objective, as far as planning can tell.
func enough(o *assay.Objective, q *assay.Quantity, lo, hi float64) string {
	switch o.Metric {
	case "mtbf/service", "mtbf/instance":
		if !math.IsInf(lo, -1) && lo > 0 {
			return watchFor(lo, q.N)
		}
	case "failure_rate/service", "failure_rate/instance":
		if !math.IsInf(hi, 1) && hi > 0 {
			return watchFor(3600/hi, q.N)
		}
	case "error_ratio":
		if s := errorsEnough(q, hi); s != "" {
			return s
		}
	case "limit/rate":
		if q.Known() {
			return "rates closer together: a smaller within of the search, and the time for its steps"
		}
	case "recovery/rate", "fault_tolerance":
		if lo > 0 && lo < 1 {
			return fmt.Sprintf("%d faults, all of them survived, would show %g %%", faultsFor(lo), lo*100)
		}
	}
	if n, of, ok := LeastSample(*o); ok && !q.Known() {
		if q.N >= n { // not too few, but too much alike: the reason says how many like these would do
			_, would, _ := strings.Cut(q.Reason, "; ")
			return would
		}
		return fmt.Sprintf("at least %d independent %s; %d were seen", n, of, q.N)
	}
	if q.Basis != assay.Estimated || math.IsNaN(q.Value) || q.N == 0 || !q.Known() || math.IsInf(q.Hi, 0) || math.IsInf(q.Lo, 0) {
		return ""
	}
	if q.Unit == assay.Ratio && q.Lo <= 0 && q.Hi >= 1 { // the width of no interval goes on from there
		return fmt.Sprintf("more than the %d %s seen, which bound nothing", q.N, cmp.Or(q.Of, "records"))
	}
	goal := hi
	if math.IsInf(goal, 1) || q.Value < lo {
		goal = lo
	}
	distance := math.Abs(goal - q.Value)
	half := q.Hi - q.Value
	if q.Value > goal {
		half = q.Value - q.Lo
	}
	if distance == 0 || half <= 0 {
		return "the value lies on the goal: no amount of data decides it soon"
	}
	// The width of an interval goes with the root of the sample.
	times := math.Ceil(half/distance*(half/distance) - 1e-9)
	of := cmp.Or(q.Of, "records")
	if times > 1000 && q.N < fewUnits { // the interval of so few narrows faster than with the root
		return fmt.Sprintf("a watch that sees more %s than %d: of so few the interval does not tell how it will narrow", of, q.N)
	} else if times > 1000 {
		return fmt.Sprintf("more than 1000 times as much data as the %d %s seen: the value lies too close to the goal for how wide its interval is", q.N, of)
	}
	return fmt.Sprintf("about %.0f times as much data, if it stays as it is (%.0f in place of %d %s)", max(2, times), max(2, times)*float64(q.N), q.N, of)
}

// fewUnits is how many failures, clusters or starts an interval must rest on for its width to go on with the root of their number.
const fewUnits = 10

func watchFor(goal float64, failures int) string {
	need := goal * stat.PlanningFactor(failures, Confidence)
	with := "no failure"
	if failures == 1 {
		with = "no failure but the one seen"
	} else if failures > 1 {
		with = fmt.Sprintf("no failure but the %d seen", failures)
	}
	return fmt.Sprintf("%s watched in all, with %s", duration(need), with)
}

// faultsFor returns the least number of faults that, all survived, show a share of at least p.
func faultsFor(p float64) int {
	return int(math.Ceil(math.Log((1-Confidence)/2)/math.Log(p) - 1e-9))
}

// duration writes seconds for a sentence.
func duration(s float64) string {
	switch {
	case s < 0.1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case s < 600:
		return fmt.Sprintf("%.3g s", s)
	case s < 7200:
		return fmt.Sprintf("%.0f min", s/60)
	case s < 72*3600:
		return fmt.Sprintf("%.0f h", s/3600)
	}
	return fmt.Sprintf("%.0f days", s/86400)
}
