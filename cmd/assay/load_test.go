package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/store"
	"github.com/assay-dev/assay/internal/trace"
)

// requestsOf returns the requests of a run in order of due.
func requestsOf(t *testing.T, dir string) (list []assay.Request) {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if err := run.Requests(context.Background(), func(block []assay.Request) error {
		list = append(list, block...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

// measured fails unless the run ended as it should; a loaded machine may make the generator late, which is 12.
func measured(t *testing.T, got result, want int) {
	t.Helper()
	if got.code != want && got.code != assay.ExitInvalid {
		t.Fatalf("exit %d, want %d\n%s\n%s", got.code, want, got.err, got.out)
	}
}

// TestLoadCommand: a plain load test needs a URL and nothing else, and its report says what such a test is made for.
func TestLoadCommand(t *testing.T) {
	var gets, posts atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			gets.Add(1)
		case http.MethodPost:
			posts.Add(1)
		}
		if r.Header.Get("X-Team") == "b" {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	defer server.Close()
	dir := t.TempDir()
	t.Run("plain", func(t *testing.T) {
		got := assayIn(t, dir, "load", "--url", server.URL+"/x", "--rate", "200/s", "--for", "2s", "--out", "one", "--seed", "7", "--ui", "none")
		measured(t, got, 0)
		r, _ := readResult(t, filepath.Join(dir, "one"))
		if n := r.Find("load/offered", "phase", "load").Quantity.N; n < 300 || n > 500 || gets.Load() != 1+int64(r.Find("error_ratio").Quantity.N) { // one was asked before the load
			t.Errorf("%d requests were due, the server saw %d", n, gets.Load())
		}
		for _, want := range []string{"LOAD ", "LATENCY ", "E2E ", "UNSEEN     limit, faults, instances, cold starts, bottleneck, scaling: not", "RUN        seed 7 · schedule " + r.Schedule[:16], "OBJECTIVES none", "one/report.html"} {
			if !strings.Contains(got.out, want) {
				t.Errorf("%q is not in\n%s", want, got.out)
			}
		}
		for _, noise := range []string{"INJECTED", "COLD ", "BOTTLENECK", "SCALING", "MTBF/instance"} {
			if strings.Contains(got.out, noise) {
				t.Errorf("%q says nothing here:\n%s", noise, got.out)
			}
		}
		if !strings.Contains(got.err, "load: Does it hold") || !strings.Contains(got.err, "schedule "+r.Schedule[:16]) {
			t.Errorf("announced: %s", got.err)
		}
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Metric, "e2e/p") && f.Labels["phase"] == "load" && f.Quantity.Known() && !f.Quantity.Bounded() {
				t.Errorf("bare number %s %s", f.Metric, f.Quantity)
			}
		}
		for _, view := range []string{"markdown", "html"} {
			page := assayIn(t, dir, "report", "one", "--format", view)
			for _, want := range []string{"Load and latency", r.Schedule[:16], "Not seen"} {
				if !strings.Contains(page.out, want) {
					t.Errorf("%s: %q is not there", view, want)
				}
			}
			if strings.Contains(page.out, "Injected faults") {
				t.Errorf("%s has a section about faults", view)
			}
		}
	})
	t.Run("wrong path", func(t *testing.T) {
		nothing := httptest.NewServer(http.NotFoundHandler())
		defer nothing.Close()
		got := assayIn(t, dir, "load", "--url", nothing.URL, "--rate", "50/s", "--for", "500ms", "--ui", "none")
		if got.code != assay.ExitPreflight || !strings.Contains(got.err, "it refuses the request itself: 404 Not Found") || got.out != "" {
			t.Errorf("exit %d, want %d, and that the request itself is refused:\n%s%s", got.code, assay.ExitPreflight, got.err, got.out)
		}
	})
	t.Run("goals", func(t *testing.T) {
		got := assayIn(t, dir, "load", "--url", server.URL, "--rate", "100/s", "--for", "1s", "--slo", "error_ratio=1%", "--header", "X-Team: b", "--body", "hello", "--ui", "none", "-o", "json")
		measured(t, got, assay.ExitNoGo)
		if posts.Load() < 50 {
			t.Errorf("%d posts", posts.Load())
		}
		var r assay.Report
		if err := json.Unmarshal([]byte(got.out), &r); err != nil || len(r.Objectives) != 1 || r.Objectives[0].Objective.Labels["phase"] != "load" {
			t.Errorf("%v, objectives %+v", err, r.Objectives)
		}
	})
	t.Run("half is served", func(t *testing.T) {
		var n atomic.Int64
		half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%2 == 0 {
				http.Error(w, "no", http.StatusServiceUnavailable)
			}
		}))
		defer half.Close()
		got := assayIn(t, dir, "load", "--url", half.URL, "--rate", "200/s", "--for", "1s", "--slo", "goodput/ratio=95%", "--slo", "e2e/p50=5s", "--ui", "none", "-o", "json")
		measured(t, got, assay.ExitNoGo)
		var r assay.Report
		if err := json.Unmarshal([]byte(got.out), &r); err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Objectives {
			if asked := o.Objective; asked.Metric == "goodput/ratio" && (asked.Max != nil || asked.Min == nil || *asked.Min != 0.95) {
				t.Errorf("asked for %+v", asked)
			}
		}
	})
	t.Run("concurrency", func(t *testing.T) {
		got := assayIn(t, dir, "load", "--url", server.URL, "--concurrency", "3", "--for", "500ms", "--ui", "none", "--out", "c")
		measured(t, got, 0)
		list := requestsOf(t, filepath.Join(dir, "c"))
		if len(list) < 20 || !list[0].NoSchedule || !slices.ContainsFunc(list, func(r assay.Request) bool { return r.Phase == "concurrency" }) {
			t.Errorf("%d requests", len(list))
		}
	})
	t.Run("a path that tells", func(t *testing.T) {
		openai := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var ask struct {
				Model     string
				MaxTokens int `json:"max_tokens"`
				Stream    bool
			}
			if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.URL.Path != "/v1/chat/completions" || ask.Model != "m" || ask.MaxTokens != 2 || !ask.Stream {
				http.Error(w, "bad", http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for range 2 {
				fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n")
				w.(http.Flusher).Flush()
			}
			fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		}))
		defer openai.Close()
		got := assayIn(t, dir, "load", "--url", openai.URL+"/v1/chat/completions", "--model", "m", "--output-tokens", "2", "--arrivals", "even", "--rate", "50/s", "--for", "1s", "--ui", "none", "--out", "t")
		measured(t, got, 0)
		if r, _ := readResult(t, filepath.Join(dir, "t")); r.Find("error_ratio").Quantity.Value != 0 || r.Find("ttft/p50", "phase", "load").Quantity.N != 50 {
			t.Errorf("errors %v, TTFT %v\n%s", r.Find("error_ratio"), r.Find("ttft/p50", "phase", "load"), got.out)
		}
		if !strings.Contains(got.out, "TTFT ") || !strings.Contains(got.out, "ITL ") {
			t.Error(got.out)
		}
	})
}

func TestLoadRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{}, "--url: name the endpoint"},
		{[]string{"--preset", "sok"}, `--preset "sok" is unknown; one of load, stress, concurrency, latency, soak`},
		{[]string{"--rate", "fast"}, `--rate: "fast" is not a rate`},
		{[]string{"--rate", "0/s"}, `--rate: "0/s" sends nothing`},
		{[]string{"--preset", "stress"}, "preset stress needs slo"},
		{[]string{"--concurrency", "3", "--rate", "5/s"}, "preset concurrency has no rate"},
		{[]string{"--arrivals", "poison"}, `--arrivals: "poison" is no arrival process`},
		{[]string{"--arrivals", "{gamma: {rate: 5/s}}", "--rate", "5/s"}, "which has its own; leave one out"},
		{[]string{"--arrivals", "{trace: none.csv}"}, "read trace: open none.csv: no such file"},
		{[]string{"--slo", "tfft/p95=1s"}, `"tfft/p95" is no metric; did you mean "ttft/p95"?`},
		{[]string{"--slo", "ttft/p95"}, "write metric=bound"},
		{[]string{"--slo", "load/offered=9/s"}, "neither more nor less of load/offered is better; ask for it among the objectives of a plan, with max or min"},
		{[]string{"--kind", "opanai"}, `"opanai" is unknown; did you mean "openai"?`},
		{[]string{"--rate", "100000/s", "--for", "1h"}, "plans 361000000 requests; at most 50000000"},
		{[]string{"--rate", "1000/s", "--for", "1h"}, "--max-requests 1000000; lower --rate or --for, or raise it"},
		{[]string{"--out", "."}, "--out . is there already; name a new directory"},
		{[]string{"--token-env", "ASSAY_NO_SUCH"}, "ASSAY_NO_SUCH is not set"},
		{[]string{"--header", "x"}, `--header "x": write 'Name: value'`},
		{[]string{"--body", "@none.json"}, "none.json: no such file"},
		{[]string{"--body", "x", "--kind", "kserve1"}, "target.body: "},
		{[]string{"-o", "pdf"}, `--output "pdf" is unknown`},
	} {
		args := append([]string{"load"}, tt.args...)
		if len(tt.args) > 0 {
			args = append(args, "--url", "http://127.0.0.1:1/")
		}
		got := assayIn(t, dir, args...)
		if got.code != assay.ExitUsage || !strings.Contains(got.err, tt.want) || got.out != "" {
			t.Errorf("%v\ngot exit %d, %s\nwant %s", tt.args, got.code, got.err, tt.want)
		}
	}
	if got := assayIn(t, dir, "load", "--url", "http://127.0.0.1:1/?sig=hidden"); got.code != assay.ExitUsage || !strings.Contains(got.err, `"sig" in the query of a URL`) || strings.Contains(got.err, "hidden") {
		t.Errorf("a key in the URL: exit %d, %s", got.code, got.err)
	}
	if runs := runsIn(t, dir); len(runs) > 0 {
		t.Errorf("refused runs left %v", runs)
	}
}

