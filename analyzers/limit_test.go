package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestLimitDoubts: what the search had no time or no requests for stands beside the rate.
func TestLimitDoubts(t *testing.T) {
	f := someFacts(nil)
	f.Manifest.End.Steps = []string{"stress/1 8/s held: ttft/p95 0.1 s (n=64)"}
	f.Events = []assay.Event{{Kind: assay.EventAnnotation, Attrs: map[string]string{"search": "stress", "held": "8", "broke": "27", "metric": "ttft/p95", "confidence": "0.9", "steps": "4s",
		"unconfirmed": "true", "undecided": "12 18", "ended": "the time is used up"}}}
	r := &assay.Report{}
	if err := (Limit{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	want := &assay.Limit{Rate: r.Limit.Rate, Broke: "ttft/p95", Path: f.Manifest.End.Steps, Doubts: []string{"no time for the longer steps that confirm it: it holds one step below the highest rate that passed",
		"12/s and 18/s too close to call with so few requests", "it ended because the time is used up"}}
	if d := cmp.Diff(want, r.Limit); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	method := "geometric middle between the highest rate that held and the lowest that did not; a rate holds when the 90 % interval of the share that missed lies below what is allowed, by steps of 4s"
	if q := r.Limit.Rate; q.Lo != 8 || q.Hi != 27 || q.Method != method {
		t.Errorf("%s", q)
	}
}
