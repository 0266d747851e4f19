package analyzers

import (
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Answers that tell no time were laid end to end: what comes of that is no rate and no exposure, and how they ended still stands.
func TestRequestsWithoutATime(t *testing.T) {
	for _, untimed := range []bool{false, true} {
		run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Untimed: untimed, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 10 * sec}}}
		run.E = []assay.Event{happened(sec/2, assay.EventInstanceCreated, "o#1", "ollama", 0), happened(1*sec, assay.EventInstanceReady, "o#1", "ollama", 0), happened(5*sec, assay.EventInstanceCreated, "o#2", "ollama", 0), happened(6*sec, assay.EventInstanceReady, "o#2", "ollama", 0)}
		for i := range int64(9) {
			run.R = append(run.R, got(uint64(i+1), "", sec+i*sec, sec, assay.ColdUnknown, assay.OK))
		}
		r := assess(t, run, "mtbf", "load", "availability", "episodes")
		want := map[bool][2]int{false: {1, 0}, true: {0, 1}}[untimed] // that it was started anew may be for idleness
		if r.Untimed != untimed {
			t.Errorf("untimed %v, and the report says %v", untimed, r.Untimed)
		}
		if n := len(hiddenOf(r)); n != want[0] || len(r.Warnings) != want[1] {
			t.Errorf("untimed %v: %d failures of instances, warnings %q", untimed, n, r.Warnings)
		}
		for _, metric := range []string{"mtbf/service", "mtbf/instance", "failure_rate/service", "failure_rate/instance", "load/offered", "load/sent", "goodput"} {
			q := r.Find(metric).Quantity
			if known := q.Reason == ""; known == untimed || untimed && q.Reason != "not measured, because the source tells no time" {
				t.Errorf("untimed %v: %s is %s", untimed, metric, q)
			}
		}
		if q := r.Find("error_ratio").Quantity; q.Reason != "" || q.N != 9 {
			t.Errorf("untimed %v: error_ratio %s, want that of 9 requests", untimed, q)
		}
	}
}