// everyPhase is a plan with every kind of phase, a second or less each.
const everyPhase = `apiVersion: assay/v1
name: every
target: {kind: sandbox, model: nano, deadline: 5s, sandbox: {loadFloor: 50ms}}
load:
  - {name: poisson, arrivals: {poisson: {rate: 10/s}}, for: 1s, prompt: {lognormal: {mean: 20, sd: 10, max: 60}}, output: 2}
  - {name: even, arrivals: {even: {rate: 10/s}}, for: 500ms, prompts: {file: p.txt, random: true}, output: 2}
  - {name: gamma, arrivals: {gamma: {rate: 10/s}}, for: 1s, mix: [{class: a, headers: {x-class: a}}, {class: b, output: 3}], output: 2}
  - {name: weibull, arrivals: {weibull: {rate: 10/s}}, for: 1s, prefix: {tokens: 8, groups: 2}, output: 2}
  - {name: stages, arrivals: {stages: {stages: [{rate: 5/s, for: 500ms}, {rate: 10/s, for: 500ms, ramp: 200ms}]}}, output: 2}
  - {name: diurnal, arrivals: {diurnal: {rate: 10/s, period: 1s}}, for: 500ms, output: 2}
  - {name: onoff, arrivals: {onoff: {rate: 20/s, on: 200ms, off: 200ms}}, for: 500ms, session: {turns: 2, think: 10ms, message: 4}, output: 2}
  - {name: ladder, arrivals: {ladder: {start: 50ms, max: 200ms, factor: 2}}, output: 2}
  - {name: trace, arrivals: {trace: {files: [t.csv], timeScale: 0.1}}}
  - {name: closed, closed: {n: 2, think: {mean: 20ms, cv: 1}}, for: 500ms, output: 2}
  - {name: idle, for: 100ms}
  - {preset: concurrency, n: 2, for: 300ms, output: 2}
  - {name: find, search: {saturation: {start: 40/s, max: 60/s, slo: {error_ratio: 50%}, step: 500ms, confirm: 500ms, for: 3s}}, output: 2}
  - {name: hold, hold: {of: find, share: 0.5}, for: 300ms, settle: true, max: 9, output: 2}
`

