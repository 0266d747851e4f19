package analyzers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// Verdicts of faults
//
// They are given last, when the objectives are judged. What shows a failure goes before what is missing: a fault that was void or could not be felt
// but whose revert is not verified has failed. Users that were not seen to recover have failed only if they had the time that the plan allows them (30 s
// where it says nothing): a load that ended a moment after the fault shows nothing. Nor does a fault that hurt nobody and was over before its time, because the
// run was or because somebody else ended it. A run that could not measure has no pass.

// verdicts gives each fault its verdict and, where it failed, advice.
func verdicts(f *assay.Facts, r *assay.Report) {
	for i := range r.Faults {
		x := &r.Faults[i]
		x.Verdict, x.Why = verdictOf(f.Manifest.Objectives, r, x)
		if x.Verdict == assay.FaultFail {
			x.Advice = advise(f, x)
		}
	}
}

func verdictOf(objectives []assay.Objective, r *assay.Report, x *assay.FaultResult) (assay.FaultVerdict, string) {
	if strings.HasPrefix(x.Revert, "not verified") {
		return assay.FaultFail, "its revert is " + x.Revert
	}
	why := unmeasured(x, r.Hypotheses)
	if x.State == assay.VoidFault && !unsteady(x, r.Hypotheses) {
		return assay.FaultVoid, orElse(x.Window.Void, "it was not in effect")
	}
	if x.Window.Simulated {
		return assay.FaultSimulated, "nothing was hurt: it only looked so to those who watch"
	}
	if why != "" {
		return assay.FaultUnmeasured, why
	}
	if !r.Trust.Valid {
		return assay.FaultUnmeasured, notMeasurable
	}
	var failed []string
	if allowed := target(objectives, x.Window.Kind); x.State == assay.Unrecovered && x.User.Lo >= allowed {
		failed = append(failed, fmt.Sprintf("users had not recovered after %s", duration(x.User.Lo)))
	}
	if s := brokenAfter(x, r.Hypotheses); s != "" {
		failed = append(failed, s)
	}
	for i := range r.Objectives {
		j := &r.Objectives[i]
		if j.Verdict == assay.VerdictFail && concerns(&j.Objective, x) {
			failed = append(failed, fmt.Sprintf("the goal %q is missed", j.Title))
		}
	}
	switch {
	case len(failed) > 0:
		return assay.FaultFail, strings.Join(failed, "; ")
	case x.State == assay.Unrecovered:
		return assay.FaultUnmeasured, fmt.Sprintf("the watch ended %s after the fault, before users were well and before the %s were over that they have for it",
			duration(x.User.Lo), duration(target(objectives, x.Window.Kind)))
	}
	for _, h := range r.Hypotheses {
		if h.Fault == x.Window.ID && h.After.OK != "" && h.After.OK != lookTrue {
			return assay.FaultUnmeasured, fmt.Sprintf("whether %s held after the fault is not known", h.Name)
		}
	}
	return assay.FaultPass, ""
}

// unsteady reports whether some part of the steady state did not hold before the fault.
func unsteady(x *assay.FaultResult, hs []assay.Hypothesis) bool {
	return slices.ContainsFunc(hs, func(h assay.Hypothesis) bool { return h.Fault == x.Window.ID && h.Before.OK == lookFalse })
}

// unmeasured says why nothing can be told of how users came through the fault, or "".
func unmeasured(x *assay.FaultResult, hs []assay.Hypothesis) string {
	for _, h := range hs {
		if h.Fault == x.Window.ID && h.Before.OK == lookFalse {
			if x.Window.Applied == 0 {
				return h.Name + " did not hold before, so it was not injected"
			}
			return h.Name + " did not hold before the fault: it should not have been injected"
		}
	}
	switch {
	case x.State == assay.VoidFault:
		return "it was not in effect"
	case x.State == assay.Unmeasured:
		_, why, _ := strings.Cut(x.User.Reason, "because ")
		return orElse(why, "the victim carried too little traffic to be felt")
	case x.Window.Verified == 0:
		return "its effect was never measured"
	case x.Touched == 0:
		return "no request was judged in its window and washout"
	}
	return ""
}

// brokenAfter says which part of the steady state did not hold after the fault, or "".
func brokenAfter(x *assay.FaultResult, hs []assay.Hypothesis) string {
	var names []string
	for _, h := range hs {
		if h.Fault == x.Window.ID && h.After.OK == lookFalse {
			names = append(names, h.Name)
		}
	}
	if names == nil {
		return ""
	}
	return strings.Join(names, ", ") + " did not hold after the fault"
}

// concerns reports whether a failed objective names this fault's kind and, where it is about a time of each fault, whether this one misses it.
func concerns(o *assay.Objective, x *assay.FaultResult) bool {
	if o.Labels["fault"] != x.Window.Kind && o.Metric != "availability/during/"+x.Window.Kind {
		return false
	}
	own := map[string]assay.Quantity{"recovery/user": x.User, "recovery/capacity": x.Capacity, "recovery/detect": x.Detect, "recovery/isolate": x.Isolate,
		"recovery/restore": x.Restore, "recovery/verify": x.Life.Verify, "degraded": x.Degraded, "score": x.Score}
	q, ok := own[o.Metric]
	if !ok || math.IsNaN(q.Lo) {
		return !ok
	}
	lo, hi := bounds(o)
	return assay.Judge(q, lo, hi) == assay.VerdictFail
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
