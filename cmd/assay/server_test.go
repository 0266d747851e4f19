package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// A run on a server that someone else started on this machine: its process is hurt, found again by its pid file, and left alone
// afterwards; a plan that names a process that must not be hurt, or none, is refused before the run.
func TestRunOnAProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := cli(t, dir, "sandbox", "--listen", "127.0.0.1:0", "--model", "nano", "--max-scale", "1")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	var said struct{ URL string }
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(said.URL, "http://")
	write(t, dir, "server.pid", strconv.Itoa(server.Process.Pid))
	plan := func(process, faults string) string {
		return "apiVersion: assay/v1\nname: mine\ntarget: {kind: openai, url: '" + said.URL + "', model: sandbox-nano, deadline: 5s, deployment: {process: {" + process + "}}}\n" +
			"load: [{name: steady, for: 4s, arrivals: {even: {rate: 10/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]\nchaos:\n" + faults
	}
	for name, tc := range map[string]struct {
		process, faults, want string
		code                  int
	}{
		"link":      {"listen: '" + at + "'", "- {fault: cut, at: 1s, for: 1s}\n", "no link of ours stands in front of target.deployment.process", assay.ExitUsage},
		"both":      {"listen: '" + at + "', pidfile: x", "- {fault: kill, at: 1s}\n", "target.deployment.process: needs either listen or pidfile", assay.ExitUsage},
		"address":   {"listen: here", "- {fault: kill, at: 1s}\n", `target.deployment.process.listen: "here" is no address`, assay.ExitUsage},
		"nobody":    {"listen: '127.0.0.1:1'", "- {fault: kill, at: 1s}\n", "no process that listens on 127.0.0.1:1", assay.ExitPreflight},
		"ancestor":  {"pidfile: self.pid", "- {fault: kill, at: 1s}\n", "it is this process or an ancestor of it", assay.ExitPreflight},
		"no number": {"pidfile: plan.yaml", "- {fault: kill, at: 1s}\n", "no pid", assay.ExitPreflight},
	} {
		write(t, dir, "self.pid", strconv.Itoa(os.Getpid()))
		write(t, dir, "plan.yaml", plan(tc.process, tc.faults))
		if got := assayIn(t, dir, "run", "plan.yaml"); got.code != tc.code || !strings.Contains(got.err, tc.want) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", name, got.code, tc.code, tc.want, got.err)
		}
	}

	write(t, dir, "plan.yaml", plan("pidfile: server.pid", "- {fault: hang, at: 1s, for: 600ms}\n- {fault: files, at: 2s, for: 600ms}\n- {fault: kill, at: 3500ms}\n"))
	got := assayIn(t, dir, "run", "plan.yaml")
	for _, want := range []string{"may be hurt: pid " + strconv.Itoa(server.Process.Pid) + ", ", "assay starts nothing", "fault hang-1 verified clear: hang target", "fault kill-3 verified clear"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, got.err)
		}
	}
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("runs %v\n%s", runs, got.err)
	}
	r, _ := readResult(t, runs[0])
	var felt []string
	for _, f := range r.Faults {
		felt = append(felt, f.Window.Kind+" "+f.Window.Target+" "+f.Window.Void)
	}
	if diff := cmp.Diff([]string{"hang target ", "files target ", "kill target "}, felt); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	done := make(chan error, 1)
	go func() { done <- server.Wait() }()
	select {
	case <-done:
	case <-time.After(pacetest.Patience):
		t.Error("the server lives")
	}
	if h := assayIn(t, dir, "heal"); h.code != 0 || !strings.Contains(h.out, filepath.Base(runs[0])+": nothing to heal") {
		t.Errorf("heal: exit %d\n%s%s", h.code, h.out, h.err)
	}
}
