package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A step is as good as the worst of its faults; what was not done, was void or never came is not measured, and lowers the share.
func TestSuiteSteps(t *testing.T) {
	f := &assay.Facts{Manifest: &assay.Manifest{Suite: &assay.Suite{Name: "s", Version: 3, Size: "quick", Steps: []assay.SuiteStep{
		{Name: "a", Weight: 2, Phases: []string{"a"}},
		{Name: "b", Weight: 1, Phases: []string{"b", "b-after"}},
		{Name: "c", Weight: 1, Unmeasured: "no GPU"},
		{Name: "d", Weight: 1, Phases: []string{"d"}},
		{Name: "e", Weight: 3, Phases: []string{"e"}},
	}}}, Events: []assay.Event{
		{Kind: assay.EventFaultApplied, Fault: "kill-1", Phase: "a"}, {Kind: assay.EventFaultClear, Fault: "kill-1", Phase: "a"},
		{Kind: assay.EventFaultApplied, Fault: "hang-2", Phase: "b"}, {Kind: assay.EventFaultApplied, Fault: "kill-3", Phase: "b-after"},
		{Kind: assay.EventFaultVoid, Fault: "cut-4", Phase: "d"},
	}}
	r := &assay.Report{Faults: []assay.FaultResult{
		{Window: assay.FaultWindow{ID: "kill-1"}, State: assay.Tolerated},
		{Window: assay.FaultWindow{ID: "hang-2"}, State: assay.Unrecovered}, {Window: assay.FaultWindow{ID: "kill-3"}, State: assay.Recovered},
		{Window: assay.FaultWindow{ID: "cut-4", Void: "skipped by the operator"}, State: assay.VoidFault},
	}}
	if err := (Suite{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	want := []assay.StepResult{
		{Name: "a", Weight: 2, State: assay.Tolerated, Faults: []string{"kill-1"}},
		{Name: "b", Weight: 1, State: assay.Unrecovered, Faults: []string{"hang-2", "kill-3"}},
		{Name: "c", Weight: 1, State: assay.Unmeasured, Why: "no GPU"},
		{Name: "d", Weight: 1, State: assay.VoidFault, Faults: []string{"cut-4"}, Why: "skipped by the operator"},
		{Name: "e", Weight: 3, State: assay.Unmeasured, Why: "the run ended before it"},
	}
	if diff := cmp.Diff(want, r.Suite.Steps); diff != "" {
		t.Error(diff)
	}
	if got := r.Suite.Measured.Value; got != 3.0/8 || r.Find("suite/measured") == nil {
		t.Errorf("measured: got %v, want 3/8", got)
	}
}
