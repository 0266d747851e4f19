package analyzers

import (
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// Suite says what each step of the plan's standard suite came to, and how much of the suite was measured at all.
type Suite struct{}

// Describe returns the metric.
func (Suite) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "suite/measured", Unit: assay.Ratio, Better: "higher",
		Help: "Share of a standard suite, by the weights of its steps, that was measured in this run; what could not be done, was void or not felt is not."}}
}

// Begin starts a pass that needs no requests.
func (Suite) Begin(f *assay.Facts) assay.Pass { return suitePass{f} }

type suitePass struct{ f *assay.Facts }

func (suitePass) Requests([]assay.Request) {}

// severity orders the states of a fault from what is best to what is worst; a step is as good as the worst of its faults.
var severity = []assay.FaultState{assay.Tolerated, assay.Recovered, assay.Unrecovered, assay.Unmeasured, assay.VoidFault}

func (p suitePass) Finish(r *assay.Report) error {
	s := p.f.Manifest.Suite
	if s == nil {
		return nil
	}
	ids := map[string][]string{} // faults by phase
	for i := range p.f.Events {
		if e := &p.f.Events[i]; e.Fault != "" && e.Phase != "" && !slices.Contains(ids[e.Phase], e.Fault) {
			ids[e.Phase] = append(ids[e.Phase], e.Fault)
		}
	}
	out := &assay.SuiteResult{Name: s.Name, Version: s.Version, Size: s.Size}
	var all, measured float64
	n := 0
	for _, st := range s.Steps {
		one := assay.StepResult{Name: st.Name, Title: st.Title, Weight: st.Weight, State: assay.Unmeasured, Why: st.Unmeasured}
		if one.Why == "" {
			p.step(r, &st, &one, ids)
		}
		all += st.Weight
		if one.State != assay.Unmeasured && one.State != assay.VoidFault {
			measured += st.Weight
			n++
		}
		out.Steps = append(out.Steps, one)
	}
	if all > 0 {
		out.Measured = counted(measured/all, assay.Ratio, len(s.Steps), "steps", fmt.Sprintf("by weight: %d of %d steps", n, len(s.Steps)))
		r.Findings = append(r.Findings, assay.Finding{Metric: "suite/measured", Quantity: out.Measured})
	}
	r.Suite = out
	return nil
}

// step fills in what became of the faults in the phases of a step.
func (p suitePass) step(r *assay.Report, st *assay.SuiteStep, one *assay.StepResult, ids map[string][]string) {
	for _, ph := range st.Phases {
		one.Faults = append(one.Faults, ids[ph]...)
	}
	worst := -1
	for i := range r.Faults {
		f := &r.Faults[i]
		if !slices.Contains(one.Faults, f.Window.ID) {
			continue
		}
		if k := slices.Index(severity, f.State); k > worst {
			worst = k
			one.State, one.Why = f.State, f.Window.Void
			if f.State == assay.Unmeasured {
				one.Why = f.User.Reason
			}
		}
	}
	if worst < 0 {
		one.Why = "the run ended before it"
	}
}
