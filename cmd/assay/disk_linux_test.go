package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// TestDiskFull: a disk that fills up mid-run stops the load, heals, keeps the directory and ends with 12.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "runs")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=80m"); err != nil {
		t.Skipf("needs to mount a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	write(t, dir, "plan.yaml", strings.Replace(hurtPlan, "at: 2s}", "at: 7s}", 1)+"budget: {for: 1m}\n")
	cmd, errs := start(t, dir, "run", "plan.yaml")
	until(t, "a request on the disk", 30*time.Second, func() bool { // beyond the log's eight bytes of magic
		logs, _ := filepath.Glob(filepath.Join(disk, "*", "requests", "*.log"))
		if len(logs) == 0 {
			return false
		}
		at, err := os.Stat(logs[0])
		return err == nil && at.Size() > 8
	})
	hog, err := os.Create(filepath.Join(disk, "hog"))
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for err == nil {
		_, err = hog.Write(chunk)
	}
	for small := chunk[:4096]; ; { // the last pages too
		if _, err := hog.Write(small); err != nil {
			break
		}
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	until(t, "end of the run", 30*time.Second, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	if code := cmd.ProcessState.ExitCode(); code != assay.ExitInvalid {
		t.Errorf("exit %d, want 12\n%s", code, errs)
	}
	gone(t, dir, 3*time.Second)
	hog.Close()
	os.Remove(hog.Name())
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("runs: %v", runs)
	}
	run, err := store.Open(runs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if end := run.Manifest().End; end.Status != assay.EndDiskFull {
		t.Errorf("the run ended %q, %q", end.Status, end.Reason)
	}
	n := 0
	if err := run.Requests(context.Background(), func(b []assay.Request) error { n += len(b); return nil }); err != nil || n == 0 {
		t.Errorf("%d requests kept, %v", n, err)
	}
	if got := assayIn(t, dir, "assess", runs[0]); got.code != assay.ExitInvalid {
		t.Errorf("assess: exit %d: %s", got.code, got.err)
	}
}
