package analyzers

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// An invalid run sums nothing up: no score, no share of faults that were come through, no part of a suite that was measured.
func TestAnInvalidRunHasNoScore(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Suite = &assay.Suite{Name: "s", Version: 1, Size: "quick", Steps: []assay.SuiteStep{{Name: "kill", Weight: 1, Phases: []string{"steady"}}, {Name: "gpu", Weight: 1, Unmeasured: "no GPU"}}}
	run.M.Objectives = []assay.Objective{{Metric: "score", Min: float(.5)}}
	for i := range run.E {
		if run.E[i].Fault != "" {
			run.E[i].Phase = "steady"
		}
	}
	for i := range run.R {
		run.R[i].Sent += sec / 2
	}
	r := assess(t, run, append([]string{"suite", "hypothesis", "score"}, reliability...)...)
	if r.Decision != assay.InvalidRun || r.Objectives[0].Verdict == assay.VerdictPass {
		t.Fatalf("%s: %s; score objective %s", r.Decision, r.Why, r.Objectives[0].Verdict)
	}
	const want = "not measured, because the run could not measure"
	for _, metric := range []string{"score", "fault_tolerance", "recovery/rate", "suite/measured"} {
		if f := r.Find(metric); f == nil || f.Quantity.Reason != want {
			t.Errorf("%s: %+v, want %s", metric, f, want)
		}
	}
	for _, x := range r.Faults {
		if x.Verdict != assay.FaultUnmeasured || x.Score.Reason != want || x.Parts != nil {
			t.Errorf("%s: %s, score %s", x.Window.ID, x.Verdict, x.Score)
		}
	}
	steps := []assay.StepResult{{Name: "kill", Weight: 1, State: assay.Unmeasured, Faults: []string{"f1", "f2"}, Why: "the run could not measure"}, {Name: "gpu", Weight: 1, State: assay.Unmeasured, Why: "no GPU"}}
	if diff := cmp.Diff(steps, r.Suite.Steps); diff != "" || r.Suite.Measured.Reason != want {
		t.Errorf("suite measured %s, steps (-want +got):\n%s", r.Suite.Measured, diff)
	}
}

// What was simulated has a verdict of its own, and no score also where nothing else was done.
func TestSimulatedFault(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	for i := range run.E {
		if e := &run.E[i]; e.Fault != "" && e.Attrs != nil {
			e.Attrs["simulated"] = "true"
		}
	}
	for _, x := range assess(t, run, append([]string{"score"}, reliability...)...).Faults {
		if x.Verdict != assay.FaultSimulated || x.Score.Reason != "not measured, because it was simulated: nothing was hurt" {
			t.Errorf("%s: %s, score %s", x.Window.ID, x.Verdict, x.Score)
		}
	}
}

// Where a victim carried too little for its fault to be felt, what is to be done next says how much would be enough.
func TestMoreTraffic(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: float(.8)}}
	for i := range run.R {
		r := &run.R[i]
		r.Outcome, r.Instance, r.FirstToken, r.Arrivals, r.End = assay.OK, "w-9", r.Due+msec, []int64{r.Due + msec}, r.Due+2*msec
	}
	r := assess(t, run, append([]string{"score"}, reliability...)...)
	if want := "to measure f1, f2: a higher rate or longer answers, so that about 6 requests are in flight"; r.Decision != assay.Go || r.Next != want {
		t.Errorf("%s, next %q, want %q", r.Decision, r.Next, want)
	}
}
