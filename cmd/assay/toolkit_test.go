package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/toolkit"
)

// replica is a service that an experiment breaks and mends.
type replica struct {
	*httptest.Server
	mu    sync.Mutex
	up    bool
	asked []string
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	s := &replica{up: true}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Method == http.MethodPost {
			s.asked = append(s.asked, r.URL.Path)
			s.up = r.URL.Path != "/break"
		}
		if !s.up && r.Method == http.MethodGet {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *replica) was() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// comes waits for a condition.
func comes(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(pacetest.Most(limit)); !ok(); time.Sleep(10 * time.Millisecond) { // the limit decides
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %v", what, limit)
		}
	}
}

// breaking is an experiment that breaks the replica, lets a process take a while, and mends it.
func (s *replica) breaking(hold string, more string) string {
	return fmt.Sprintf(`{"title": "Breaks a replica", "description": "And mends it.",
 "steady-state-hypothesis": {"title": "up", "probes": [{"type": "probe", "name": "answers", "tolerance": 200, "provider": {"type": "http", "url": "%s/health"}}]},
 "method": [{"type": "action", "name": "break", "provider": {"type": "http", "method": "POST", "url": "%s/break"}},
  {"type": "probe", "name": "hold", "provider": {"type": "process", "path": "sleep", "arguments": ["%s"]}}%s],
 "rollbacks": [{"type": "action", "name": "mend", "provider": {"type": "http", "method": "POST", "url": "%s/mend"}}]}`, s.URL, s.URL, hold, more, s.URL)
}

// An experiment is converted, previewed, played and rolled back; that the state deviated is no go; and its journal lies in the run's directory.
func TestToolkit(t *testing.T) {
	t.Parallel()
	s := newReplica(t)
	dir := t.TempDir()
	write(t, dir, "x.json", s.breaking("0.1", ""))
	conv := assayIn(t, dir, "chaos", "toolkit", "x.json")
	if conv.code != 0 || len(s.was()) != 0 {
		t.Fatalf("exit %d %s; asked %v", conv.code, conv.err, s.was())
	}
	write(t, dir, "plan.yaml", conv.out)
	if v := assayIn(t, dir, "validate", "plan.yaml"); v.code != 0 || !strings.Contains(v.out, "method break: POST "+s.URL+"/break; method hold: sleep 0.1; rollback mend: POST") {
		t.Errorf("validate: exit %d %s%s", v.code, v.out, v.err)
	}
	got := assayIn(t, dir, "chaos", "toolkit", "x.json", "--run")
	if got.code != assay.ExitNoGo && got.code != assay.ExitInvalid { // a loaded machine may make the generator late
		t.Errorf("exit %d, want %d\n%s\n%s", got.code, assay.ExitNoGo, got.err, got.out)
	}
	if diff := cmp.Diff([]string{"/break", "/mend"}, s.was()); diff != "" {
		t.Error(diff)
	}
	run := runsIn(t, dir)[0]
	raw, err := os.ReadFile(filepath.Join(run, "journal.json"))
	if err != nil {
		t.Fatal(err)
	}
	var j toolkit.Journal
	if err := json.Unmarshal(raw, &j); err != nil {
		t.Fatal(err)
	}
	if j.Status != "completed" || !j.Deviated || !j.States.Before.Met || j.States.After.Met || len(j.Run) != 2 || len(j.Rollbacks) != 1 || j.Duration < 0.1 || !strings.HasPrefix(j.Version, "none: written by assay") {
		t.Errorf("journal %s", raw)
	}
	if again := assayIn(t, dir, "report", run, "--format", "chaostoolkit"); again.out != string(raw) {
		t.Errorf("report writes another journal: %s", cmp.Diff(string(raw), again.out))
	}
	if bad := assayIn(t, dir, "chaos", "toolkit", write(t, dir, "bad.json", strings.Replace(s.breaking("1", ""), `"type": "process"`, `"type": "python", "module": "m", "func": "f"`, 1))); bad.code != assay.ExitUsage || !strings.Contains(bad.err, "bad.json:4:") {
		t.Errorf("python: exit %d %s", bad.code, bad.err)
	}
}

