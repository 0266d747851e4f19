package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/alertmanager/standin"
)

// Whoever gets anything from a run can tell which run it was: requests, canaries, probes, looks at metrics and alerts, webhooks.
func TestRunIDOnAllTraffic(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	model, am := openAI(t, &served), &standin.Server{}
	var mu sync.Mutex
	seen := map[string]map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := "/" + strings.Split(r.URL.Path, "/")[1]
		mu.Lock()
		if seen[part] == nil {
			seen[part] = map[string]bool{}
		}
		seen[part][r.Header.Get("X-Assay-Run")] = true
		mu.Unlock()
		switch part {
		case "/prom":
			if strings.HasSuffix(r.URL.Path, "/rules") {
				http.NotFound(w, r)
				return
			}
			r.ParseForm()
			answer := number(0)
			if strings.HasPrefix(r.Form.Get("query"), "ALERTS") {
				answer = ""
			}
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, answer)
		case "/am":
			http.StripPrefix("/am", am).ServeHTTP(w, r)
		case "/metrics":
			fmt.Fprintln(w, "up 1")
		case "/v1":
			model.Config.Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", strings.ReplaceAll(`apiVersion: assay/v1
name: known
target: {kind: openai, url: 'URL', model: m}
load: [{name: steady, for: 3s, arrivals: {even: {rate: 10/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
canary: {prompt: hi, every: 500ms, output: 4, expect: {contains: w1}}
chaos: [{fault: http, at: 1s, for: 1s, mode: latency, delay: 10ms}]
hypothesis: [{probe: {url: 'URL/probe'}}]
guards: [{promql: x, prometheus: 'URL/prom', max: 1}]
notify: [{url: 'URL/hook'}]
alerts: {prometheus: 'URL/prom', alertmanager: 'URL/am', expect: [A], silence: true}
collect: {prometheus: [{url: 'URL/metrics'}]}
`, "URL", srv.URL))
	got := assayIn(t, dir, "run", "plan.yaml")
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	ours := map[string]bool{manifestOf(t, runs[0]).ID: true}
	for part, ids := range seen {
		if !cmp.Equal(ids, ours) {
			t.Errorf("%s got requests of runs %q, want %q", part, slices.Collect(maps.Keys(ids)), slices.Collect(maps.Keys(ours)))
		}
	}
	if d := cmp.Diff([]string{"/am", "/hook", "/metrics", "/probe", "/prom", "/v1"}, slices.Sorted(maps.Keys(seen))); d != "" {
		t.Errorf("parts that got requests (-want +got):\n%s", d)
	}
	if len(unexpired(am)) > 0 {
		t.Errorf("silences %+v", am.Silences())
	}
}

// A plan says beforehand what ends its run, who is told and what is silenced.
func TestValidateSaysWhatIsTakenCareOf(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: careful
target: {kind: sandbox, model: nano}
load: [{name: steady, for: 10s, arrivals: {even: {rate: 1/s}}}]
guards:
  - {metric: error_ratio, max: 50%}
  - {burn: {objective: 99.9%}}
  - {promql: 'max(x)', prometheus: 'http://p', max: 3, min: 1, over: 10s}
stop: {file: halt, http: {listen: '127.0.0.1:8099', token: {env: T}}}
notify: [{url: 'http://h'}]
alerts: {alertmanager: 'http://am', expect: [A.b, C], matchers: {service: x}, silence: 30m}
`)
	got := assayIn(t, dir, "validate", "plan.yaml")
	want := `  guard     error_ratio over 10s is at most 50%, or all faults are reverted
  guard     the error budget of 99.9% burns at most 14.4 times too fast over 1m0s and over 5s, or all faults are reverted
  guard     max(x) at http://p is at most 3 and at least 1 within 10s, or all faults are reverted
  stop      Ctrl-C, assay stop, the file halt, POST /stop at 127.0.0.1:8099
  notify    1 webhooks: begin, faults, breach and end
  alerts    {alertname=~"A\\.b|C", service="x"} are expected and asked for at http://am; silenced at http://am until the end of the run, at most until 30m0s from the beginning
`
	if got.code != 0 || !strings.Contains(got.out, want) {
		t.Errorf("exit %d, lacks\n%s\nin:\n%s%s", got.code, want, got.out, got.err)
	}
}
