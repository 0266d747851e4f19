package analyzers

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// decide answers for the whole run, by the precedence of exit statuses 14, 1, 130, 13, 12, 10, 11, 0. Of a run that asks nothing of its
// numbers, none can be wrong: where only the pace of its load was not as planned, the report says so and the exit status is 0.
func decide(f *assay.Facts, r *assay.Report) {
	end := &f.Manifest.End
	count := map[assay.Verdict]int{}
	for i := range r.Objectives {
		count[r.Objectives[i].Verdict]++
	}
	total := len(r.Objectives)
	undecided := count[assay.VerdictInconclusive] + count[assay.VerdictInvalid]
	var remains []string
	if len(f.Faults) == 0 { // else the journal tells, which a later heal continues
		remains = append(remains, end.Remaining...)
	}
	for i := range f.Faults {
		if w := &f.Faults[i]; w.Remains != "" {
			remains = append(remains, fmt.Sprintf("%s of %s: %s", w.Kind, w.Target, w.Remains))
		}
	}
	reason := func(otherwise string) string {
		if end.Reason != "" {
			return end.Reason
		}
		return otherwise
	}
	set := func(d assay.Decision, exit int, why, next string) {
		r.Decision, r.Exit, r.Why, r.Next = d, exit, why, next
	}
	nothing := "the run could measure; nothing was asked of it"
	if end.Status == assay.EndBudget {
		nothing += "; its budget ended it: " + reason("it was spent")
	}
	tally := fmt.Sprintf("%d/%d gated objectives hold", count[assay.VerdictPass], total)
	broken, unsteady := hurtFor(r)
	switch {
	case len(remains) > 0:
		set(assay.FaultMayRemain, assay.ExitFaultMayRemain, "a fault may still be active: "+remains[0], "assay heal")
	case end.Status == assay.EndFailed:
		set(assay.Failed, assay.ExitError, "the run failed: "+reason("no reason was recorded"), "fix the cause and run again")
	case end.Status == assay.EndRunning || end.Status == "" && !f.Manifest.Imported:
		set(assay.Interrupted, assay.ExitInterrupted, "the run was killed before it ended: the report covers what was recorded; "+tally, "run again to the end")
	case end.Status == assay.EndInterrupted:
		set(assay.Interrupted, assay.ExitInterrupted, reason("a person stopped the run")+"; "+tally, "run again to the end")
	case end.Status == assay.EndAborted:
		told := abortTold(r)
		if told == "" {
			told = "; all faults are reverted"
		}
		set(assay.Aborted, assay.ExitAborted, "a guard stopped the run: "+reason("no reason was recorded")+told, "look at the guard's metric at the instant of the abort")
	case end.Status == assay.EndDiskFull:
		set(assay.InvalidRun, assay.ExitInvalid, "the disk was full: "+reason("the run was stopped"), "free space and run again")
	case !r.Trust.Valid:
		why := "the run could not measure"
		if len(r.Trust.Problems) > 0 {
			why += ": " + r.Trust.Problems[0]
		}
		exit := assay.ExitInvalid
		if total == 0 && len(r.Hypotheses) == 0 && ours(r.Trust.Rules) {
			exit = assay.ExitGo
			why += "; nothing was asked of the numbers, so the exit status is 0"
		}
		set(assay.InvalidRun, exit, why, remedy(&r.Trust))
	case end.Status == assay.EndBudget && undecided > 0:
		set(assay.InvalidRun, assay.ExitInvalid, fmt.Sprintf("the budget was spent with %d of %d objectives undecided: %s", undecided, total, reason("it was too small")), "raise the budget or ask for less")
	case count[assay.VerdictFail] > 0:
		first := firstWith(r, assay.VerdictFail)
		set(assay.NoGo, assay.ExitNoGo, fmt.Sprintf("%s; %s misses its goal", tally, list(r, assay.VerdictFail)), "see "+first.Title+" and what bounds it")
	case broken != "":
		set(assay.NoGo, assay.ExitNoGo, tally+"; "+broken, "see what the fault did and what may help")
	case unsteady != "":
		set(assay.Undecided, assay.ExitInconclusive, tally+"; "+unsteady, "see what the looks at the steady state say, then run again")
	case undecided > 0:
		first := firstWith(r, assay.VerdictInconclusive)
		next := "run longer"
		if first.Enough != "" {
			next = "to decide " + first.Title + ": " + first.Enough
		}
		if bad := unserved(r); bad != "" {
			next = "no request was served: " + bad + "; check the URL and what is asked of it"
		}
		set(assay.Undecided, assay.ExitInconclusive, fmt.Sprintf("%s; undecided: %s", tally, list(r, assay.VerdictInconclusive)), next)
	case total == 0 && unserved(r) != "": // nothing was asked, but that is no reason to say GO
		set(assay.Undecided, assay.ExitGo, "nothing was asked; 0 % of requests were served: "+unserved(r), "check the URL and what is asked of it")
		if f.Manifest.Imported {
			r.Next = "find out why none was served"
		}
	case total == 0 && f.Manifest.Imported && f.Requests == 0:
		set(assay.Go, assay.ExitGo, nothing, "ask what must hold, for example assay assess DIR --slo cold/start/worst=30s")
	case total == 0 && f.Manifest.Imported:
		set(assay.Go, assay.ExitGo, nothing, "ask what must hold, for example assay assess DIR --slo e2e/p95=500ms")
	case total == 0:
		set(assay.Go, assay.ExitGo, nothing, "ask what must hold: objectives in a plan, or --slo")
	default:
		set(assay.Go, assay.ExitGo, tally+missing(r), "")
		if f.Manifest.Target.Kind == "sandbox" {
			r.Next = "assay run --url URL --slo ttft/p95=2s     (no faults, some 400 requests)"
		}
	}
	if s := moreTraffic(r); s != "" {
		switch r.Decision {
		case assay.Go:
			r.Next = s
		case assay.NoGo, assay.Undecided:
			r.Next += "; " + s
		}
	}
}

