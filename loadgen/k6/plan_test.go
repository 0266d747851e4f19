package k6

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/internal/store"
)

// buildAssay builds the command once for all tests.
var buildAssay = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "assay-*")
	if err != nil {
		return "", err
	}
	c := exec.Command("go", "build", "-o", filepath.Join(dir, "assay"), "./cmd/assay")
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "assay"), nil
})

// assayCommand returns the command assay, whose k6 is this test binary.
func assayCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := buildAssay()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, bin, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), asK6+"=1", "ASSAY_K6="+self, "HOME="+dir, "SECRET=sesame-secret")
	return c
}

// joint is a plan with a script between two phases of ours.
const joint = `
apiVersion: assay/v1
name: joint
target: {kind: openai, url: "%s", model: tiny, auth: {env: SECRET}}
load:
  - {name: before, arrivals: {even: {rate: 10/s}}, for: 1s, role: warmup}
  - {name: x, k6: script.js, env: {WHO: script}, args: [--tag, color=blue, --summary-mode=compact]}
  - {name: after, arrivals: {even: {rate: 10/s}}, for: 1s}
objectives:
  - {metric: e2e/p50, max: 100s} # so that a busy machine is no reason to call the run invalid
`

const plannedScript = `
import { check } from 'k6';
import { Client } from 'k6/x/assay';
const c = new Client();
export const options = { scenarios: {
  a: { executor: 'assay-arrivals', process: 'even', rate: 20, duration: '2s', preAllocatedVUs: 30, gracefulStop: '5s' },
  b: { executor: 'per-vu-iterations', vus: 1, iterations: 3, tags: { assay_role: 'warmup' } },
}, thresholds: { THRESHOLDS } };
export function setup() { SETUP }
export default function () { const r = c.request({ prompt: __ENV.WHO, maxTokens: 8 }); check(r, { ok: (r) => r.ok }); }
`

// TestPlan has a plan run a script: what it sent, when, and what k6 thought of it are part of the run.
func TestPlan(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"plan.yaml": fmt.Sprintf(joint, m.URL), "script.js": strings.NewReplacer("SETUP", "",
		"THRESHOLDS", "'assay_ttft{scenario:a}': ['p(95)<200000'], checks: ['rate==1'], assay_ttft: ['p(90)<200000']").Replace(plannedScript)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	c := assayCommand(t, dir, "run", "plan.yaml", "--dir", "runs", "--ui", "none")
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if code := c.ProcessState.ExitCode(); code != 0 && code != 11 { // TTFT p95 may be undecided on a busy machine
		t.Fatalf("exit status %d, %v:\n%s", code, err, out.String())
	}
	run := onlyRun(t, dir)
	r := read(t, run)
	if diff := cmp.Diff(map[string]int{"before ok": 10, "x/a ok": 40, "x/b ok": 3, "after ok": 10}, r.outcomes()); diff != "" {
		t.Errorf("requests by phase and outcome (-want +got):\n%s", diff)
	}
	ids, last := map[uint64]bool{}, map[string]int64{}
	begins := map[string]int64{}
	for _, e := range r.events {
		if e.Kind == assay.EventPhaseBegin {
			begins[e.Phase] = e.Time
			if of, role := e.Attrs["of"], e.Attrs["role"]; e.Source == "k6" && (of != "x" || (role == "warmup") != (e.Phase == "x/b")) {
				t.Errorf("phase %+v", e)
			}
		}
	}
	for i := range r.requests {
		q := &r.requests[i]
		ids[q.ID] = true
		last[q.Phase] = max(last[q.Phase], q.Due)
		if m.seen[q.TraceID.String()] != r.manifest.ID {
			t.Fatalf("the server saw run id %q, want %s", m.seen[q.TraceID.String()], r.manifest.ID)
		}
		if q.Phase == "x/a" && (q.NoSchedule || (q.Due-begins["x/a"])%int64(50*time.Millisecond) != 0) {
			t.Fatalf("request due %v after the scenario began, want a multiple of 50ms", time.Duration(q.Due-begins["x/a"]))
		}
	}
	if len(ids) != len(r.requests) {
		t.Errorf("%d ids for %d requests", len(ids), len(r.requests))
	}
	if !(last["before"] < begins["x/a"] && begins["x/a"] < last["x/a"] && last["x/a"] < begins["after"]) {
		t.Errorf("phases out of order: last requests %v, begins %v", last, begins)
	}
	var offsets []string
	for _, o := range r.manifest.Offsets {
		if offsets = append(offsets, o.Source); o.Offset >= 0 || o.Error > 1000 {
			t.Errorf("offset %+v: want the child's clock, which began later, known to a microsecond", o)
		}
	}
	if diff := cmp.Diff([]string{"k6 x"}, offsets); diff != "" {
		t.Error(diff)
	}
	report := assessed(t, run)
	verdicts := map[string]string{}
	for _, j := range report.Objectives {
		verdicts[j.Objective.Metric+" "+j.Objective.Labels["phase"]+" "+j.Objective.Labels["threshold"]] = string(j.Verdict)
	}
	delete(verdicts, "e2e/p50  ")
	delete(verdicts, "ttft/p95 x/a ") // 40 requests may be too few
	if diff := cmp.Diff(map[string]string{"k6/threshold x checks: rate==1": "pass", "k6/threshold x assay_ttft{scenario:a}: p(95)<200000": "pass",
		"k6/threshold x assay_ttft: p(90)<200000": "pass"}, verdicts); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s\n%s", diff, out.String())
	}
	noSecrets(t, run, "sesame-secret")
	if text, err := os.ReadFile(filepath.Join(run, "logs", "k6-x.log")); err != nil || !strings.Contains(string(text), "checks_succeeded") {
		t.Errorf("k6's log: %v: %s", err, text)
	}
	for _, h := range m.headers {
		if h.Get("Authorization") != "Bearer sesame-secret" {
			t.Fatalf("a request came with %q", h.Get("Authorization"))
		}
	}
}

