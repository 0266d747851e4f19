package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assay-dev/assay"
)

// A soak ends when its test is decided, long before its longest time, and the report says by what.
func TestSoakStops(t *testing.T) {
	for _, tt := range []struct {
		name     string
		bounds   string
		broken   func(n int64) bool
		decision string
		verdict  assay.Verdict
		exit     int
		said     string
	}{
		{"good", "min: 3s, against: 500ms", func(int64) bool { return false }, "accepted", assay.VerdictPass, assay.ExitGo, "accepted after 1.8 s of up time with 0 failures (MTBF of 3 s against 0.5 s, α = β = 5 %)"},
		{"crashes", "min: 20s, against: 5s", func(n int64) bool { return n%60 >= 45 }, "rejected", assay.VerdictFail, assay.ExitNoGo, "rejected after"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && tt.broken(n.Add(1)) {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			defer srv.Close()
			dir := t.TempDir()
			write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: s
target: {kind: http, url: %q, body: x}
load:
  - {name: soak, arrivals: {even: {rate: 40/s}}, for: 5m, until: decided}
objectives:
  - {metric: mtbf/service, %s}
`, srv.URL, tt.bounds))
			got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
			runs, err := filepath.Glob(filepath.Join(dir, "runs", "*", "result.json"))
			if err != nil || len(runs) != 1 {
				t.Fatalf("%v, %v: exit %d, %s", runs, err, got.code, got.err)
			}
			raw, err := os.ReadFile(runs[0])
			if err != nil {
				t.Fatal(err)
			}
			var r assay.Report
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			if r.Soak == nil || r.Soak.Verdict != tt.verdict || !strings.Contains(r.Soak.Said, tt.said) {
				t.Errorf("soak %+v, want %s, %q", r.Soak, tt.verdict, tt.said)
			}
			events, err := os.ReadFile(filepath.Join(filepath.Dir(runs[0]), "events.jsonl"))
			if err != nil || !strings.Contains(string(events), `"decision":"`+tt.decision+`"`) {
				t.Errorf("no event says %s: %v", tt.decision, err)
			}
			if took := r.End - r.Begin; took > 120e9 {
				t.Errorf("it went on for %d s", took/1e9)
			}
			if !strings.Contains(got.out, "soak: "+tt.decision) {
				t.Errorf("the report does not say how the soak ended:\n%s", got.out)
			}
			if r.Trust.Valid && (got.code != tt.exit || r.Objectives[0].Verdict != tt.verdict) { // else a busy machine made it late
				t.Errorf("exit %d, %s; want %d, %s", got.code, r.Objectives[0].Verdict, tt.exit, tt.verdict)
			}
		})
	}
}
