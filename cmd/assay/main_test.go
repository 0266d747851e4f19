package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/pacetest"
)

// ofTest carries the test's directory to every process that its runs start, so that they can be told from those of other tests.
const ofTest = "ASSAY_TEST_DIR"

// asMain makes the test binary behave as assay; its children, which run the same binary, inherit it.
const asMain = "ASSAY_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		os.Exit(run(context.Background(), os.Stdin, os.Stdout, os.Stderr, os.Args[1:]))
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// full skips a test that belongs to the full tier.
func full(t *testing.T) {
	t.Helper()
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
}

// cli returns assay as a process of its own, with dir as its working directory and weights cached across tests.
func cli(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program(t, args), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asMain+"=1", ofTest+"="+dir, "LC_ALL=C.UTF-8",
		"GORACE=atexit_sleep_ms=0") // the race detector would hold each process for a second at its end
	return cmd
}

type result struct {
	out, err string
	code     int
}

// assayIn runs assay to its end.
func assayIn(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := cli(t, dir, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("assay %v: %v", args, err)
	}
	figuresStand(t, dir, out.String())
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// write puts a plan into dir and returns its name.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// runsIn lists the run directories below dir.
func runsIn(t *testing.T, dir string) []string {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// ours lists the processes that runs in dir have started: the run itself, its guardian, platform and workers.
func ours(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skipf("needs /proc: %v", err)
	}
	var out []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil || !strings.Contains("\x00"+string(env), "\x00"+ofTest+"="+dir+"\x00") {
			continue // also a zombie, whose environment is empty
		}
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		out = append(out, e.Name()+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
	}
	return out
}

// gone waits until no process of ours is left below dir and returns how long that took; it fails after limit.
func gone(t *testing.T, dir string, limit time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		left := ours(t, dir)
		took := time.Since(begin)
		if len(left) == 0 {
			return took
		}
		if took > pacetest.Most(limit) {
			t.Fatalf("after %v these processes are left:\n%s", took, strings.Join(left, "\n"))
		}
		time.Sleep(5 * time.Millisecond) // polls the process table; the limit above decides
	}
}