// Whatever ends a run while its method is played, the rollbacks are: by the run itself, by the guardian once it was killed, and by heal once both were.
func TestToolkitRollsBackWhateverHappens(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, dir string, pid int)
	}{
		{"interrupted", func(t *testing.T, _ string, pid int) { signalled(t, pid, syscall.SIGINT) }},
		{"killed", func(t *testing.T, _ string, pid int) { signalled(t, pid, syscall.SIGKILL) }},
		{"both killed", func(t *testing.T, dir string, pid int) {
			for _, line := range ours(t, dir) {
				var one int
				if _, err := fmt.Sscan(line, &one); err == nil {
					_ = syscall.Kill(one, syscall.SIGKILL) // it may be gone by then
				}
			}
			_ = pid
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newReplica(t)
			dir := t.TempDir()
			write(t, dir, "x.json", s.breaking("30", ""))
			cmd := cli(t, dir, "chaos", "toolkit", "x.json", "--run")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			comes(t, "the break", 20*time.Second, func() bool { return len(s.was()) == 1 })
			c.end(t, dir, cmd.Process.Pid)
			_ = cmd.Wait() // it was told to end
			if c.name == "both killed" {
				if got := s.was(); len(got) != 1 {
					t.Fatalf("asked %v although nobody was left", got)
				}
				if h := assayIn(t, dir, "heal"); h.code != 0 || !strings.Contains(h.out, "reverted: experiment-1") {
					t.Errorf("heal: exit %d %s%s", h.code, h.out, h.err)
				}
			}
			comes(t, "the rollback", 5*time.Second, func() bool { return len(s.was()) == 2 })
			if diff := cmp.Diff([]string{"/break", "/mend"}, s.was()); diff != "" {
				t.Error(diff)
			}
			gone(t, dir, 3*time.Second)
			if h := assayIn(t, dir, "heal"); h.code != 0 || len(s.was()) != 2 {
				t.Errorf("heal again: exit %d %s; asked %v", h.code, h.out, s.was())
			}
			if v := assayIn(t, dir, "report", runsIn(t, dir)[0], "--format", "chaostoolkit"); v.code != 0 || !strings.Contains(v.out, `"status": "interrupted"`) || !strings.Contains(v.out, `"name": "mend"`) {
				t.Errorf("journal: exit %d\n%s%s", v.code, v.out, v.err)
			}
		})
	}
}

func signalled(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// A run that played no experiment has a journal too, if it had faults: they are the actions, its objectives the hypothesis.
func TestJournalOfAnyRun(t *testing.T) {
	num := 0.3
	r := &assay.Report{Name: "n", Target: "sandbox", Begin: 0, End: 9e9,
		Objectives: []assay.Judgement{{Title: "TTFT p95", Objective: assay.Objective{Metric: "ttft/p95", Max: &num}, Verdict: assay.VerdictFail, Quantity: assay.Quantity{Value: 0.5}}},
		Hypotheses: []assay.Hypothesis{
			{Name: "users served", Fault: "kill-1", Before: assay.Look{OK: "true", Text: "0 %", At: 5e8}, During: assay.Look{OK: "false", Text: "9 %", At: 15e8}, After: assay.Look{OK: "true", Text: "1 %", At: 4e9}}},
		Faults: []assay.FaultResult{
			{Window: assay.FaultWindow{ID: "kill-1", Kind: "kill", Target: "w-1", Armed: 1e9, Applied: 1e9, Reverted: 2e9, Clear: 3e9, Effect: "gone"}, State: assay.Recovered, Lost: 2, Revert: "verified"},
			{Window: assay.FaultWindow{ID: "hang-2", Kind: "hang", Void: "skipped by the operator"}, State: assay.VoidFault},
		}}
	m := &assay.Manifest{Epoch: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano(), Version: "v1", Host: assay.Host{OS: "linux", Kernel: "6", Arch: "amd64"}, End: assay.Ending{Status: assay.EndComplete}}
	j, err := journalOf(r, m)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Status, Start, End string
		Duration           float64
		Exception          []string
	}
	show := func(list []toolkit.Entry) (out []line) {
		for _, e := range list {
			out = append(out, line{e.Status, e.Start, e.End, e.Duration, e.Exception})
		}
		return out
	}
	second := func(n int) string { return fmt.Sprintf("2026-01-02T03:04:%02d.000000Z", 5+n) }
	if diff := cmp.Diff([]line{{"succeeded", second(1), second(2), 1, nil}, {"failed", second(0), second(0), 0, []string{"skipped by the operator"}}}, show(j.Run)); diff != "" {
		t.Errorf("run: %s", diff)
	}
	if diff := cmp.Diff([]line{{"succeeded", second(2), second(3), 1, nil}}, show(j.Rollbacks)); diff != "" {
		t.Errorf("rollbacks: %s", diff)
	}
	if !j.Deviated || !j.States.Before.Met || j.States.Before.Probes[0].Start != "2026-01-02T03:04:05.500000Z" || len(j.States.During) != 1 || j.States.During[0].Met ||
		j.States.After.Met || len(j.States.After.Probes) != 2 || !*j.States.After.Probes[0].Tolerance || *j.States.After.Probes[1].Tolerance || j.Platform != "linux-6-amd64" || j.Duration != 9 {
		t.Errorf("%+v", j)
	}
	if x, err := toolkit.Parse("made.json", j.Experiment); err != nil || len(x.Method) != 2 || x.Hypothesis == nil {
		t.Errorf("the experiment that it is described as is none: %v", err)
	}
}
