package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// runClock is a run's clock.
type runClock struct{ epoch time.Time }

func (c runClock) Now() int64              { return int64(time.Since(c.epoch)) }
func (c runClock) FromUnix(ns int64) int64 { return ns - c.epoch.UnixNano() }

// A sink keeps what a source emits.
type sink struct {
	mu      sync.Mutex
	scrapes []assay.Scrape
	events  []assay.Event
}

func (s *sink) emit(r assay.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := r.(type) {
	case *assay.Scrape:
		c := *r
		c.Samples = append([]assay.Sample(nil), r.Samples...)
		s.scrapes = append(s.scrapes, c)
	case *assay.Event:
		s.events = append(s.events, *r)
	}
	return nil
}

// start runs a source until the test or stop ends it.
func start(t *testing.T, src assay.Source, s *sink) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, s.emit) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// until waits for what the sink is to hold.
func (s *sink) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(pacetest.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		ok := holds()
		s.mu.Unlock()
		if ok {
			return
		}
	}
	t.Fatalf("no %s: %d scrapes, %+v", what, len(s.scrapes), s.events)
}

// fakeSMI returns the stand-in, and the directory of what is wrong with it.
func fakeSMI(t *testing.T) (path, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in is a shell script")
	}
	path, err := filepath.Abs("testdata/nvidia-smi")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	t.Setenv("ASSAY_FAKE_SMI", dir)
	return path, dir
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNvidiaSMILive(t *testing.T) {
	path, dir := fakeSMI(t)
	s := &sink{}
	stop := start(t, &NvidiaSMI{Path: path, Interval: 10 * time.Millisecond, Clock: runClock{time.Now()}}, s)
	s.until(t, "three looks", func() bool { return len(s.scrapes) >= 6 })
	touch(t, filepath.Join(dir, "idle"))
	s.until(t, "end of the processes", func() bool { return s.scrapes[len(s.scrapes)-1].Gone || len(s.scrapes) > 200 })
	touch(t, filepath.Join(dir, "lost"))
	s.until(t, "word of the card", func() bool { return len(s.events) > 0 })
	if err := os.Remove(filepath.Join(dir, "lost")); err != nil {
		t.Fatal(err)
	}
	s.until(t, "word of its return", func() bool { return len(s.events) > 1 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	const u = `{uuid="00000000-0000-0000-0000-000000000000"}`
	want := map[string]float64{"nvidia_smi_utilization_gpu_ratio" + u: 0.09, "nvidia_smi_memory_used_bytes" + u: 1235 << 20, "nvidia_smi_index" + u: 0, "nvidia_smi_clocks_event_reasons_active" + u: 4,
		`nvidia_smi_compute_app_info{pid="20037",process_name="ffmpeg",uuid="00000000-0000-0000-0000-000000000000"}`:              1,
		`nvidia_smi_compute_app_used_memory_bytes{pid="20037",process_name="ffmpeg",uuid="00000000-0000-0000-0000-000000000000"}`: 538 << 20, "nvidia_smi_compute_apps" + u: 1}
	if d := cmp.Diff(want, values(s.scrapes)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	failed := false
	for _, sc := range s.scrapes {
		failed = failed || sc.Target == "nvidia-smi" && strings.Contains(sc.Error, "exit status 15")
		if sc.Time <= 0 || sc.Time > int64(time.Minute) {
			t.Errorf("stamped %d", sc.Time)
		}
	}
	if !failed || !strings.HasPrefix(s.events[0].Text, "nvidia-smi does not answer: ") || s.events[1].Text != "nvidia-smi answers again" {
		t.Errorf("%t, %+v", failed, s.events)
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil || !strings.Contains(string(asked), "--query-gpu=index,uuid,pci.bus_id,utilization.gpu,memory.used,temperature.memory,clocks_throttle_reasons.active\n") {
		t.Errorf("%v, asked %s", err, asked)
	}
}

func TestNvidiaSMIInTrouble(t *testing.T) {
	path, dir := fakeSMI(t)
	n := &NvidiaSMI{Path: path, Timeout: pacetest.Patience, Clock: runClock{time.Now()}}
	if cards, missing, err := n.Ask(t.Context()); cards != 1 || len(missing) != len(SMIFields)-6 || err != nil {
		t.Errorf("%d cards, %d missing, %v", cards, len(missing), err)
	}
	for what, want := range map[string]string{"hang": "it took longer than 300ms and was killed", "flood": "", "lost": "exit status 15: Unable to determine the device handle"} {
		touch(t, filepath.Join(dir, what))
		hasty := *n
		if what == "hang" {
			hasty.Timeout = 300 * time.Millisecond
		}
		_, _, err := hasty.Ask(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		os.Remove(filepath.Join(dir, what))
	}
	// Without its help, fields are left out as they are refused.
	touch(t, filepath.Join(dir, "nohelp"))
	s := &sink{}
	n = &NvidiaSMI{Path: path, Interval: time.Millisecond, Clock: runClock{time.Now()}}
	stop := start(t, n, s)
	s.until(t, "a look", func() bool { return len(s.scrapes) > 0 })
	_ = stop()
	if s.scrapes[0].Error != "" || len(s.scrapes[0].Samples) != 4 || len(s.events) != 2 || !strings.HasPrefix(s.events[1].Text, "this driver has no name, driver_version, pstate, ") {
		t.Errorf("%+v, %d events", s.scrapes[0], len(s.events))
	}
	err := (&NvidiaSMI{Path: "/nowhere/nvidia-smi", Clock: runClock{time.Now()}}).Run(t.Context(), s.emit)
	if err == nil || !strings.Contains(err.Error(), "was not found as /nowhere/nvidia-smi") {
		t.Error(err)
	}
}

func TestFollowKernelFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kern.log")
	const before = "NVRM: Xid (PCI:0000:01:00): 13, before\n"
	if err := os.WriteFile(path, []byte("x "+before), 0o644); err != nil {
		t.Fatal(err)
	}
	add := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &sink{}
	clock := runClock{time.Now().Add(-time.Hour)}
	stop := start(t, &FollowKernel{Path: path, Clock: clock}, s)
	// It stands at the end of the file once it watches: until then a line may be taken for one from before.
	s.until(t, "error", func() bool {
		add(fmt.Sprintf("%s n1 kernel: NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=a, off\n", time.Now().UTC().Format(time.RFC3339Nano)))
		return len(s.events) > 0
	})
	add("no stamp NVRM: nothing\n" + strings.Repeat("x", 2*maxFollowed))
	s.until(t, "word of the long line", func() bool { return s.events[len(s.events)-1].Kind == assay.EventWarning })
	// The file is replaced.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(time.Now().Add(-30*24*time.Hour).UTC().Format(time.RFC3339)+" n1 kernel: NVRM: Xid (PCI:0000:5e:00): 48, DBE\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.until(t, "error of the new file", func() bool { e := s.events[len(s.events)-1]; return e.Attrs["xid"] == "48" })
	last := s.events[len(s.events)-1]
	if now := clock.Now(); last.Time < now-int64(10*time.Second) || last.Time > now || last.Resolution != int64(followPeriod) {
		t.Errorf("a stamp that cannot be: %+v at %d", last, now)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	first, end := s.events[0], s.events[len(s.events)-1]
	if first.Attrs["xid"] != "79" || first.Attrs["host"] != "n1" || first.Time < int64(time.Hour)-int64(time.Minute) {
		t.Errorf("%+v", first)
	}
	if end.Kind != assay.EventGPUWatched || end.Attrs["cards"] != "0000:3b:00 0000:5e:00" || len(end.Attrs["start_ns"]) != len("3600000000000") {
		t.Errorf("%+v", end)
	}
	if err := (&FollowKernel{Path: path + ".none", Clock: clock}).Run(t.Context(), s.emit); err == nil || !strings.Contains(err.Error(), "follow the kernel log: open") {
		t.Error(err)
	}
	if err := CanFollow(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}

// TestFollowKmsg writes a made-up error into this machine's log, where that is allowed.
func TestFollowKmsg(t *testing.T) {
	if err := CanFollow(""); err != nil {
		t.Skip(err)
	}
	out, err := os.OpenFile(Kmsg, os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer out.Close()
	s := &sink{}
	clock := runClock{time.Now()}
	stop := start(t, &FollowKernel{Clock: clock}, s)
	mark := fmt.Sprintf("assay test %d", time.Now().UnixNano())
	s.until(t, "error", func() bool { // it opens the log meanwhile
		if _, err := fmt.Fprintf(out, "<3>NVRM: Xid (PCI:0000:00:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus. (simulated by assay, %s)\n", mark); err != nil {
			t.Skip(err)
		}
		return len(s.events) > 0
	})
	_ = stop()
	e := s.events[0]
	if e.Attrs["simulated"] != "true" || !strings.Contains(e.Text, mark) || e.Resolution != int64(time.Millisecond) || e.Time <= 0 || e.Time > clock.Now() {
		t.Errorf("%+v", e)
	}
}
