package evidence

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// TestWalk: the lines of MIL-HDBK-781's 10 % and 10 % at a ratio of 2, in units of the bad.
func TestWalk(t *testing.T) {
	s := stat.Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}
	for _, c := range []struct {
		name     string
		ages     []float64
		total    float64
		verdict  assay.Verdict
		when     float64
		failures int
	}{
		{"no failure, not yet", nil, 4.39, assay.VerdictInconclusive, 4.39, 0},
		{"no failure", nil, 9, assay.VerdictPass, 4.39445, 0},
		{"one failure", []float64{1}, 5.79, assay.VerdictPass, 5.78074, 1},
		{"accepted before it failed", []float64{5, 5.1, 5.2, 5.3, 5.4}, 6, assay.VerdictPass, 4.39445, 0},
		{"four at once", []float64{1, 1.05, 1.1, 1.15}, 9, assay.VerdictFail, 1.15, 4},
		{"four too late", []float64{1, 1.05, 1.1, 1.16}, 9, assay.VerdictInconclusive, 9, 4},
		{"five", []float64{1, 1.05, 1.1, 1.16, 2.5}, 9, assay.VerdictFail, 2.5, 5},
	} {
		v, when, failures := walk(s, c.ages, c.total)
		if v != c.verdict || failures != c.failures {
			t.Errorf("%s: %s with %d failures, want %s with %d", c.name, v, failures, c.verdict, c.failures)
		}
		near(t, c.name, when, c.when, 5e-6)
	}
}

func TestSequentialObjective(t *testing.T) {
	ask := func(good, bad float64) Options {
		return Options{Now: epoch, Objectives: []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: &good}, Confidence: .9, Bad: bad}}}
	}
	for _, c := range []struct {
		name    string
		hours   float64
		fails   []float64
		verdict assay.Verdict
		why     string
		enough  string
	}{
		{"not yet", 3, []float64{1}, assay.VerdictInconclusive, "1 failure in 3 h lie", "2.781 h more without a further failure; about 11.46 h in all where it is good"},
		{"good", 6, []float64{1}, assay.VerdictPass, "", ""},
		{"bad", 6, []float64{.01, .02, .05, .1}, assay.VerdictInconclusive, "not constant", ""},
		{"bad at a constant rate", 2, []float64{.3, .7, 1, 1.1, 1.3, 1.6}, assay.VerdictFail, "rejected after 66 min, at its failure number 4", ""},
	} {
		j := Pool([]*Run{runOf(natural("a", 0, c.hours, c.fails...))}, ask(2*3600, 3600)).Services[0].Objectives[0]
		if j.Verdict != c.verdict || !strings.Contains(j.Why, c.why) || !strings.Contains(j.Enough, c.enough) || c.enough == "" && j.Enough != "" {
			t.Errorf("%s: %s, %q, enough %q; want %s, %q, %q", c.name, j.Verdict, j.Why, j.Enough, c.verdict, c.why, c.enough)
		}
	}
	if j := Pool([]*Run{Of("x", &assay.Manifest{ID: "x", Target: assay.Target{Name: "t"}}, nil, "unread")}, ask(2*3600, 3600)).Services[0].Objectives[0]; j.Enough != "4.394 h without a failure" {
		t.Errorf("%+v", j)
	}
}