// TestEveryKindOfPhase runs one and assesses it: each kind sends what its settings say.
func TestEveryKindOfPhase(t *testing.T) {
	t.Parallel()
	dir := files(t)
	write(t, dir, "plan.yaml", everyPhase)
	begin := time.Now()
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	if got.code != assay.ExitGo && got.code != assay.ExitInvalid {
		t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
	}
	t.Logf("took %v", time.Since(begin))
	dir = runsIn(t, dir)[0]
	r, _ := readResult(t, dir)
	seen := map[string]int{}
	classes := map[string]int{}
	for _, q := range requestsOf(t, dir) {
		phase, _, _ := strings.Cut(q.Phase, "/")
		seen[phase]++
		if phase == "gamma" {
			classes[q.Class]++
		}
		if q.Outcome != assay.OK {
			t.Errorf("%s: %v %s", q.Phase, q.Outcome, q.Error)
		}
	}
	for name, least := range map[string]int{"poisson": 3, "even": 5, "weibull": 1, "stages": 2, "diurnal": 1, "onoff": 2, "ladder": 4, "trace": 4, "closed": 4,
		"concurrency-warmup": 2, "concurrency": 2, "find": 2, "hold": 1} {
		if seen[name] < least {
			t.Errorf("%s: %d requests, want at least %d; all: %v", name, seen[name], least, seen)
		}
	}
	if seen["ladder"] != 4 || seen["trace"] != 4 || seen["even"] != 5 || seen["idle"] != 0 || seen["hold"] > 9 || classes[""] != 0 {
		t.Errorf("requests %v, classes %v", seen, classes)
	}
	if r.Schedule == "" || !strings.Contains(got.out, "schedule "+r.Schedule[:16]) {
		t.Errorf("schedule %q is not in\n%s", r.Schedule, got.out)
	}
}

// TestLadderFindsTheTimeToZero: the sandbox scales to zero when its stable window and its grace have passed without a request, and
// its autoscaler looks twice a second; instances are told to go one after another.
func TestLadderFindsTheTimeToZero(t *testing.T) {
	full(t)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: ladder
target: {kind: sandbox, model: nano, sandbox: {loadFloor: 50ms, maxScale: 1, stableWindow: 1500ms, scaleToZeroGrace: 500ms}}
load: [{name: ladder, arrivals: {ladder: {start: 1s, factor: 1.25, max: 6s}}, output: 2}]
`)
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	measured(t, got, 0)
	r, _ := readResult(t, runsIn(t, dir)[0])
	q := r.Find("idle/gap").Quantity
	t.Logf("%s", q)
	if !(q.Lo >= 1 && q.Lo < q.Value && q.Hi <= 4 && q.Lo <= 3.2 && q.Hi >= 2) {
		t.Errorf("got %s; the truth is between 2 s and 3.2 s", q)
	}
	if !strings.Contains(got.out, "to zero after ") {
		t.Errorf("the report does not say it:\n%s", got.out)
	}
}

// TestReplayedTraceKeepsItsGaps replays two seconds of a public trace: each gap between requests, as recorded in due, is that of the
// trace, and as recorded in sent within a millisecond of it where the machine is ours. Other load on it can make one send late, so the best of three tries counts.
func TestReplayedTraceKeepsItsGaps(t *testing.T) {
	path, err := filepath.Abs("../../../shared/data/workloads/AzureLLMInferenceTrace_conv.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no trace here: %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	var want []int64
	s := trace.Settings{Paths: []string{path}, From: 10 * time.Minute, To: 10*time.Minute + 2*time.Second}
	for it, err := range s.Each(0, nil) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, it.At)
	}
	best, most := int64(math.MaxInt64), int64(pacetest.Most(time.Millisecond))
	for try := 0; try < 3 && best > most; try++ {
		dir := t.TempDir()
		got := assayIn(t, dir, "load", "--url", server.URL, "--arrivals", "{trace: {files: ["+path+"], from: 10m, to: 602s}}", "--out", "r", "--ui", "none")
		measured(t, got, 0)
		list := requestsOf(t, filepath.Join(dir, "r"))
		if len(list) != len(want) {
			t.Fatalf("%d requests, the trace has %d", len(list), len(want))
		}
		worst := int64(0)
		for i := 1; i < len(list); i++ {
			gap := want[i] - want[i-1]
			if due := list[i].Due - list[i-1].Due; due != gap {
				t.Fatalf("request %d is due %v after the one before, in the trace %v", i+1, time.Duration(due), time.Duration(gap))
			}
			off := list[i].Sent - list[i-1].Sent - gap
			worst = max(worst, off, -off)
		}
		t.Logf("%d requests; the gap furthest from the trace's is off by %v", len(list), time.Duration(worst))
		best = min(best, worst)
	}
	if best > most {
		t.Errorf("worst gap off by %v; want at most %v", time.Duration(best), time.Duration(most))
	}
}
