package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/store"
)

// hurtPlan is a short run on the smallest sandbox with a kill and a hang.
const hurtPlan = `apiVersion: assay/v1
name: hurt
seed: 7
target: {kind: sandbox, model: nano, deadline: 5s, sandbox: {loadFloor: 50ms}}
load:
  - {name: steady, arrivals: {poisson: {rate: 10/s}}, for: 8s, prompt: {tokens: 16}, output: {tokens: 8}}
chaos:
  - {fault: kill, at: 2s}
  - {fault: hang, at: 4s, for: 2s}
objectives:
  - {metric: recovery/user, fault: kill, max: 30s}
`

func readResult(t *testing.T, dir string) (*assay.Report, []byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := dashboards.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r, raw
}

// TestRunOnSandbox is the main job, small: scale from zero, be hurt, recover, report.
func TestRunOnSandbox(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", strings.Replace(hurtPlan, "objectives:", "  - {fault: http, at: 6200ms, for: 800ms, mode: status, status: 429}\nobjectives:", 1))
	got := assayIn(t, dir, "run", "plan.yaml", "--truth", filepath.Join(dir, "truth"))
	// A loaded machine may make the generator late, which is 12; the run itself must be whole.
	if got.code != assay.ExitGo && got.code != assay.ExitInvalid && got.code != assay.ExitInconclusive {
		t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
	}
	gone(t, dir, 3*time.Second)
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("runs: %v", runs)
	}
	r, raw := readResult(t, runs[0])
	if len(r.Faults) != 3 || r.Faults[0].Window.Kind != "kill" || r.Faults[1].Window.Kind != "hang" || r.Faults[2].Window.Kind != "http" {
		t.Fatalf("faults: got %+v", r.Faults)
	}
	for _, f := range r.Faults {
		if f.Window.Void != "" || f.Window.Clear == 0 || f.Window.Remains != "" {
			t.Errorf("%s: void %q, clear %d, remains %q", f.Window.ID, f.Window.Void, f.Window.Clear, f.Window.Remains)
		}
		if sum := f.Detect.Value + f.Isolate.Value + f.Restore.Value; f.User.Known() && sum-f.User.Value > 1e-9 {
			t.Errorf("%s: parts sum to %v, user recovery is %v", f.Window.ID, sum, f.User.Value)
		}
	}
	if len(r.Starts) < 3 {
		t.Errorf("%d starts, want two from zero and a replacement at least", len(r.Starts))
	}
	if c := r.Find("validity/spans"); c == nil || c.Quantity.Value < 0.9 {
		t.Errorf("span coverage: got %+v", c)
	}
	checkTruth(t, runs[0], filepath.Join(dir, "truth"), r)

	t.Run("assess again", func(t *testing.T) {
		for range 2 {
			if again := assayIn(t, dir, "assess", runs[0]); again.code != got.code {
				t.Errorf("exit %d, the run's was %d: %s", again.code, got.code, again.err)
			}
			if _, now := readResult(t, runs[0]); !bytes.Equal(raw, now) {
				t.Errorf("result.json differs: %s", cmp.Diff(string(raw), string(now)))
			}
		}
	})
	t.Run("affected requests can be joined", func(t *testing.T) { affected(t, runs[0], r) })
	t.Run("every figure is dressed", func(t *testing.T) { dressed(t, r) })
	t.Run("views", func(t *testing.T) {
		for _, k := range dashboards.Kinds() {
			v := assayIn(t, dir, "report", runs[0], "--format", k.Name)
			if v.code != 0 || len(v.out) < 200 {
				t.Errorf("%s: exit %d, %d bytes, %s", k.Name, v.code, len(v.out), v.err)
			}
		}
	})
	t.Run("nothing to heal", func(t *testing.T) {
		if h := assayIn(t, dir, "heal"); h.code != 0 || strings.Contains(h.out, "MAY REMAIN") {
			t.Errorf("exit %d\n%s%s", h.code, h.out, h.err)
		}
	})
}

// dressed checks that no figure is bare: each has unit, interval, n and method, or says why not.
func dressed(t *testing.T, r *assay.Report) {
	if len(r.Findings) < 40 {
		t.Errorf("only %d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		q := f.Quantity
		switch {
		case q.Unit == "":
			t.Errorf("%s %v has no unit", f.Metric, f.Labels)
		case !q.Known() && !strings.HasPrefix(q.Reason, "not estimable, because ") && !strings.HasPrefix(q.Reason, "not measured, because "):
			t.Errorf("%s %v: reason %q", f.Metric, f.Labels, q.Reason)
		case q.Known() && (!q.Bounded() || q.Method == "" || q.Of == "" || q.Basis == "" || q.Confidence <= 0):
			t.Errorf("%s %v is bare: %+v", f.Metric, f.Labels, q)
		}
	}
}

func TestSameSeedSameSchedule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "plan.yaml", strings.Replace(okPlan, "even: {rate: 5/s}", "poisson: {rate: 20/s}", 1))
	hash := map[string]string{}
	for _, seed := range []string{"1", "1", "2"} {
		got := assayIn(t, dir, "run", "plan.yaml", "--seed", seed, "--output", "json", "--dir", "runs/"+fmt.Sprint(len(hash), seed))
		r, err := dashboards.Decode(strings.NewReader(got.out))
		if err != nil {
			t.Fatalf("%v\n%s", err, got.err)
		}
		if old, ok := hash[seed]; ok && old != r.Schedule {
			t.Errorf("seed %s: schedules %s and %s", seed, old, r.Schedule)
		}
		hash[seed] = r.Schedule
	}
	if hash["1"] == hash["2"] || hash["1"] == "" {
		t.Errorf("schedules of two seeds: %v", hash)
	}
	gone(t, dir, 3*time.Second)
}

