package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// TestOllama goes the whole way on an engine that is not ours: a real llama.cpp with a model of random weights, which unloads when it is idle. Its runner
// is killed between two requests; every answer is good, and the report has to say that it crashed all the same. Opt-in, since the engine takes
// minutes to build: ASSAY_OLLAMA is the path of the ollama command, version 0.6.8 (make test-ollama).
func TestOllama(t *testing.T) {
	engine := os.Getenv("ASSAY_OLLAMA")
	if engine == "" {
		t.Skip("ASSAY_OLLAMA names no engine: make test-ollama builds one")
	}
	home := t.TempDir()
	base, pid := startOllama(t, engine, home)
	loadTiny(t, base, home)
	t.Run("by its answers alone", func(t *testing.T) {
		e := crashOf(t, pid, base, "")
		if e.Cause != "restart" || e.Confidence != assay.ConfidenceLow {
			t.Errorf("cause %s, %s confidence: want a restart of low confidence, since nothing else tells of it: %+v", e.Cause, e.Confidence, e)
		}
	})
	t.Run("with its log", func(t *testing.T) {
		e := crashOf(t, pid, base, fmt.Sprintf("collect: {logs: [{file: %q, instance: tiny}]}\n", filepath.Join(home, "serve.log")))
		if e.Cause != "crash" || e.Confidence != assay.ConfidenceHigh {
			t.Errorf("cause %s, %s confidence: want the crash that the log tells of: %+v", e.Cause, e.Confidence, e)
		}
	})
}

// crashOf runs a load in which the model is unloaded once for idleness and its runner is killed later, and returns the one failure that the report has to have.
func crashOf(t *testing.T, engine int, base, collect string) assay.Episode {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "plan.yaml", fmt.Sprintf(`apiVersion: assay/v1
name: ollama
target: {kind: ollama, url: "%s", model: tiny, keepAlive: 3s, extra: {num_thread: 1, num_ctx: 256}}
load:
- {name: first, arrivals: {even: {rate: 2/s}}, for: 8s, prompt: {tokens: 8}, output: {tokens: 4}}
- {name: rest, role: idle, for: 6s}
- {name: again, arrivals: {even: {rate: 2/s}}, for: 12s, prompt: {tokens: 8}, output: {tokens: 4}}
%s`, base, collect))
	cmd, errs := start(t, dir, "run", "plan.yaml")
	until(t, "the second load", time.Minute, func() bool {
		if cmd.ProcessState != nil {
			t.Fatalf("the run ended: %s", errs)
		}
		return strings.Count(eventsOf(t, dir), `"phase.begin"`) == 3
	})
	time.Sleep(5 * time.Second) // into it, after the model was loaded again
	killRunner(t, engine)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	b, err := os.ReadFile(filepath.Join(runsIn(t, dir)[0], "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rep assay.Report
	if err := json.Unmarshal(b, &rep); err != nil {
		t.Fatal(err)
	}
	var crashes []assay.Episode
	for _, e := range rep.Episodes {
		if e.Subject == assay.InstanceOf && e.Ledger == assay.Natural {
			crashes = append(crashes, e)
		}
	}
	if len(crashes) != 1 || crashes[0].Begin < int64(15*time.Second) {
		t.Fatalf("natural failures of instances: %+v; want that of the runner that was killed, and not the model that was unloaded", crashes)
	}
	return crashes[0]
}

// eventsOf returns the events of the run in dir so far.
func eventsOf(t *testing.T, dir string) string {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "runs", "*", "events.jsonl"))
	if len(paths) == 0 {
		return ""
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// startOllama starts the engine on a free port and returns its URL and process.
func startOllama(t *testing.T, engine, dir string) (url string, pid int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	cmd := exec.Command(engine, "serve")
	cmd.Env = append(os.Environ(), "HOME="+dir, "OLLAMA_HOST="+addr, "OLLAMA_MODELS="+filepath.Join(dir, "models"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	base := "http://" + addr
	until(t, "ollama", time.Minute, func() bool {
		a, err := http.Get(base + "/api/version")
		if err != nil {
			return false
		}
		a.Body.Close()
		return a.StatusCode == http.StatusOK
	})
	return base, cmd.Process.Pid
}

// loadTiny gives the engine the model tiny.
func loadTiny(t *testing.T, base, dir string) {
	t.Helper()
	path := filepath.Join(dir, "tiny.gguf")
	writeGGUF(t, path)
	model, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(model))
	for _, q := range []struct {
		path string
		body []byte
	}{{"/api/blobs/" + digest, model}, {"/api/create", fmt.Appendf(nil, `{"model":"tiny","files":{"tiny.gguf":%q}}`, digest)}} {
		a, err := http.Post(base+q.path, "application/octet-stream", bytes.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		_, _ = said.ReadFrom(a.Body)
		a.Body.Close()
		if a.StatusCode/100 != 2 || strings.Contains(said.String(), `"error"`) {
			t.Fatalf("%s: %s: %s", q.path, a.Status, said.String())
		}
	}
}

// killRunner kills the process that holds the model: the one child of the engine.
func killRunner(t *testing.T, engine int) {
	t.Helper()
	killed := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range stats {
		stat, _ := os.ReadFile(p)
		_, rest, _ := strings.Cut(string(stat), ") ") // state, parent
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(engine) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(p)))
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				killed++
			}
		}
	}
	if killed != 1 {
		t.Fatalf("%d children of the engine were killed, want its one runner", killed)
	}
}
