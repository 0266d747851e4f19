package dashboards

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// What is said of several faults is said once, with their names, in each view that people read.
func TestSharedNotes(t *testing.T) {
	const late, own = "the platform had not reacted by the time users were well again", "its washout was cut short by the next phase"
	q := exact(assay.Seconds, 1, 1, "fault")
	fault := func(kind string, warnings ...string) assay.FaultResult {
		return assay.FaultResult{Window: assay.FaultWindow{ID: kind, Kind: kind, Target: "w-1", Applied: 1}, State: assay.Recovered, Verdict: assay.FaultPass,
			Score: q, User: q, Detect: q, Isolate: q, Restore: q, Capacity: q, Degraded: q, Warnings: warnings}
	}
	r := &assay.Report{Schema: assay.Schema, Trust: assay.Trust{Valid: true}, Faults: []assay.FaultResult{fault("kill"), fault("hang", late, own), fault("http", late), fault("dns", late)}}
	var got []string
	for _, n := range allNotes(r) {
		got = append(got, n.String())
	}
	if d := cmp.Diff([]string{"2 hang, 3 http, 4 dns: " + late, "2 hang: " + own}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, view := range map[string]Render{"text": Text(TextOptions{}), "narrow": Text(TextOptions{Width: 50}), "markdown": Markdown, "html": HTML} {
		text := strings.Join(strings.Fields(string(render(t, view, r))), " ")
		if strings.Count(text, late) != 1 || !strings.Contains(text, "2 hang, 3 http, 4 dns: "+late) || strings.Count(text, own) != 1 {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// No failure of the service is not no failed request: those that failed here and there are told beside it.
func TestRequestsThatFailedAlone(t *testing.T) {
	ratio := assay.Quantity{Value: 0.25, Lo: 0.17, Hi: 0.35, Confidence: 0.95, Unit: assay.Ratio, N: 100, Of: "requests"}
	r := &assay.Report{Schema: assay.Schema, Trust: assay.Trust{Valid: true}, Segments: []assay.Segment{{Ledger: assay.Natural, End: 60e9}}, Findings: []assay.Finding{{Metric: "error_ratio", Ledger: assay.Natural, Quantity: ratio}}}
	for name, view := range map[string]Render{"text": Text(TextOptions{}), "markdown": Markdown, "html": HTML} {
		if text := strings.Join(strings.Fields(string(render(t, view, r))), " "); !strings.Contains(text, "0 failures of the service; 25 of 100 requests failed") {
			t.Errorf("%s says nothing of 25 failed requests:\n%s", name, text)
		}
	}
	r.Findings[0].Quantity.Value = 0
	if got := failuresText(r); got != "0 failures of the service" {
		t.Errorf("without any: %q", got)
	}
}

// Checks without a value are named together.
func TestUnmeasuredChecks(t *testing.T) {
	none := assay.NotMeasured(assay.Ratio, "the arrivals are even")
	r := &assay.Report{Schema: assay.Schema, Trust: assay.Trust{Valid: true, Rows: []assay.TrustRow{{Name: "dropped", Quantity: exact("", 0, 1, ""), OK: true}, {Name: "spacing/ks", Quantity: none, OK: true},
		{Name: "spacing/dispersion", Quantity: none, OK: true}, {Name: "attempt", Quantity: exact("", 1, 1, ""), OK: true}}}}
	text := strings.Join(strings.Fields(string(render(t, Text(TextOptions{}), r))), " ")
	if !strings.Contains(text, "valid: dropped 0, attempt 1; not measured: spacing/ks, spacing/dispersion") {
		t.Errorf("got:\n%s", text)
	}
}
