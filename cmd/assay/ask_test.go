package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assay-dev/assay"
)

// TestAskFirst: what the target refuses each time ends the run before any load, with its own words; what it refuses now and then is for the run to find.
func TestAskFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  func(n int64) int
		code    int
		want    string
		secret  string
		atMost  int64
		command []string
	}{
		{"no such model", func(int64) int { return 404 }, assay.ExitPreflight, "it refuses the request itself: 404 Not Found: no model called wrong", "", askTries, []string{"run"}},
		{"no such model, load", func(int64) int { return 404 }, assay.ExitPreflight, "404 Not Found: no model called wrong", "", askTries, []string{"load", "--rate", "20/s", "--for", "1s"}},
		{"denied", func(int64) int { return 403 }, assay.ExitPreflight, "it refuses our credential, or wants one: 403 Forbidden", "no model called", askTries, []string{"load", "--rate", "20/s", "--for", "1s"}},
		{"once", func(n int64) int { return map[bool]int{true: 404, false: 500}[n == 1] }, -1, "", "no load was sent", 1 << 20, []string{"load", "--rate", "20/s", "--for", "1s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status(n.Add(1)))
				fmt.Fprint(w, `{"error":{"message":"no model called wrong"}}`)
			}))
			defer srv.Close()
			dir := t.TempDir()
			got := assayIn(t, dir, append(c.command, "--url", srv.URL+"/v1/chat/completions", "--model", "wrong", "--slo", "error_ratio=1%", "--ui", "none")...)
			if c.code >= 0 && (got.code != c.code || len(runsIn(t, dir)) > 0) {
				t.Errorf("exit %d, want %d; runs %v\n%s", got.code, c.code, runsIn(t, dir), got.err)
			}
			if !strings.Contains(got.err, c.want) || c.secret != "" && strings.Contains(got.err, c.secret) {
				t.Errorf("said %q; want %q and no %q", got.err, c.want, c.secret)
			}
			if sent := n.Load(); sent > c.atMost || c.code < 0 && sent <= askTries {
				t.Errorf("%d requests came, want at most %d", sent, c.atMost)
			}
		})
	}
}
