package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A dry run tells all that would be sent, and neither sends nor makes anything.
func TestDryRun(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	dir := t.TempDir()
	got := assayIn(t, dir, "run", "--url", server.URL, "--model", "m", "--slo", "ttft/p95=2s", "--slo", "error_ratio=1%", "--dry-run")
	want := result{out: "to " + server.URL + `, model m, nothing of it was sent:
  canary   at most 1 request in 2s, one alone
  ramp     at most 149 requests in 1m30s, from 0.5/s up to 8/s at most, doubled every 10s; it ends at the first goal that breaks, and at the first request that fails
  steady   at most 359 requests in 1m29.75s, at 80 % of the highest rate that held
  first    one short request of the same kind, asked up to 3 times if it is refused
  in all   at most 512 requests in 3m2s, 256 in flight at once; for models 32768 tokens of prompts and 16384 of answers
`}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(result{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if n := asked.Load(); n != 0 || len(runsIn(t, dir)) != 0 {
		t.Errorf("%d requests were sent, and %v made", n, runsIn(t, dir))
	}
}