// start runs assay in the background and returns when its first run directory has events of a load phase.
func start(t *testing.T, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := cli(t, dir, args...)
	errs := &bytes.Buffer{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, errs
}

func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); {
		if time.Since(begin) > pacetest.Most(limit) {
			t.Fatalf("after %v: no %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond) // polls; the limit above decides
	}
}

func eventsHave(dir, text string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "runs", "*", "events.jsonl"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// TestInterrupt: Ctrl-C stops the load, reverts faults, and the report says so.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "plan.yaml", strings.Replace(strings.Replace(hurtPlan, "at: 4s, for: 2s", "at: 1s, for: 1m", 1), "for: 8s", "for: 2m", 1))
	cmd, errs := start(t, dir, "run", "plan.yaml")
	until(t, "hang in force", 30*time.Second, func() bool { return eventsHave(dir, `"fault.verified"`) && eventsHave(dir, "hang") })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != assay.ExitInterrupted {
		t.Errorf("exit %d, want 130\n%s", code, errs)
	}
	gone(t, dir, 3*time.Second)
	r, _ := readResult(t, runsIn(t, dir)[0])
	if r.Decision != assay.Interrupted {
		t.Errorf("decision %s", r.Decision)
	}
	for _, f := range r.Faults {
		if f.Window.Void == "" && f.Window.Clear == 0 {
			t.Errorf("fault %s was not reverted: %+v", f.Window.ID, f.Window)
		}
	}
}

// tree hashes every file of a directory.
func tree(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		sum := sha256.Sum256(b)
		out[path] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKilled: SIGKILL at random moments. Every fault is reverted within a second, no process is left, the directory loads and
// reading does not change it.
func TestKilled(t *testing.T) {
	t.Parallel()
	n := 2
	if os.Getenv("ASSAY_FULL") != "" {
		n = 10
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)) // any moment will do: what must hold does not depend on it
	for i := range n {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "plan.yaml", strings.Replace(hurtPlan, "at: 4s, for: 2s", "at: 3s, for: 5s", 1))
			cmd, errs := start(t, dir, "run", "plan.yaml")
			until(t, "load", 30*time.Second, func() bool { return eventsHave(dir, `"phase.begin"`) })
			wait := time.Duration(rng.Int64N(int64(7 * time.Second)))
			time.Sleep(wait) // the random moment
			cmd.Process.Kill()
			cmd.Wait()
			took := gone(t, dir, time.Second)
			runs := runsIn(t, dir)
			before := tree(t, runs[0])
			run, err := store.Open(runs[0])
			if err != nil {
				t.Fatalf("killed after %v: %v\n%s", wait, err, errs)
			}
			requests := 0
			if err := run.Requests(context.Background(), func(b []assay.Request) error { requests += len(b); return nil }); err != nil {
				t.Error(err)
			}
			events, err := run.Events()
			if err != nil {
				t.Error(err)
			}
			open := map[string]bool{}
			for _, e := range events {
				switch e.Kind {
				case assay.EventFaultArmed:
					open[e.Fault] = true
				case assay.EventFaultClear, assay.EventFaultVoid:
					delete(open, e.Fault)
				}
			}
			if err := run.Close(); err != nil {
				t.Error(err)
			}
			if len(open) > 0 {
				t.Errorf("killed after %v: faults without an end: %v", wait, open)
			}
			if diff := cmp.Diff(before, tree(t, runs[0])); diff != "" {
				t.Errorf("reading changed the run:\n%s", diff)
			}
			t.Logf("killed after %v: clean %v later, %d requests recorded", wait, took, requests)
			if got := assayIn(t, dir, "assess", runs[0]); got.code == assay.ExitError {
				t.Errorf("assess: %s", got.err)
			}
		})
	}
}

// openAI is a small endpoint that streams three tokens.
func openAI(t *testing.T, served *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			b, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": map[string]string{"content": fmt.Sprint("w", i, " ")}}}})
			fmt.Fprintf(w, "data: %s\n\n", b)
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(s.Close)
	return s
}

// TestGentleRun: any endpoint gets a verdict from a few hundred requests and no faults.
func TestGentleRun(t *testing.T) {
	full(t) // it takes about a minute by design
	var served atomic.Int64
	s := openAI(t, &served)
	for _, kind := range []string{"openai", "http"} {
		t.Run(kind, func(t *testing.T) {
			served.Store(0)
			dir := t.TempDir()
			slo := "ttft/p95=2s"
			if kind == "http" {
				slo = "e2e/p95=2s"
			}
			got := assayIn(t, dir, "run", "--url", s.URL, "--kind", kind, "--slo", slo)
			if got.code != assay.ExitGo {
				t.Errorf("exit %d\n%s\n%s", got.code, got.err, got.out)
			}
			if n := served.Load(); n == 0 || n > 400 {
				t.Errorf("%d requests, want 1 to 400", n)
			}
			if r, _ := readResult(t, runsIn(t, dir)[0]); len(r.Faults) != 0 {
				t.Errorf("faults on an endpoint that must not be hurt: %+v", r.Faults)
			}
		})
	}
}
