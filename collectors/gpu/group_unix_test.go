//go:build unix

package gpu

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// heldBy returns a script that starts a program which goes on for a minute and holds a pipe open, and the pipe's other end.
func heldBy(t *testing.T, name string) (path string, pipe *os.File) {
	t.Helper()
	dir := t.TempDir()
	path, fifo := filepath.Join(dir, name), filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("no pipe with a name: ", err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec 3>'"+fifo+"'\necho begun >&3\nsleep 60\necho x\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close() })
	return path, pipe
}

// TestKillsAll: what a script started that asks the cards is killed with it. A script that was killed before it began is tried anew with more time.
func TestKillsAll(t *testing.T) {
	for name, run := range map[string]func(ctx context.Context, path string, most time.Duration) error{
		"nvidia-smi": func(ctx context.Context, path string, most time.Duration) error {
			n := &NvidiaSMI{path: path, Timeout: most}
			_, err := n.run(ctx, "x")
			return err
		},
		"assay-nvml": func(ctx context.Context, path string, most time.Duration) error {
			ctx, cancel := context.WithTimeout(ctx, most)
			defer cancel()
			n := &NVML{Clock: runClock{time.Now()}, emit: func(assay.Record) error { return nil }}
			return n.once(ctx, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for most := 500 * time.Millisecond; ; most *= 3 {
				path, pipe := heldBy(t, name)
				begin := time.Now()
				if err := run(t.Context(), path, most); err == nil {
					t.Error("no error")
				}
				if took := time.Since(begin); took > most+pacetest.Patience {
					t.Errorf("ended after %v", took)
				}
				if err := pipe.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
					t.Fatal(err)
				}
				said, err := io.ReadAll(pipe)
				if err == nil && len(said) == 0 && most < 10*time.Second {
					continue
				}
				if err != nil || string(said) != "begun\n" {
					t.Errorf("what it started lives on: %q, %v", said, err)
				}
				return
			}
		})
	}
}
