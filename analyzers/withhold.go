package analyzers

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// notMeasurable is why a run whose measurement is not to be trusted says nothing of how its faults were come through.
const notMeasurable = "the run could not measure"

// withhold takes what sums up the faults out of the report of an invalid run: a score or a share of faults that were tolerated would be read
// as one that was measured. What was lost, and when, still stands with each fault.
func withhold(r *assay.Report) {
	if r.Trust.Valid {
		return
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if m := f.Metric; m == "score" || m == "fault_tolerance" || m == "recovery/rate" || m == "recovery/coverage" || m == "whatif/unavailability" || m == "suite/measured" || strings.HasPrefix(m, "availability/during/") {
			f.Quantity, f.Evidence, f.Warnings = assay.NotMeasured(assay.Ratio, notMeasurable), nil, nil
		}
	}
	for i := range r.Faults {
		if x := &r.Faults[i]; x.Score.Known() {
			x.Score, x.Parts = assay.NotMeasured(assay.Ratio, notMeasurable), nil
		}
	}
	if r.Suite == nil {
		return
	}
	r.Suite.Measured = assay.NotMeasured(assay.Ratio, notMeasurable)
	for i := range r.Suite.Steps {
		if st := &r.Suite.Steps[i]; st.State != assay.Unmeasured && st.State != assay.VoidFault {
			st.State, st.Why = assay.Unmeasured, notMeasurable
		}
	}
}

// explain gives each step of a suite the reason of the worst of its faults where it has none of its own.
func explain(r *assay.Report) {
	if r.Suite == nil {
		return
	}
	for i := range r.Suite.Steps {
		st := &r.Suite.Steps[i]
		var worst *assay.FaultResult
		for j := range r.Faults {
			x := &r.Faults[j]
			if slices.Contains(st.Faults, x.Window.ID) && (worst == nil || gravity(x.Verdict) > gravity(worst.Verdict)) {
				worst = x
			}
		}
		if worst != nil && st.Why == "" {
			st.Why = worst.Why
		}
	}
}

// gravity orders verdicts from what is best to what is worst.
func gravity(v assay.FaultVerdict) int {
	return slices.Index([]assay.FaultVerdict{assay.FaultSimulated, assay.FaultPass, assay.FaultUnmeasured, assay.FaultVoid, assay.FaultFail}, v)
}

// noRequests is why a run that holds none says nothing of what only requests tell.
const noRequests = "the run holds no requests"

// unasked says, once and in the same words, of a run without requests what was not measured for want of them.
func unasked(f *assay.Facts, r *assay.Report) {
	if f.Requests > 0 {
		return
	}
	told, why := isCounted(f) || isProbed(f), uncountedWhy(f)
	for i := range r.Findings {
		q := &r.Findings[i].Quantity
		m := r.Findings[i].Metric
		if (m == "mtbf/service" || m == "failure_rate/service") && told {
			continue
		}
		if m == "mtbf/service" || m == "failure_rate/service" || strings.HasPrefix(q.Reason, "not measured, because no request") || strings.HasPrefix(q.Reason, "not measured, because no delivered request") {
			r.Findings[i] = assay.Finding{Metric: m, Labels: r.Findings[i].Labels, Ledger: r.Findings[i].Ledger, Quantity: assay.NotMeasured(q.Unit, why)}
		}
	}
}
