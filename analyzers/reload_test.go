package analyzers

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// A table of model loads, and nothing else of the instance: each load is a start of its own, and the requests that it served are its exposure.
func TestLoadsAloneAreStarts(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 1000 * sec}}}
	run.E = []assay.Event{
		phased("pod-0", "weights_load", "table", 10*sec, 30*sec, 0),
		phased("pod-0", "weights_load", "table", 400*sec, 415*sec, 0),
		phased("pod-0", "weights_load", "table", 700*sec, 725*sec, 0),
		phased("pod-0", "weights_load", "table", 725*sec, 730*sec, 0), // a second part of the same
	}
	for i := range int64(950) {
		run.R = append(run.R, got(uint64(i+1), "pod-0", 40*sec+i*sec, 500*msec, assay.ColdUnknown, assay.OK))
	}
	for i := range run.R {
		if due := run.R[i].Due; due >= 391*sec && due < 415*sec { // lost with the second load; the third lost none
			run.R[i].Outcome = assay.ServerError
		}
	}
	r := assess(t, run, "cold", "mtbf", "episodes")
	var took []float64
	for _, s := range r.Starts {
		took = append(took, s.Total.Value)
	}
	if d := cmp.Diff([]float64{20, 15, 30}, took); d != "" {
		t.Errorf("starts (-want +got)\n%s", d)
	}
	want := []hidden{{assay.Natural, "restart", assay.ConfidenceMedium, 391_000, 24}, {assay.Planned, "reload", "", 700_000, 0}}
	if d := cmp.Diff(want, hiddenOf(r)); d != "" {
		t.Errorf("(-want +got)\n%s\n%+v", d, r.Episodes)
	}
	if e := r.Episodes[len(r.Episodes)-1]; e.RightCensored || e.EndHi > 740*sec {
		t.Errorf("the third load is not over: %+v", e)
	}
	if q := r.Find("mtbf/instance").Quantity; q.N != 1 || math.Abs(q.Value-900) > 60 {
		t.Errorf("MTBF %s, want about the 900 s in which it answered", q)
	}
}

// Where more is told of an instance, a load is one of a process that goes on.
func TestLoadOfAProcessThatGoesOn(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 1000 * sec}}}
	run.E = []assay.Event{
		happened(5*sec, assay.EventInstanceStarted, "pod-0", "k8s", sec),
		phased("pod-0", "weights_load", "table", 10*sec, 30*sec, 0),
		phased("pod-0", "weights_load", "table", 400*sec, 415*sec, 0),
	}
	run.R = []assay.Request{got(1, "pod-0", 500*sec, sec, assay.ColdUnknown, assay.OK), got(2, "pod-0", 900*sec, sec, assay.ColdUnknown, assay.OK)}
	if d := cmp.Diff([]hidden(nil), hiddenOf(assess(t, run, "episodes"))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
