package analyzers

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// A recording of instances alone is a run all the same: what it holds is measured, of the rest it is said why not, and nothing that was asked is nothing that failed.
func TestRunWithoutRequests(t *testing.T) {
	run := startRun()
	run.R = nil
	run.E = append(run.E, happened(150*sec, assay.EventInstanceExited, "pod-1", "kubernetes", sec, "reason", "oom", "code", "137"))
	r := assess(t, run, "episodes", "mtbf", "availability", "goodput", "latency", "cold", "scaling", "attribution", "validity")
	if !r.Trust.Valid || r.Decision != assay.Go || r.Exit != assay.ExitGo {
		t.Errorf("got %s, exit %d, problems %q", r.Decision, r.Exit, r.Trust.Problems)
	}
	if r.Begin != 10*sec || r.End != 200*sec {
		t.Errorf("watched from %d to %d, want all that was recorded", r.Begin, r.End)
	}
	for _, m := range []string{"mtbf/service", "failure_rate/service", "availability/natural", "goodput/ratio", "bottleneck/compute"} {
		if f := r.Find(m); f == nil || f.Quantity.Reason != "not measured, because the run holds no requests" {
			t.Errorf("%s: got %+v", m, f)
		}
	}
	if q := r.Find("mtbf/instance").Quantity; q.N != 1 || q.Value != 50 {
		t.Errorf("MTBF of instances %s, want 50 s in routing and one failure", q)
	}
	if q := r.Find("cold/start/worst").Quantity; q.Value != 90 {
		t.Errorf("worst start %s", q)
	}
	for _, d := range r.Trust.Doubts {
		if strings.Contains(d, "spans") {
			t.Errorf("doubt %q of a run that was to have none", d)
		}
	}

	run.M.Objectives = []assay.Objective{{Metric: "cold/start/worst", Max: float(30)}}
	if r := assess(t, run, "episodes", "cold", "validity"); r.Exit != assay.ExitNoGo {
		t.Errorf("an objective that is missed: exit %d, %s", r.Exit, r.Why)
	}
	run.M.Objectives[0].Metric = "e2e/p95"
	if r := assess(t, run, "episodes", "latency", "validity"); r.Exit != assay.ExitInconclusive {
		t.Errorf("an objective that nothing can tell of: exit %d, %s", r.Exit, r.Why)
	}
	run.M.Objectives, run.E, run.M.Imported = nil, run.E[:0], false
	if r := assess(t, run, "validity"); r.Exit != assay.ExitInvalid {
		t.Errorf("a run of ours that recorded nothing: exit %d", r.Exit)
	}
}

// Where a server recorded its requests, nobody tells of their sending: no pace is judged.
func TestRequestsThatAServerRecorded(t *testing.T) {
	run := startRun()
	for i := range run.R {
		run.R[i].Sent, run.R[i].NoSchedule = 0, true
	}
	r := assess(t, run, "validity")
	if !r.Trust.Valid {
		t.Errorf("problems %q", r.Trust.Problems)
	}
	for _, row := range r.Trust.Rows {
		if (row.Name == "lateness/p99" || row.Name == "delivered" || row.Name == "spacing/ks") && row.Quantity.Known() {
			t.Errorf("%s: got %s", row.Name, row.Quantity)
		}
	}
}
