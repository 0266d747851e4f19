package dashboards

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// An effect that nobody measured is said to be told wherever the verdict stands.
func TestToldEffect(t *testing.T) {
	q := assay.NotMeasured(assay.Seconds, "nothing told")
	r := &assay.Report{Schema: assay.Schema, Trust: assay.Trust{Valid: true}, Faults: []assay.FaultResult{{
		Window: assay.FaultWindow{ID: "cpu-1", Kind: "cpu", Target: "pod-a", Applied: 1, Basis: assay.EffectTold, Effect: "Chaos Mesh says that it is injected"},
		State:  assay.Tolerated, Verdict: assay.FaultPass, Score: q, User: q, Detect: q, Isolate: q, Restore: q, Capacity: q, Degraded: q}}}
	for _, k := range Kinds() {
		if k.Name == "json" || k.Name == "annotations" {
			continue
		}
		var b bytes.Buffer
		if err := k.Render(&b, r); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		if !strings.Contains(text, "told, not measured: Chaos Mesh says that it is injected") || k.Name != "junit" && !strings.Contains(text, "pass (told)") {
			t.Errorf("%s says nothing of what is told:\n%s", k.Name, text)
		}
	}
}

// The steady state is told of around faults that struck; of those that did not for want of it, once.
func TestLooksAroundFaultsThatStruck(t *testing.T) {
	ok, bad := assay.Look{OK: "true", Value: "1 %"}, assay.Look{OK: "false", Value: "9 %"}
	r := &assay.Report{Hypotheses: []assay.Hypothesis{{Name: "errors", Fault: "a", Before: ok, After: ok}, {Name: "errors", Fault: "b", Before: ok},
		{Name: "errors", Fault: "c", Before: bad}, {Name: "errors", Fault: "d", Before: bad}}}
	for _, id := range []string{"a", "b", "c", "d"} {
		r.Faults = append(r.Faults, assay.FaultResult{Window: assay.FaultWindow{ID: id, Kind: "kill"}})
	}
	r.Faults[0].Window.Applied = 1
	want := []string{"errors: held around 1 fault", "errors: before BROKEN (9 %), so that 2 faults were not injected"}
	if diff := cmp.Diff(want, hypothesisLines(r)); diff != "" {
		t.Error(diff)
	}
}