// moreTraffic says what would have let the faults be felt whose victims carried too little; "" where there are none.
func moreTraffic(r *assay.Report) string {
	var ids []string
	enough := 0.0
	for i := range r.Faults {
		if x := &r.Faults[i]; x.Verdict == assay.FaultUnmeasured && x.Enough > 0 {
			ids, enough = append(ids, x.Window.ID), max(enough, x.Enough)
		}
	}
	if ids == nil {
		return ""
	}
	return fmt.Sprintf("to measure %s: a higher rate or longer answers, so that about %.0f requests are in flight", strings.Join(ids, ", "), enough)
}

// hurtFor names the first fault that failed beyond what objectives say, and the first part of the steady state that did not hold before the faults, or of
// which that is not known before or after them: a plan that names a steady state asks for it like for an objective.
func hurtFor(r *assay.Report) (broken, unsteady string) {
	for i := range r.Faults {
		if x := &r.Faults[i]; x.Verdict == assay.FaultFail && broken == "" {
			broken = fmt.Sprintf("fault %s failed: %s", x.Window.ID, x.Why)
		}
	}
	for i := range r.Hypotheses {
		h := &r.Hypotheses[i]
		switch {
		case unsteady != "":
		case h.Before.OK == lookFalse && h.Fault == "":
			unsteady = h.Name + " did not hold, and no fault was injected"
		case h.Before.OK == lookFalse:
			unsteady = h.Name + " did not hold before " + h.Fault
		case h.Before.OK != "" && h.Before.OK != lookTrue:
			unsteady = "whether " + h.Name + " held before the faults is not known"
		case h.After.OK != "" && h.After.OK != lookTrue && h.After.OK != lookFalse:
			unsteady = "whether " + h.Name + " held after " + h.Fault + " is not known"
		}
	}
	return broken, unsteady
}

// unserved names what became of most requests where none was served; "" where one was.
func unserved(r *assay.Report) string {
	var most *assay.ErrorRow
	for i := range r.Errors {
		e := &r.Errors[i]
		if e.Outcome == assay.OK {
			return ""
		}
		if most == nil || e.Count > most.Count {
			most = e
		}
	}
	if most == nil {
		return ""
	}
	s := fmt.Sprintf("%d %s", most.Count, strings.ReplaceAll(most.Outcome.String(), "_", " "))
	if most.Example != "" {
		s += " (" + most.Example + ")"
	}
	return s
}

// ours reports whether a run is invalid by the pace of its load alone: all of it was recorded, though it says less than was wanted.
func ours(rules []string) bool {
	for _, rule := range rules {
		switch rule {
		case "lateness/p99", "delivered", "spacing/ks", "spacing/dispersion", "dropped":
		default:
			return false
		}
	}
	return len(rules) > 0
}

func firstWith(r *assay.Report, v assay.Verdict) *assay.Judgement {
	for i := range r.Objectives {
		if r.Objectives[i].Verdict == v {
			return &r.Objectives[i]
		}
	}
	return &assay.Judgement{}
}

func list(r *assay.Report, v assay.Verdict) string {
	var names []string
	for i := range r.Objectives {
		if r.Objectives[i].Verdict == v {
			names = append(names, r.Objectives[i].Title)
		}
	}
	return strings.Join(names, "; ")
}

// missing names the headline figure that a good run cannot give.
func missing(r *assay.Report) string {
	if f := r.Find("availability/natural"); f != nil && !f.Quantity.Known() {
		return "; availability " + strings.SplitN(f.Quantity.Reason, ",", 2)[0]
	}
	return ""
}
