package dashboards

import (
	"bytes"
	"strings"
	"testing"

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