// onlyRun returns the directory of the one run below dir.
func onlyRun(t *testing.T, dir string) string {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	return runs[0]
}

func assessed(t *testing.T, dir string) *assay.Report {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	r, err := analyzers.Assess(t.Context(), run, analyzers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPlanEnds has the script, k6, a person and the plan end a run, each in its own way.
func TestPlanEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		setup, thresholds, plan string
		act                     func(c *exec.Cmd, dir string) error // once the load runs
		exit                    int
		text                    string
		end                     string // "": no run is left
	}{
		"threshold crossed":     {thresholds: "iterations: ['count>1000']", exit: 10, text: "k6 threshold", end: assay.EndComplete},
		"aborted by threshold":  {thresholds: "vus: [{ threshold: 'value<0', abortOnFail: true }]", exit: 13, text: "k6 load x: ", end: assay.EndAborted},
		"script throws":         {setup: "throw new Error('no luck')", exit: 1, text: "k6 load x: Error: no luck", end: assay.EndFailed},
		"script does not parse": {setup: "}}}", exit: 2, text: "plan.yaml:7:19: load[1].k6: k6 refuses the script: could not"},
		"no script":             {plan: "other.js", exit: 2, text: "plan.yaml:7:19: load[1].k6: stat"},
		"k6 is killed":          {act: killK6, exit: 12, text: "loadgen: k6 load x died: signal: killed", end: assay.EndComplete},
		"interrupted":           {act: func(c *exec.Cmd, _ string) error { return c.Process.Signal(syscall.SIGINT) }, exit: 130, text: "interrupt", end: assay.EndInterrupted},
		"budget":                {plan: "script.js}\nbudget: {requests: 12", exit: 12, text: "12 requests", end: assay.EndBudget},
		"too long":              {plan: "script.js, for: 1s", exit: 0, text: "GO", end: assay.EndComplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newModel(t)
			dir := t.TempDir()
			plan := fmt.Sprintf(joint, m.URL)
			if tt.plan != "" {
				if script, more, ok := strings.Cut(tt.plan, "}"); ok {
					plan = strings.Replace(plan, "script.js", script, 1) + more[1:] + "}\n"
				} else {
					plan = strings.Replace(plan, "script.js", tt.plan, 1)
				}
			}
			script := strings.NewReplacer("SETUP", tt.setup, "THRESHOLDS", tt.thresholds, "'2s'", "'4s'").Replace(plannedScript)
			for name, text := range map[string]string{"plan.yaml": plan, "script.js": script} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			c := assayCommand(t, dir, "run", "plan.yaml", "--dir", "runs", "--ui", "none")
			c.Stdout, c.Stderr = &out, &out
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			var acting error
			if tt.act != nil {
				<-m.script
				acting = tt.act(c, dir)
			}
			_ = c.Wait()
			if acting != nil {
				t.Fatal(acting)
			}
			if got := c.ProcessState.ExitCode(); got != tt.exit || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), tt.text) {
				t.Fatalf("exit status %d, want %d and %q:\n%s", got, tt.exit, tt.text, out.String())
			}
			if tt.end == "" {
				if runs, _ := filepath.Glob(filepath.Join(dir, "runs", "*")); len(runs) > 0 {
					t.Errorf("left behind: %q", runs)
				}
				return
			}
			r := read(t, onlyRun(t, dir))
			if r.manifest.End.Status != tt.end {
				t.Errorf("the run ended %q, want %q", r.manifest.End.Status, tt.end)
			}
		})
	}
}

// killK6 kills the k6 that a run started.
func killK6(_ *exec.Cmd, dir string) error {
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, p := range procs {
		line, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		args := strings.Split(string(line), "\x00")
		if cwd, _ := os.Readlink(filepath.Join(p, "cwd")); cwd == dir && len(args) > 2 && args[1] == "run" && strings.Contains(string(line), "assay=unix:") {
			pid, err := strconv.Atoi(filepath.Base(p))
			if err != nil {
				return err
			}
			return syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return errors.New("no k6 found")
}
