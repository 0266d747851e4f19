package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// built is assay as its users have it, in a directory that TestMain removes; empty before it is asked for, and where the test binary itself will do.
var built struct {
	once sync.Once
	dir  string
	exe  string
	err  error
}

var goTool, _ = exec.LookPath("go") // before a test changes PATH

// concurrent tells the commands that the race detector looks into when the tests are built with it: those that load, watch and hurt.
func concurrent(args []string) bool {
	return len(args) > 0 && (slices.Contains([]string{"run", "load", "calibrate", "sandbox"}, args[0]) || slices.Contains(args, "--live"))
}

// program returns the program that stands for assay in a test: this one, which then behaves as assay does, or assay itself. The latter starts in a
// third of the time and reads records ten times faster than one with the race detector, which finds nothing in a command that only reads and prints.
func program(t *testing.T, args []string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !raced() || concurrent(args) {
		return self
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "assay-test-"); built.err != nil {
			return
		}
		built.exe = filepath.Join(built.dir, "assay")
		build := exec.Command(goTool, "build", "-trimpath", "-o", built.exe, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is published
		if out, err := build.CombinedOutput(); err != nil {
			t.Logf("go build: %v\n%s", err, out)
			built.exe = self
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.exe
}

// raced tells whether this binary is built with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
