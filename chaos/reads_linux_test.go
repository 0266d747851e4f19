package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-dev/assay/internal/pacetest"
)

// cover mounts a file system that reads badly over a directory, and returns its process and its undo.
func cover(t *testing.T, r reads) (Process, *Undo, io.Closer) {
	t.Helper()
	if err := fuseWorks(); err != nil {
		t.Skip(err)
	}
	r.For = time.Minute
	u := &Undo{ID: "f", Kind: UndoUnmount, Path: r.Dir, Mark: newMark()}
	cmd := exec.Command(os.Args[0], ReadsCommand, u.Mark, asJSON(r))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Killed before it says so, it may be asking its own file system for something, and nobody answers.
	if _, err := out.Read(make([]byte, len(readsReady))); err != nil {
		t.Errorf("it did not say that it is ready: %v", err)
	}
	t.Cleanup(func() {
		u.Do(t.Context())
		cmd.Process.Kill()
		cmd.Wait()
	})
	p, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "mounted", func() error {
		on, err := mounted(r.Dir, u.Mark)
		if err == nil && !on {
			err = errors.New("it is not")
		}
		return err
	})
	return p, u, in
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(pacetest.Patience)
	for err := try(); err != nil; err = try() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func gone(p Process) func() error {
	return func() error {
		if !p.Gone() {
			return fmt.Errorf("%v lives", p)
		}
		return nil
	}
}

// What is read under the fault is what stands there, and what is written arrives, also by a rename.
func TestReadsPassThrough(t *testing.T) {
	dir := t.TempDir()
	want := make([]byte, 300<<10)
	for i := range want {
		want[i] = byte(i >> 8)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "blob"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a/blob", filepath.Join(dir, "model")); err != nil { // as caches of models have them
		t.Fatal(err)
	}
	p, u, in := cover(t, reads{Dir: dir, Mode: readsSlow, Delay: time.Millisecond})
	got, err := os.ReadFile(filepath.Join(dir, "model"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp"), []byte("new"), 0o640); err != nil {
		t.Error(err)
	}
	if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "a", "new")); err != nil {
		t.Error(err)
	}
	in.Close() // as when its injector dies
	eventually(t, "end", gone(p))
	if err := u.away(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a", "new")); string(b) != "new" || err != nil {
		t.Errorf("what was written: %q, %v", b, err)
	}
}

// A file that was opened under the fault, as a model that is mapped is, goes on to be read when it is over, and well; our process ends with it.
func TestReadsOfOpenFilesOutliveTheFault(t *testing.T) {
	dir := models(t)
	p, u, _ := cover(t, reads{Dir: dir, Mode: readsSlow, Delay: 10 * time.Second})
	f, err := os.Open(filepath.Join(dir, "weights"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	go func() {
		n, err := f.ReadAt(make([]byte, 4096), 0)
		done <- read{n, err}
	}()
	select {
	case r := <-done:
		t.Errorf("read %d bytes at once, %v", r.n, r.err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := u.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	select { // who waits is let go
	case r := <-done:
		if r.n != 4096 || r.err != nil {
			t.Errorf("read %d bytes, %v", r.n, r.err)
		}
	case <-time.After(pacetest.Patience):
		t.Fatal("the read still waits")
	}
	eventually(t, "away", func() error { return u.away(t.Context()) })
	if b, err := io.ReadAll(f); len(b) != 256<<10 || err != nil {
		t.Errorf("read %d bytes afterwards, %v", len(b), err)
	}
	if p.Gone() {
		t.Error("our process left an open file alone")
	}
	f.Close()
	eventually(t, "end", gone(p))
}

// A reader that is killed while it waits is gone at once, not when its read is done.
func TestReaderCanBeKilled(t *testing.T) {
	dir := models(t)
	cover(t, reads{Dir: dir, Mode: readsSlow, Delay: 10 * time.Second})
	cmd := exec.Command("/bin/cat", filepath.Join(dir, "weights"))
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	eventually(t, "read", func() error {
		if s, err := look(cmd.Process.Pid); err != nil || s.state != 'D' && s.state != 'S' {
			return fmt.Errorf("state %c, %v", s.state, err)
		}
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", cmd.Process.Pid))
		if err == nil && len(fds) < 4 {
			err = errors.New("it has opened nothing yet")
		}
		return err
	})
	begin := time.Now()
	cmd.Process.Kill()
	cmd.Wait()
	if took := time.Since(begin); took > pacetest.Most(2*time.Second) {
		t.Errorf("took %v", took)
	}
}

// Whatever became of our process, the undo takes away its file system, but no other.
func TestUnmount(t *testing.T) {
	dir := models(t)
	p, u, _ := cover(t, reads{Dir: dir, Mode: readsFail})
	if err := p.signal(syscall.SIGKILL, func() {}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "end", gone(p))
	if _, err := os.ReadDir(dir); err == nil {
		t.Error("a file system without a process still answers")
	}
	if err := u.Do(t.Context()); err != nil {
		t.Error(err)
	}
	if err := u.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "weights")); len(b) != 256<<10 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}

	_, u, _ = cover(t, reads{Dir: dir, Mode: readsFail})
	if err := unix.Mount("theirs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip(err)
	}
	if err := u.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "theirs was mounted over "+dir+" meanwhile") {
		t.Errorf("under another's: %v", err)
	}
	if err := u.away(t.Context()); err == nil {
		t.Error("it is away")
	}
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
	if err := u.Do(t.Context()); err != nil {
		t.Error(err)
	}
	if err := u.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A rate holds for all reads together.
func TestReadsAtARate(t *testing.T) {
	dir := models(t)
	cover(t, reads{Dir: dir, Mode: readsSlow, Rate: 512 << 10})
	begin := time.Now()
	b, err := os.ReadFile(filepath.Join(dir, "weights"))
	took := time.Since(begin)
	if len(b) != 256<<10 || err != nil || took < 450*time.Millisecond || took > pacetest.Most(2*time.Second) {
		t.Errorf("%d bytes took %v, %v; want half a second", len(b), took, err)
	}
}
