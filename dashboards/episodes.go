package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// evidenceText says how sure it is that an episode was a failure, and by what; nothing where that is not in doubt.
func evidenceText(e *assay.Episode) string {
	if e.Confidence == "" || len(e.Evidence) == 0 {
		return ""
	}
	return string(e.Confidence) + " confidence: " + strings.Join(e.Evidence, "; ")
}

// alike reports whether two episodes of an instance are told in the same words: of several of which no more is known than between which instants they were.
func alike(a, b *assay.Episode) bool {
	return a.Subject == b.Subject && a.Ledger == b.Ledger && a.Instance == b.Instance && a.Cause == b.Cause && a.BeginLo == b.BeginLo && a.Begin == b.Begin && a.End == b.End &&
		slices.Equal(a.Evidence, b.Evidence)
}

// failuresOfInstances says what the failures of instances rest on that did not show as a plain crash, and how many restarts something explains.
func failuresOfInstances(r *assay.Report) []string {
	const most = 3
	var out []string
	more, planned, unexplained := 0, 0, 0
	explained, restarted := "", ""
	for i := range r.Episodes {
		e := &r.Episodes[i]
		switch {
		case e.Subject != assay.InstanceOf || len(e.Evidence) == 0:
		case e.Ledger == assay.Planned && e.Cause == assay.UnexplainedRestart:
			if unexplained++; unexplained == 1 {
				restarted = e.Instance + " at " + Instant(e.Begin, r.Begin) + ": " + strings.TrimPrefix(e.Evidence[len(e.Evidence)-1], "explained: ")
			}
		case e.Ledger == assay.Planned:
			if planned++; planned == 1 {
				explained = e.Instance + " at " + Instant(e.Begin, r.Begin) + ": " + strings.Join(e.Evidence, "; ")
			}
		case e.Ledger != assay.Natural:
		case i > 0 && alike(e, &r.Episodes[i-1]): // told with it
		case len(out) == most:
			more++
		default:
			who := "instance"
			if e.Instance != "" {
				who += " " + e.Instance
			}
			what, at := words(orElse(e.Cause, "failure")), "at "+Instant(e.Begin, r.Begin)
			n := 1
			for i+n < len(r.Episodes) && alike(e, &r.Episodes[i+n]) {
				n++
			}
			if n > 1 {
				what = Things(n, what+"s")
				at = "between " + Instant(e.BeginLo, r.Begin) + " and " + Instant(e.Begin, r.Begin)
			}
			if e.RightCensored {
				at += ", not seen up again"
			}
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s, %s %s, %s", who, what, at, evidenceText(e)), ", "))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("and %s more of instances", Things(more, "failures")))
	}
	if planned > 0 {
		out = append(out, fmt.Sprintf("planned, not failures: %s of instances, such as %s", Things(planned, "ends"), explained))
	}
	if unexplained > 0 {
		out = append(out, fmt.Sprintf("unexplained, not failures: %s of instances, such as %s", Things(unexplained, "restarts"), restarted))
	}
	return out
}
