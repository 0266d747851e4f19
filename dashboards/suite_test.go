package dashboards

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// Every view names the suite with its version, what became of each step and why one was not measured.
func TestSuiteAndNotesInTheViews(t *testing.T) {
	r := &assay.Report{Name: "s", End: 60e9, Series: []assay.Series{{Name: "requests/ok", Unit: assay.PerSecond, Times: []int64{0, 30e9}, Values: []assay.Num{1, 2}, Kind: "line"}}, Faults: []assay.FaultResult{
		{Window: assay.FaultWindow{ID: "kill", Kind: "kill", Applied: 5e9, Reverted: 5e9, Clear: 5e9}, State: assay.Recovered, Verdict: assay.FaultPass, Score: assay.Quantity{Value: 0.9, Lo: 0.9, Hi: 0.9, Confidence: 1, N: 9, Unit: assay.Ratio, Method: "m", Of: "requests", Basis: assay.Measured}},
	}, Suite: &assay.SuiteResult{Name: "serverless-model", Version: 7, Size: "quick", Measured: assay.Quantity{Value: 0.5, Lo: 0.5, Hi: 0.5, Confidence: 1, N: 2, Unit: assay.Ratio, Method: "by weight: 1 of 2 steps", Of: "steps", Basis: assay.Measured},
		Steps: []assay.StepResult{{Name: "kill", Title: "an instance is killed", Weight: 2, State: assay.Recovered, Faults: []string{"kill"}}, {Name: "gpu", Title: "no memory", Weight: 2, State: assay.Unmeasured, Why: "there is no GPU"}}},
		Notes: []assay.Note{{At: 6e9, Fault: "kill", Text: "pager <rang>"}, {At: 7e9, Text: "all quiet"}}}
	for _, k := range []string{"text", "markdown", "html"} {
		kind, _ := KindOf(k)
		var b strings.Builder
		if err := kind.Render(&b, r); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(b.String()), " ")
		for _, want := range []string{"serverless-model, version 7, size quick", "pass, recovered, score 0.9", "there is no GPU", "pager", "all quiet", "6 s kill"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing in\n%s", k, want, b.String())
			}
		}
		if k == "html" && (strings.Contains(got, "<rang>") || !strings.Contains(got, `class="note"`)) {
			t.Errorf("html: the note is no mark on the time line, or not escaped")
		}
	}
}
