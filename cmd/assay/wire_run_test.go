package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A run with faults between the load and an endpoint: the records name what was done, no more and no less, the endpoint got only what passed,
// and everything says on which side the faults lay.
func TestRunWithFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: wire
target: {kind: openai, url: '`+target.URL+`', model: m}
load: [{name: steady, for: 3s, arrivals: {even: {rate: 20/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos:
  - {fault: http, at: 500ms, for: 1s, status: 429, retryAfter: 2s, first: 3}
  - {fault: stream, at: 2s, for: 500ms, mode: rst, tokens: 1, after: 2, every: 2, first: 4}
`)
	got := assayIn(t, dir, "run", "plan.yaml")
	for _, want := range []string{"status 429 with Retry-After 2s (3 only) on our requests to the target, for 1s",
		"these faults lie on our side of the wire", "fault http-1 verified clear: http wire"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, got.err)
		}
	}
	if want := "chaos: faults lie in a proxy of ours"; !strings.Contains(strings.Join(strings.Fields(got.out), " "), want) {
		t.Errorf("the report lacks %q:\n%s", want, got.out)
	}
	outcomes := map[assay.Outcome]int{}
	retry := map[time.Duration]int{}
	for _, r := range requestsOf(t, runsIn(t, dir)[0]) {
		outcomes[r.Outcome]++
		if r.RetryAfter > 0 {
			retry[time.Duration(r.RetryAfter)]++
		}
	}
	// Of the ten or so requests under the second fault, the fourth and sixth are struck: the first two are spared, and of the next four one in two.
	if diff := cmp.Diff(map[assay.Outcome]int{assay.OK: 55, assay.Throttled: 3, assay.CutRST: 2}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[time.Duration]int{2 * time.Second: 3}, retry); diff != "" {
		t.Errorf("Retry-After (-want +got):\n%s", diff)
	}
	if n := served.Load(); n != 57 {
		t.Errorf("the target served %d requests, want the 60 less 3 that were refused", n)
	}
}
