package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// sent returns n requests, of which those that bad says had the outcome.
func sent(n int, o assay.Outcome, bad func(i int) bool) *factstest.Run {
	run := quiet()
	one := run.R[0]
	run.R = nil
	for i := range n {
		r := one
		r.ID, r.Due, r.NoSchedule = uint64(i+1), int64(i+1)*59*sec/int64(n), true
		r.Sent, r.FirstToken, r.End = r.Due, r.Due+10*msec, r.Due+20*msec
		r.Arrivals = nil
		if bad(i) {
			r.Outcome, r.FirstToken = o, 0
		}
		run.R = append(run.R, r)
	}
	return run
}

// TestErrorRatioCounts says which outcomes count, by the whole table of them: all that was sent and not served.
func TestErrorRatioCounts(t *testing.T) {
	left := map[assay.Outcome]bool{assay.OutcomeUnknown: true, assay.RefusedByCap: true, assay.Unfinished: true, assay.Credential: true}
	for o := assay.OutcomeUnknown; o <= assay.Credential; o++ {
		q := assess(t, sent(500, o, func(i int) bool { return i%5 == 0 })).Find("error_ratio").Quantity
		want, n := 0.2, 500
		switch {
		case o == assay.OK:
			want = 0
		case left[o]:
			want, n = 0, 400
		}
		if q.Value != want || q.N != n {
			t.Errorf("%s: %g of %d requests, want %g of %d", o, q.Value, q.N, want, n)
		}
		if o.Counts() == left[o] || o.Bad() != (want > 0) {
			t.Errorf("%s: counts %t, bad %t", o, o.Counts(), o.Bad())
		}
	}
}

// TestErrorRatioDecides: a goal needs enough requests to be shown, and as many more as failures come together.
func TestErrorRatioDecides(t *testing.T) {
	goal := float(.01)
	none := func(int) bool { return false }
	for _, c := range []struct {
		name    string
		n       int
		bad     func(int) bool
		max     *float64
		verdict assay.Verdict
		enough  string
	}{
		{"one request", 1, none, goal, assay.VerdictInconclusive, "299 requests without a failure; 1 were sent"},
		{"one too few", 298, none, goal, assay.VerdictInconclusive, "299 requests without a failure; 298 were sent"},
		{"just enough", 299, none, goal, assay.VerdictPass, ""},
		{"one failure", 299, func(i int) bool { return i == 100 }, goal, assay.VerdictInconclusive, "473 requests with no failure but the 1 seen"},
		{"rare ones by themselves", 6000, func(i int) bool { return i%600 == 7 }, goal, assay.VerdictPass, ""},
		{"as many at once", 6000, func(i int) bool { return i >= 1000 && i < 1030 }, goal, assay.VerdictInconclusive, "they come together"},
		{"each fifth", 300, func(i int) bool { return i%5 == 0 }, goal, assay.VerdictFail, ""},
		{"all", 20, func(int) bool { return true }, goal, assay.VerdictFail, ""},
		{"no failure ever", 6000, none, float(0), assay.VerdictInconclusive, "allow for some"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := sent(c.n, assay.ServerError, c.bad)
			run.M.Objectives = []assay.Objective{{Metric: "error_ratio", Max: c.max, Unit: assay.Ratio}}
			j := assess(t, run).Objectives[0]
			if j.Verdict != c.verdict || !strings.Contains(j.Enough, c.enough) || (c.enough == "") != (j.Enough == "") {
				t.Errorf("%s of %s: %q; want %s, %q", j.Verdict, j.Quantity, j.Enough, c.verdict, c.enough)
			}
		})
	}
}

// TestGoneRoute: what is answered with a 4xx among what is served is a failure of the service like others; of requests that others made it may be their users'.
func TestGoneRoute(t *testing.T) {
	gone := func(i int) bool { return i >= 200 && i < 260 }
	r := assess(t, sent(600, assay.ClientError, gone))
	if got := r.Find("availability/natural").Quantity; math.Abs(got.Value-0.9) > 1e-9 || got.N != 1 {
		t.Errorf("availability %s, want 0.9 with one failure", got)
	}
	if n := len(r.Episodes); n != 1 {
		t.Errorf("%d episodes, want one outage", n)
	}
	run := sent(600, assay.ClientError, gone)
	run.M.Imported = true
	r = assess(t, run)
	a, e := r.Find("availability/natural"), r.Find("error_ratio")
	if a.Quantity.Known() || !strings.Contains(strings.Join(a.Warnings, " "), "60 requests were answered with a 4xx") || len(r.Episodes) != 0 {
		t.Errorf("recorded by others: availability %s, %q, %d episodes; want none that is a failure and a word of the 60", a.Quantity, a.Warnings, len(r.Episodes))
	}
	if e.Quantity.Value != 0.1 || !strings.Contains(strings.Join(e.Evidence, " "), "60 of them were answered with a 4xx") {
		t.Errorf("recorded by others: error ratio %s, %q; want 0.1 and a word of the 60", e.Quantity, e.Evidence)
	}
}
