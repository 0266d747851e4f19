package evidence

import (
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// TestDecide: what was not asked has no answer, and what could not be read shows nothing.
func TestDecide(t *testing.T) {
	unread := Of("runs/x", &assay.Manifest{}, nil, "its run.json is damaged")
	ask := []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: ptr(3600)}, Confidence: .95}}
	for _, c := range []struct {
		name string
		runs []*Run
		ask  []Objective
		want assay.Decision
		exit int
	}{
		{"no run can be read", []*Run{unread}, ask, assay.Undecided, 11},
		{"no run can be read, nothing asked", []*Run{unread}, nil, "", 0},
		{"nothing asked", []*Run{runOf(natural("a", 0, 10))}, nil, "", 0},
		{"enough", []*Run{runOf(natural("a", 0, 10)), unread}, ask, assay.Go, 0},
	} {
		if e := Pool(c.runs, Options{Now: epoch, Objectives: c.ask}); e.Decision != c.want || e.Exit != c.exit {
			t.Errorf("%s: %q, exit %d; want %q, %d", c.name, e.Decision, e.Exit, c.want, c.exit)
		}
	}
}

// TestManyLooks: a bound for one look says so, and a test in sequence needs not.
func TestManyLooks(t *testing.T) {
	a := Objective{Objective: assay.Objective{Metric: "mtbf/service", Min: ptr(3600)}, Confidence: .95}
	says := func(asked ...Objective) bool {
		return strings.Contains(strings.Join(pooled(t, Options{Objectives: asked}, runOf(natural("a", 0, 10))).Warnings, ""), "--sequential")
	}
	sequential := a
	sequential.Bad = 1800
	if !says(a) || !says(sequential, a) || says(sequential) || says() {
		t.Errorf("one look %v, both %v, in sequence %v, none %v", says(a), says(sequential, a), says(sequential), says())
	}
}

// TestTrendAsAssessed: MIL-HDBK alone decides, and tells the way, as in the assessment of one run.
func TestTrendAsAssessed(t *testing.T) {
	// Laplace finds these early (p .009), MIL-HDBK does not (p .21): none lies near the beginning.
	x := trend([]float64{20, 21, 22, 23, 24, 25, 26, 27}, 100)
	if x == nil || !(x.LaplaceP < .05 && x.MilHdbkP > .05) {
		t.Fatalf("%+v: want the two tests to differ", x)
	}
	if !x.Constant {
		t.Errorf("%+v: want a constant rate", x)
	}
	if x := trend([]float64{.001, .002, .003, 99.7, 99.8, 99.9, 99.95, 99.99}, 100); x.Way != "improving" {
		t.Errorf("%+v: want the way of MIL-HDBK", x)
	}
}

// TestSequentialBound: without a failure the bound is one-sided at the confidence asked for.
func TestSequentialBound(t *testing.T) {
	o := Options{Objectives: []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: ptr(7200)}, Confidence: .9, Bad: 3600}}}
	q := pooled(t, o, runOf(natural("a", 0, 10))).Objectives[0].Quantity
	near(t, "bound", q.Lo, 36000/math.Log(10), 1e-6)
	near(t, "confidence", q.Confidence, .9, 1e-12)
}

// TestKindsApart: kinds of fault are not added up as often as somebody drilled them.
func TestKindsApart(t *testing.T) {
	m, r := natural("a", 0, 1)
	for range 30 {
		drilled(r, "hang", assay.Tolerated, 0)
	}
	drilled(r, "kill", assay.Unrecovered, 20)
	drilled(r, "kill", assay.Recovered, 20)
	drilled(r, "cut", assay.VoidFault, 0) // shows nothing
	judge := func(metric, fault string, weights map[string]float64) assay.Judgement {
		a := Objective{Objective: assay.Objective{Metric: metric, Min: ptr(.8)}, Confidence: .95}
		if fault != "" {
			a.Labels = map[string]string{"fault": fault}
		}
		return pooled(t, Options{Weights: weights, Objectives: []Objective{a}}, runOf(m, r)).Objectives[0]
	}
	for _, metric := range []string{"recovery/rate", "fault_tolerance"} {
		if j := judge(metric, "", nil); j.Verdict != assay.VerdictInconclusive || !strings.Contains(j.Why, "name one with {fault=hang}, or tell how often with --weight") || j.Enough != "" {
			t.Errorf("%s: %s, %q, enough %q", metric, j.Verdict, j.Why, j.Enough)
		}
	}
	weights := map[string]float64{"kill": .9, "hang": .1}
	near(t, "recovered, weighted", judge("recovery/rate", "", weights).Quantity.Value, .9/2+.1, 1e-9)
	near(t, "tolerated, weighted", judge("fault_tolerance", "", weights).Quantity.Value, .1, 1e-9)
	near(t, "of one kind", judge("fault_tolerance", "hang", nil).Quantity.Value, 1, 0)
	if j := judge("recovery/rate", "kill", nil); j.Quantity.N != 2 || j.Enough == "" {
		t.Errorf("of one kind: %+v", j)
	}
}
