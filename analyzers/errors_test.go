package analyzers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestErrors: every outcome has a row of its own, in its ledger, with an example and how long the target asked to wait.
func TestErrors(t *testing.T) {
	run := quiet()
	run.E = run.E[:0]
	run.R = nil
	var want []assay.ErrorRow
	add := func(o assay.Outcome, text string, retry int64) {
		due := sec * int64(len(run.R)+1)
		run.R = append(run.R, assay.Request{ID: uint64(len(run.R) + 1), Phase: "steady", Due: due, Sent: due, End: due + msec, Outcome: o, Error: text, RetryAfter: retry})
	}
	for o := assay.OutcomeUnknown; o <= assay.Credential; o++ {
		add(o, "why", 0)
		add(o, "why else", 0)
		row := assay.ErrorRow{Ledger: assay.Natural, Outcome: o, Count: 2, Example: "why"}
		if o == assay.Throttled || o == assay.Loading {
			add(o, "", 3*sec)
			add(o, "", sec/2)
			row.Count, row.Retry, row.RetryMin, row.RetryMax = 4, 2, 0.5, 3
		}
		want = append(want, row)
	}
	if d := cmp.Diff(want, assess(t, run).Errors); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	run.M.Imported = true
	for i := range run.R {
		run.R[i].Outcome, run.R[i].NoSchedule = assay.OK, true
	}
	if r := assess(t, run); r.Decision != assay.Go || r.Exit != 0 || r.Why != "the run could measure; nothing was asked of it" {
		t.Errorf("an import without objectives: %s, exit %d, %s", r.Decision, r.Exit, r.Why)
	}
	for i := range run.R {
		run.R[i].Outcome = assay.ServerError
	}
	if r, want := assess(t, run), fmt.Sprintf("nothing was asked; 0 %% of requests were served: %d server error (why)", len(run.R)); r.Decision != assay.Undecided || r.Exit != 0 || r.Why != want {
		t.Errorf("an import of an outage: %s, exit %d, %s; want %s", r.Decision, r.Exit, r.Why, want)
	}
	run.R[0].Outcome = assay.RefusedByCap
	if r := assess(t, run); r.Decision != assay.InvalidRun || r.Trust.Problems[0] != "the load generator itself refused 1 of 42 requests outside stress phases" {
		t.Errorf("an import with a refusal: exit %d, %q", r.Exit, r.Trust.Problems)
	}
}

// TestFirstByteIsNoToken: an answer that is not streamed has no time to first token, on the time line as elsewhere.
func TestFirstByteIsNoToken(t *testing.T) {
	run := quiet()
	for i := range run.R {
		run.R[i].FirstToken, run.R[i].Arrivals, run.R[i].FirstByte = 0, nil, run.R[i].Due+msec
	}
	names := map[string]bool{}
	for _, s := range assess(t, run, "timeline").Series {
		names[s.Name] = true
	}
	if names["ttft/p95"] || names["ttft/p50"] || names["ttft/ecdf/warm"] || !names["e2e/p95"] {
		t.Errorf("series %v, want e2e and none of ttft", names)
	}
}
