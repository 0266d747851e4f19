package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestLimitDoubts: what the search had no time or no requests for stands beside the rate.
func TestLimitDoubts(t *testing.T) {
	f := someFacts(nil)
	f.Manifest.End.Steps = []string{"stress/1 8/s held: ttft/p95 0.1 s (n=64)"}
	f.Events = []assay.Event{{Kind: assay.EventAnnotation, Attrs: map[string]string{"search": "stress", "held": "8", "broke": "27", "metric": "ttft/p95", "confidence": "0.9", "steps": "4s",
		"unconfirmed": "true", "undecided": "12 18", "late": "20 24", "ended": "the time is used up"}}}
	r := &assay.Report{}
	if err := (Limit{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	want := &assay.Limit{Rate: r.Limit.Rate, Broke: "ttft/p95", Path: f.Manifest.End.Steps, Doubts: []string{"no time for the longer steps that confirm it: it holds one step below the highest rate that passed",
		"12/s and 18/s too close to call with so few requests",
		"our own sends were late at 20/s and 24/s: what the target does there is not known", "it ended because the time is used up"}}
	if d := cmp.Diff(want, r.Limit); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	method := "geometric middle between the highest rate that held and the lowest that did not; a rate holds when the 90 % interval of the share that missed lies below what is allowed, by steps of 4s; what cuts a step short counts misses as independent, so it reads low where they cluster"
	if q := r.Limit.Rate; q.Lo != 8 || q.Hi != 27 || q.Method != method {
		t.Errorf("%s", q)
	}
}

// TestLimitOfEachSearch: each search has its finding, with the confidence at which it decided; the last one is also that of the run.
func TestLimitOfEachSearch(t *testing.T) {
	f := someFacts(nil)
	f.Phases = []assay.Phase{{Name: "first/1", Of: "first"}, {Name: "first/2", Of: "first"}, {Name: "then/1", Of: "then"}}
	said := func(attrs ...string) assay.Event {
		e := assay.Event{Kind: assay.EventAnnotation, Attrs: map[string]string{}}
		for i := 0; i < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	f.Events = []assay.Event{said("search", "first", "held", "10", "broke", "40", "metric", "ttft/p95", "confidence", "0.9", "steps", "4s"), said("knee", "between"),
		said("search", "then", "held", "5", "broke", "20", "metric", "e2e/p50")}
	r := &assay.Report{}
	if err := (Limit{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	type shown struct {
		Value, Lo, Hi, Confidence float64
		N                         int
		Basis                     assay.Basis
	}
	for _, c := range []struct {
		phase []string
		want  shown
	}{
		{[]string{"phase", "first"}, shown{20, 10, 40, .9, 2, assay.Estimated}},
		{[]string{"phase", "then"}, shown{10, 5, 20, 1, 1, assay.Measured}},
		{nil, shown{10, 5, 20, 1, 1, assay.Measured}},
	} {
		found := r.Find("limit/rate", c.phase...)
		if found == nil {
			t.Errorf("%v: no finding", c.phase)
			continue
		}
		q := found.Quantity
		if d := cmp.Diff(c.want, shown{math.Round(q.Value), q.Lo, q.Hi, q.Confidence, q.N, q.Basis}); d != "" {
			t.Errorf("%v (-want +got):\n%s", c.phase, d)
		}
	}
	if len(r.Findings) != 3 || r.Limit == nil || r.Limit.Broke != "e2e/p50" {
		t.Errorf("%d findings, limit %+v", len(r.Findings), r.Limit)
	}
	f.Events = []assay.Event{said("search", "then", "late", "20", "confidence", "0.9")}
	none := &assay.Report{}
	if err := (Limit{}).Begin(f).Finish(none); err != nil {
		t.Fatal(err)
	}
	if q := none.Find("limit/rate").Quantity; q.Known() || !strings.HasSuffix(q.Reason, "our own sends were late at 20/s: what the target does there is not known") {
		t.Errorf("nothing was sent on time: %s", q)
	}
	goal := 8.0
	if j := judge(&assay.Report{Findings: r.Findings, Trust: assay.Trust{Valid: true}}, &assay.Objective{Metric: "limit/rate", Min: &goal, Labels: map[string]string{"phase": "first"}}); j.Verdict != assay.VerdictPass {
		t.Errorf("at least 8/s of the first search, which held 10: %s, %s", j.Verdict, j.Why)
	}
	goal = 15
	if j := judge(&assay.Report{Findings: r.Findings, Trust: assay.Trust{Valid: true}}, &assay.Objective{Metric: "limit/rate", Min: &goal, Labels: map[string]string{"phase": "first"}}); j.Verdict != assay.VerdictInconclusive || !strings.HasPrefix(j.Enough, "rates closer together") {
		t.Errorf("at least 15/s of a limit between 10 and 40: %s, %q", j.Verdict, j.Enough)
	}
}
