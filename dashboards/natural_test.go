package dashboards

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestNaturalLines(t *testing.T) {
	cause := func(name string, n int, v float64) assay.Finding {
		return assay.Finding{Metric: "failure_rate/service", Labels: map[string]string{"cause": name}, Quantity: est(assay.PerHour, v, v/2, v*2, n, "failures", "chi-square")}
	}
	secs := func(m string, v float64) assay.Finding {
		return assay.Finding{Metric: m, Quantity: meas(assay.Seconds, v, 0, 3, "episodes", "known time")}
	}
	r := &assay.Report{Findings: []assay.Finding{cause("oom", 2, 40), cause("xid_gpu", 1, 20), secs("watch/good", 90), secs("watch/bad", 12), secs("watch/unknown", 30),
		{Metric: "mtbf/service", Quantity: est(assay.Seconds, 60, 30, 120, 3, "failures", "Crow"), Warnings: []string{"the rate is not constant (worsening; MIL-HDBK-189 p = 0.010)", "less than a fifth"}}}}
	want := []string{
		"by cause: service 2 oom (40/h [20, 80]), 1 xid gpu (20/h [10, 40])",
		"good 90 s, bad 12 s, unknown 30 s",
		"doubt: service: the rate is not constant (worsening; MIL-HDBK-189 p = 0.010)",
	}
	if d := cmp.Diff(want, naturalLines(r)); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	r.Findings = []assay.Finding{cause("oom", 2, 40), secs("watch/good", 90), secs("watch/bad", 0), secs("watch/unknown", 0.5)}
	if d := cmp.Diff([]string{"by cause: service 2 oom"}, naturalLines(r)); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

// Where the rate changed, or may have, what it was at the end of the watch stands below its mean.
func TestRateAtTheEnd(t *testing.T) {
	end := map[string]string{"at": "end"}
	r := &assay.Report{Findings: []assay.Finding{
		{Metric: "mtbf/service", Quantity: est(assay.Seconds, 60, 30, 120, 10, "failures", "chi-square"), Warnings: []string{"the rate is not constant (worsening)"}},
		{Metric: "mtbf/service", Labels: end, Quantity: est(assay.Seconds, 20, 8, 40, 10, "failures", "Crow-AMSAA")},
		{Metric: "failure_rate/service", Labels: end, Quantity: est(assay.PerHour, 180, 90, 450, 10, "failures", "Crow-AMSAA")}}}
	if got, want := endLine(r, "service"), "at the end of the watch MTBF/service 20 s [8, 40]; rate 180/h [90, 450] (95 %) by Crow-AMSAA, and above their mean over it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Findings[0].Warnings = []string{"less than a fifth of the run is natural"}
	if got := endLine(r, "service"); got != "" {
		t.Errorf("at a constant rate: %q", got)
	}
}
