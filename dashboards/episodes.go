package dashboards

import (
	"fmt"
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

// failuresOfInstances says what the failures of instances rest on that did not show as a plain crash, and how many restarts something explains.
func failuresOfInstances(r *assay.Report) []string {
	const most = 3
	var out []string
	more, planned := 0, 0
	explained := ""
	for i := range r.Episodes {
		e := &r.Episodes[i]
		switch {
		case e.Subject != assay.InstanceOf || len(e.Evidence) == 0:
		case e.Ledger == assay.Planned:
			if planned++; planned == 1 {
				explained = e.Instance + " at " + Instant(e.Begin, r.Begin) + ": " + strings.Join(e.Evidence, "; ")
			}
		case e.Ledger != assay.Natural:
		case len(out) == most:
			more++
		default:
			who := "instance"
			if e.Instance != "" {
				who += " " + e.Instance
			}
			out = append(out, fmt.Sprintf("%s, %s at %s, %s", who, words(orElse(e.Cause, "failure")), Instant(e.Begin, r.Begin), evidenceText(e)))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("and %s more of instances", Things(more, "failures")))
	}
	if planned > 0 {
		out = append(out, fmt.Sprintf("planned, not failures: %s of instances, such as %s", Things(planned, "ends"), explained))
	}
	return out
}
