package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/pacetest"
)

// underWay starts a run and returns it with its directory once an event of the kind stands in its journal.
func underWay(t *testing.T, dir, kind string, args ...string) (cmd *exec.Cmd, run string, errs *bytes.Buffer) {
	t.Helper()
	before := len(runsIn(t, dir))
	cmd = cli(t, dir, append([]string{"run"}, args...)...)
	errs = &bytes.Buffer{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(pacetest.Patience); ; time.Sleep(5 * time.Millisecond) { // polls the journal
		for i, r := range runsIn(t, dir) {
			if b, _ := os.ReadFile(filepath.Join(r, "events.jsonl")); i >= before && bytes.Contains(b, []byte(`"`+kind+`"`)) {
				return cmd, r, errs
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 20 s:\n%s", kind, errs)
		}
	}
}

// exitOf waits for a process that was started and returns its exit status.
func exitOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// stopped reports whether a process is stopped.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skipf("needs /proc: %v", err)
	}
	return strings.HasPrefix(string(b[bytes.LastIndexByte(b, ')')+1:]), " T")
}

// An injector that is frozen cannot keep its fault in force: the file, and the request, reach the guardian. Continued, it ends as interrupted.
func TestStopOfAFrozenRun(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"file", "request"} {
		t.Run(by, func(t *testing.T) {
			if by == "request" {
				full(t)
			}
			dir := t.TempDir()
			write(t, dir, "token", "open sesame\n")
			write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: frozen
target: {kind: sandbox, model: nano, deadline: 5s, sandbox: {loadFloor: 50ms, minScale: 2}}
load: [{name: steady, for: 60s, arrivals: {even: {rate: 5/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: hang, at: 500ms, for: 50s}]
stop: {file: ./halt, http: {token: {file: ./token}}}
`)
			cmd, run, errs := underWay(t, dir, assay.EventFaultVerified, "plan.yaml")
			var undo chaos.Undo
			if err := json.Unmarshal([]byte(eventOf(t, eventsIn(t, run), assay.EventFaultArmed).Attrs["undo"]), &undo); err != nil {
				t.Fatal(err)
			}
			victim := undo.Process.PID
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if !stopped(t, victim) {
				t.Fatal("the victim is not frozen")
			}
			asked := time.Now()
			if by == "file" {
				write(t, dir, "halt", "")
			} else {
				at := regexp.MustCompile(`POST (http://127.0.0.1:\d+/stop) with the token`).FindStringSubmatch(errs.String())
				if at == nil {
					t.Fatalf("no address among:\n%s", errs)
				}
				req, _ := http.NewRequestWithContext(context.Background(), "POST", at[1], nil)
				req.Header.Set("Authorization", "Bearer open sesame")
				resp, err := http.DefaultClient.Do(req)
				if err != nil || resp.StatusCode != 200 {
					t.Fatalf("%+v, %v", resp, err)
				}
				resp.Body.Close()
			}
			for stopped(t, victim) {
				if took := time.Since(asked); took > pacetest.Most(time.Second) {
					t.Fatalf("the victim is still frozen %v after the stop", took)
				}
				time.Sleep(time.Millisecond)
			}
			t.Logf("reverted %v after the stop", time.Since(asked).Round(time.Millisecond))
			if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if code := exitOf(t, cmd); code != assay.ExitInterrupted {
				t.Errorf("exit %d, want %d\n%s", code, assay.ExitInterrupted, errs)
			}
			r, _ := readResult(t, run)
			if want := map[string]string{"file": "stopped by the file " + filepath.Join(dir, "halt"), "request": "stopped by a request from 127.0.0.1:"}[by]; !strings.HasPrefix(r.Why, want) {
				t.Errorf("why %q, want %q", r.Why, want)
			}
			if len(r.Faults) != 1 || r.Faults[0].Window.Clear == 0 || r.Faults[0].Window.Remains != "" {
				t.Errorf("faults %+v", r.Faults)
			}
			gone(t, dir, 3*time.Second)
			if by == "file" { // the stop holds until someone takes it back
				if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitPreflight || !strings.Contains(got.err, "halt is there: a stop was asked for, and holds until the file is removed") {
					t.Errorf("exit %d: %s", got.code, got.err)
				}
				if left := runsIn(t, dir); len(left) != 1 {
					t.Errorf("runs %v", left)
				}
			}
		})
	}
}

// One command stops every run: one that lives is told, what a dead one left is undone, one that has ended is left alone.
func TestStopAll(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", guardedPlan(target.URL, ""))
	dead, deadRun, _ := underWay(t, dir, assay.EventFaultVerified, "plan.yaml")
	for _, line := range ours(t, dir) { // the run and its guardian at once
		var pid int
		fmt.Sscan(line, &pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	dead.Wait()
	gone(t, dir, time.Second)
	live, liveRun, errs := underWay(t, dir, assay.EventFaultVerified, "plan.yaml")
	got := assayIn(t, dir, "stop", "--all")
	if got.code != 0 {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
	rel := func(run string) string { r, _ := filepath.Rel(dir, run); return r }
	for _, want := range []string{rel(liveRun) + ": stopped by the file " + filepath.Join(liveRun, "STOP") + ": ", rel(liveRun) + ": the run ended as interrupted, ",
		rel(deadRun) + ": nobody heard it: the run was killed; its faults are looked at from here\n", rel(deadRun) + ": already clear: http-1: http of wire: no longer in force\n"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("lacks %q:\n%s", want, got.out)
		}
	}
	if code := exitOf(t, live); code != assay.ExitInterrupted {
		t.Errorf("exit %d, want %d\n%s", code, assay.ExitInterrupted, errs)
	}
	if r, _ := readResult(t, liveRun); r.Decision != assay.Interrupted || r.Faults[0].Window.Clear == 0 {
		t.Errorf("%s, faults %+v", r.Why, r.Faults)
	}
	if got := assayIn(t, dir, "stop", liveRun); got.code != 0 || got.out != liveRun+": the run has ended: interrupted\n" {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.err)
	}
}

func TestStopUsage(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, model: nano}\nload: [{name: a, for: 1s, arrivals: {even: {rate: 1/s}}}]\nstop: {http: {token: {env: ASSAY_NOT_SET}}}\n")
	for want, tt := range map[string]struct {
		args []string
		code int
	}{
		"give the directory of a run, or --all": {[]string{"stop"}, assay.ExitUsage},
		"nowhere":                               {[]string{"stop", "nowhere"}, assay.ExitUsage},
		"runs: no run is under way":             {[]string{"stop", "--all"}, 0},
		"stop.http.token.env: ":                 {[]string{"run", "plan.yaml"}, assay.ExitPreflight},
	} {
		if got := assayIn(t, dir, tt.args...); got.code != tt.code || !strings.Contains(got.out+got.err, want) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", tt.args, got.code, tt.code, want, got.out, got.err)
		}
	}
	if left := runsIn(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
