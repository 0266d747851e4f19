package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// A disk is a file system that can be full or stand still.
type disk struct {
	full  atomic.Bool
	mu    sync.Mutex // held while it stands still
	files []string
}

func (d *disk) open(path string) (logFile, error) {
	f, err := openFile(path)
	return &diskFile{f, d, path}, err
}

type diskFile struct {
	logFile
	d    *disk
	path string
}

var errNoSpace = errors.New("no space left on device")

func (f *diskFile) Write(p []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	// As on a real disk, the reserve is what is left when nothing is.
	if _, err := os.Stat(filepath.Join(filepath.Dir(f.path), reserveName)); f.d.full.Load() && (err == nil || !strings.HasSuffix(f.path, eventsName)) {
		n, _ := f.logFile.Write(p[:len(p)/2])
		return n, errNoSpace
	}
	return f.logFile.Write(p)
}

// TestDiskFull fills the disk in the middle of a run: what was recorded stays, the
// loss is counted, events and the ending are still written.
func TestDiskFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	d := new(disk)
	w, err := create(dir, testManifest(), d.open)
	if err != nil {
		t.Fatal(err)
	}
	rng := newRand(1)
	emit := func(from, to int) (failed int64) {
		for i := from; i < to; i++ {
			r := testRequest(rng, i)
			if w.Emit(&r) != nil {
				failed++
			}
		}
		return failed
	}
	if n := emit(0, 100); n != 0 {
		t.Fatalf("%d requests not taken", n)
	}
	if err := w.Emit(&assay.Event{Time: 1, Kind: assay.EventAnnotation}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return logged(t, dir) == 100 })
	d.full.Store(true)
	emit(100, 200)
	select {
	case err := <-w.Failed():
		if !errors.Is(err, errNoSpace) || !strings.Contains(err.Error(), dir) || !errors.Is(w.Err(), err) {
			t.Errorf("failed with %v, Err is %v", err, w.Err())
		}
	case <-time.After(pacetest.Patience):
		t.Fatal("the full disk was not noticed")
	}
	if n := emit(200, 250); n != 50 {
		t.Errorf("%d of 50 requests were refused", n)
	}
	if err := w.Emit(&assay.Sample{Name: "s", Time: 1}); !errors.Is(err, errNoSpace) {
		t.Errorf("a sample: got %v", err)
	}
	healed := assay.Event{Time: 2, Kind: assay.EventFaultReverted, Fault: "f1"}
	if err := w.EmitSync(&healed); err != nil {
		t.Errorf("an event on the full disk: %v", err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndDiskFull}); !errors.Is(err, errNoSpace) {
		t.Errorf("seal: got %v", err)
	}
	r := openRun(t, dir)
	got := readRequests(t, r)
	lost := r.Manifest().End.Unrecorded["requests/disk_failed"]
	if len(got) < 100 || int64(len(got))+lost != 250 {
		t.Errorf("%d requests loaded, %d counted as lost, of 250", len(got), lost)
	}
	rng = newRand(1)
	for i := range got {
		if diff := diff(testRequest(rng, i), got[i]); diff != "" {
			t.Fatalf("request %d (-want +got):\n%s", i, diff)
		}
	}
	if got := r.Manifest().End.Status; got != assay.EndDiskFull {
		t.Errorf("end: got %q", got)
	}
	events, err := r.Events()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]assay.Event{{Time: 1, Kind: assay.EventAnnotation}, healed}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestDiskSlow lets the disk stand still: nobody who emits waits, and what finds no room is counted.
func TestDiskSlow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	d := new(disk)
	w, err := create(dir, testManifest(), d.open)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	r := assay.Request{ID: 1, Due: 1, Phase: "steady", Error: strings.Repeat("x", 60_000)}
	taken, full := int64(0), int64(0)
	for full < 10 {
		if err := w.Emit(&r); err == nil {
			taken++
		} else if errors.Is(err, ErrFull) {
			full++
		} else {
			t.Fatal(err)
		}
		if taken*60_000 > 2*batchLimit*batchSize {
			t.Fatalf("%d requests taken and no end", taken)
		}
	}
	d.mu.Unlock()
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&r); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: got %v", err)
	}
	run := openRun(t, dir)
	if got := run.Counts().Requests; got != taken {
		t.Errorf("%d requests loaded of %d taken", got, taken)
	}
	if diff := cmp.Diff(map[string]int64{"requests/disk_slow": full}, run.Manifest().End.Unrecorded); diff != "" {
		t.Errorf("unrecorded (-want +got):\n%s", diff)
	}
}

// TestEmitWait: a source that can wait loses nothing on a disk that stands still, and gives up when it is told to.
func TestEmitWait(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	d := new(disk)
	w, err := create(dir, testManifest(), d.open)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	r := assay.Request{ID: 1, Due: 1, Phase: "steady", Error: strings.Repeat("x", 60_000)}
	ctx, cancel := context.WithCancel(t.Context())
	taken := int64(0)
	for full := 0; full < 64; { // every shard has no room
		if w.emit(&r, true) == nil {
			taken++
		} else {
			full++
		}
	}
	cancel()
	if err := w.EmitWait(ctx, &r); !errors.Is(err, context.Canceled) {
		t.Errorf("on a disk that stands still: %v, want it canceled", err)
	}
	time.AfterFunc(10*time.Millisecond, d.mu.Unlock)
	for range 100 {
		if err := w.EmitWait(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	run := openRun(t, dir)
	if got := run.Counts().Requests; got != taken+100 || run.Manifest().End.Unrecorded != nil {
		t.Errorf("%d requests loaded, unrecorded %v; want %d and none", got, run.Manifest().End.Unrecorded, taken+100)
	}
}

// waitFor waits until done is true.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(pacetest.Patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %v", pacetest.Patience)
		}
	}
}

// logged counts the requests that are in the log of the open run at dir. Each shard writes its own: the first bytes there say nothing of the rest.
func logged(t *testing.T, dir string) (n int) {
	t.Helper()
	if _, err := scanLog(filepath.Join(dir, requestsDir, logName), requestCodec.magic, func(f frame, _ []byte) error { n += f.n; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}
