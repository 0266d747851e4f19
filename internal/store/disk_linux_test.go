package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-dev/assay"
)

// TestDiskFullForReal fills a small file system with a run.
func TestDiskFullForReal(t *testing.T) {
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=10m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(mount, "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	rng := newRand(1)
	failed := false
	for i := 0; !failed; i++ {
		r := testRequest(rng, i)
		records := []assay.Record{&r, &assay.Scrape{Target: "t", Time: int64(i+1) * 1e6, Samples: []assay.Sample{{Name: "v", Value: rng.Float64()}}}}
		for _, s := range testSpans(rng, i) {
			records = append(records, &s)
		}
		for _, rec := range records {
			if err := w.Emit(rec); errors.Is(err, ErrFull) {
				time.Sleep(time.Millisecond)
			}
		}
		select {
		case err := <-w.Failed():
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("failed with %v", err)
			}
			failed = true
		default:
		}
		if i == 1000 && !failed { // what fills the disk may be spans alone where the requests get no processor
			waitFor(t, func() bool { return logged(t, dir) > 1000 })
		}
		if i > 2_000_000 {
			t.Fatal("a full disk went unnoticed")
		}
	}
	healed := &assay.Event{Time: 2, Kind: assay.EventFaultReverted, Fault: "f1"}
	if err := w.EmitSync(healed); err != nil {
		t.Errorf("an event on the full disk: %v", err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndDiskFull}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("seal: got %v", err)
	}
	r := openRun(t, dir)
	if r.Manifest().End.Status != assay.EndDiskFull || r.Manifest().End.Unrecorded == nil {
		t.Errorf("end: %+v", r.Manifest().End)
	}
	if n := len(readRequests(t, r)); n < 1000 || int64(n) != r.Counts().Requests {
		t.Errorf("%d requests loaded of %d", n, r.Counts().Requests)
	}
	if events, err := r.Events(); err != nil || len(events) != 1 {
		t.Errorf("events: %v, %v", events, err)
	}
	if _, err := r.Metrics(); err != nil { // there are none where the disk was full before the first of them was written
		t.Errorf("metrics: %v", err)
	}
	t.Logf("%+v", r.Manifest().End.Unrecorded)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	// A refused run leaves nothing behind, also where there is no room for it.
	fill, err := os.Create(filepath.Join(mount, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	if err := fill.Close(); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(mount, "a", "second")
	if _, err := Create(second, testManifest()); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("create on a full disk: got %v", err)
	}
	if _, err := os.Stat(filepath.Dir(second)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refused run left something behind: %v", err)
	}
}
