package evidence

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

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
		{"not yet", 3, []float64{1}, assay.VerdictInconclusive, "1 failure in 3 h lie", "2.991 h more without a further failure; about 12.28 h in all where it is good"},
		{"good", 6, []float64{1}, assay.VerdictPass, "", ""},
		{"bad", 6, []float64{.01, .02, .05, .1}, assay.VerdictInconclusive, "not constant", ""},
		{"bad at a constant rate", 2, []float64{.3, .7, 1, 1.1, 1.3, 1.6}, assay.VerdictFail, "rejected after 78 min, at its failure number 5", ""},
	} {
		j := Pool([]*Run{runOf(natural("a", 0, c.hours, c.fails...))}, ask(2*3600, 3600)).Services[0].Objectives[0]
		if j.Verdict != c.verdict || !strings.Contains(j.Why, c.why) || !strings.Contains(j.Enough, c.enough) || c.enough == "" && j.Enough != "" {
			t.Errorf("%s: %s, %q, enough %q; want %s, %q, %q", c.name, j.Verdict, j.Why, j.Enough, c.verdict, c.why, c.enough)
		}
	}
	if j := Pool([]*Run{Of("x", &assay.Manifest{ID: "x", Target: assay.Target{Name: "t"}}, nil, "unread")}, ask(2*3600, 3600)).Services[0].Objectives[0]; j.Enough != "4.605 h without a failure" {
		t.Errorf("%+v", j)
	}
}
