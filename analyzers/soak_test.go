package analyzers

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/soak"
	"github.com/assay-dev/assay/internal/stat"
)

// An objective with a test is judged by it, with the interval of the stopped test, and what hung on the same failures says so.
func TestSoakJudged(t *testing.T) {
	min, max := 60., 60.
	for _, tt := range []struct {
		name      string
		objective assay.Objective
		mtbf      float64
		length    int64
		verdict   assay.Verdict
		title     string
		why       string
		enough    string
	}{
		{"good", assay.Objective{Metric: "mtbf/service", Min: &min, Test: &assay.SequentialTest{Against: 20, Risk: .1}}, 0, 90, assay.VerdictPass, "MTBF, service, against 20 s", "", ""},
		{"bad", assay.Objective{Metric: "failure_rate/service", Max: &max, Test: &assay.SequentialTest{Against: 180, Risk: .1}}, 6, 60, assay.VerdictFail, "failure rate, service, against 180/h", "rejected after", ""},
		{"not yet", assay.Objective{Metric: "mtbf/service", Min: &min, Test: &assay.SequentialTest{Against: 20, Risk: .1}}, 0, 30, assay.VerdictInconclusive, "MTBF, service, against 20 s", "not decided after 30.1 s of up time with 0 failures (MTBF of 60 s against 20 s, α = β = 10 %)", "39 s more of up time without a further failure"},
	} {
		d := factstest.Deployment{Instances: 1, Rate: 10, For: tt.length * sec, MTBF: tt.mtbf, Least: 1, MTTR: .5}
		run, _ := d.Simulate(rand.New(rand.NewPCG(3, 3)))
		run.M.Objectives = []assay.Objective{tt.objective}
		if tt.verdict != assay.VerdictInconclusive {
			run.E = append(run.E, assay.Event{Time: tt.length * sec, Kind: assay.EventDecided, Attrs: map[string]string{"decision": "rejected"}})
		}
		r, err := Assess(t.Context(), run, Options{Kinds: only("episodes", "mtbf", "availability")})
		if err != nil {
			t.Fatal(err)
		}
		j := r.Objectives[0]
		if j.Verdict != tt.verdict || j.Title != tt.title || !strings.HasPrefix(j.Why, tt.why) || j.Enough != tt.enough || r.Soak == nil || r.Soak.Verdict != tt.verdict {
			t.Errorf("%s: %+v, soak %+v", tt.name, j, r.Soak)
			continue
		}
		stop := stat.Stop{Decision: map[assay.Verdict]stat.Decision{assay.VerdictPass: stat.Accepted, assay.VerdictFail: stat.Rejected}[tt.verdict], At: r.Soak.After, Failures: r.Soak.Failures}
		in := soak.Test(tt.objective).Sure().Interval(stop, Confidence)
		q := r.Find("mtbf/service").Quantity
		if d := cmp.Diff([]float64{in.Lo, in.Hi}, []float64{q.Lo, q.Hi}); d != "" || !strings.Contains(q.Method, "Wald's test") {
			t.Errorf("%s: %s by %s (-want +got):\n%s", tt.name, q, q.Method, d)
		}
		if f := r.Find("availability/natural", "by", "request"); tt.name == "bad" && (f == nil || !strings.Contains(strings.Join(f.Warnings, "; "), "the run ended when the test of its failures was decided")) {
			t.Errorf("%s: availability does not say that the run was stopped: %+v", tt.name, f)
		}
	}
}

// A rate that is not constant until the stop takes the ground from the test.
func TestSoakTrend(t *testing.T) {
	for _, tt := range []struct {
		stop stat.Stop
		ages []float64
		want bool
	}{
		{stat.Stop{Decision: stat.Rejected, At: 50, Failures: 6}, []float64{8, 17, 25, 33, 42, 50}, false},
		{stat.Stop{Decision: stat.Rejected, At: 1000, Failures: 6}, []float64{1, 2, 3, 5, 9, 1000}, true},
		{stat.Stop{Decision: stat.Accepted, At: 1000, Failures: 2}, []float64{1, 2, 1200}, false}, // too few
	} {
		if got := changed(tt.stop, tt.ages); (got != "") != tt.want {
			t.Errorf("%+v %v: %q", tt.stop, tt.ages, got)
		}
	}
}
