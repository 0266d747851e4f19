package chaos

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// Where there is no driver each fault of a GPU is refused before the run, with the reason.
func TestNoGPU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, s := range []Step{{Fault: "gpu-memory", Bytes: 1 << 20}, {Fault: "gpu-clocks", MHz: 600}} {
		s.Instances, s.For = 1, time.Second
		want := "chaos[0].fault: " + s.Fault + " cannot be done here: nvidia-smi, which comes with the driver of NVIDIA GPUs, is not on PATH"
		if err := Check("chaos", []Step{s}); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := (&Local{}).Plan(t.Context(), &s, Victim{}); err == nil || !strings.Contains(err.Error(), "is not on PATH") {
			t.Errorf("plan: %v", err)
		}
	}
	node := gpuNode
	defer func() { gpuNode = node }()
	gpuNode = func(int) string { return "/dev/nvidia0-that-is-none" }
	if err := gpuLostWorks(); err == nil || !strings.HasPrefix(err.Error(), "there is no GPU: ") {
		t.Errorf("gpu-lost: %v", err)
	}
	gpuNode = func(int) string { return os.Args[0] }
	if _, err := deviceOf(gpuNode(0)); err == nil {
		t.Error("a file is taken for a device")
	}
}

func TestGPUHelperIsMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(must(filepath.Abs("../internal/gpu/testdata/nvidia-smi")), filepath.Join(dir, "nvidia-smi")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	if err := gpuMemoryWorks(); err == nil || !strings.Contains(err.Error(), "assay-gpu is neither beside ") {
		t.Errorf("%v", err)
	}
	if err := listGPUs(); err != nil {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What cannot be done to a card is refused when it is planned; what is not seen is void, never passed.
func TestGPURefusals(t *testing.T) {
	lookOnly(t)
	state := t.TempDir()
	t.Setenv("ASSAY_FAKE_GPU", state)
	d := &Local{Platform: newPlatform(t, 1)}
	for want, s := range map[string]Step{
		"there is no GPU 5; nvidia-smi lists 1":                       {Fault: "gpu-clocks", Watts: 150, GPU: 5},
		"GPU 0 (Stand-in 300) is limited to 300 W already":            {Fault: "gpu-clocks", Watts: 300},
		"can be limited to 100 W at least, not to 50":                 {Fault: "gpu-clocks", Watts: 50},
		"has a clock of 1980 MHz and at most 1980; want a lock below": {Fault: "gpu-clocks", MHz: 1980},
	} {
		if _, err := d.Plan(t.Context(), &s, Victim{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	void := func(s Step, want string, before func()) {
		t.Helper()
		before()
		s.Instances, s.For = 1, time.Second
		tr := newTrial(d, s)
		tr.Verify = time.Millisecond
		tr.run(t, context.Background())
		e := tr.event(t, s.Fault+"-1", assay.EventFaultVoid)
		if !strings.Contains(e.Text, want) {
			t.Errorf("%s is void because %q, want %q", s.Fault, e.Text, want)
		}
	}
	write := func(name, text string) func() {
		return func() {
			if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	void(Step{Fault: "gpu-memory", Bytes: 2 << 30}, "the GPU has 1073741824 bytes free, want 2147483648", func() {})
	void(Step{Fault: "gpu-clocks", Watts: 150}, "Insufficient Permissions", write("refuse", ""))
	if err := os.Remove(filepath.Join(state, "refuse")); err != nil {
		t.Fatal(err)
	}
	// A card that idles below the lock shows nothing of it.
	a, err := d.Plan(t.Context(), &Step{Fault: "gpu-clocks", MHz: 600}, Victim{})
	if err != nil {
		t.Fatal(err)
	}
	write("clock", "210\n")()
	idle, err := d.Plan(t.Context(), &Step{Fault: "gpu-clocks", MHz: 600}, Victim{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if effect, err := idle.Effect(ctx); err == nil {
		t.Errorf("a card that idled before: %q", effect)
	}
	if effect, err := a.Effect(t.Context()); err != nil || !strings.Contains(effect, "run at 210 MHz, and at 1980 before") {
		t.Errorf("a card that came down: %q, %v", effect, err)
	}
}

func TestXIDLine(t *testing.T) {
	for bus, want := range map[string]string{"00000000:3B:00.0": "0000:3b:00", "0000:81:00.0": "0000:81:00", "": ""} {
		if got := shortBus(bus); got != want {
			t.Errorf("%s is %s, want %s", bus, got, want)
		}
	}
	if got, want := xidLine("0000:3b:00", 79, "m"), "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus. (simulated by assay, m)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(xidLine("b", 200, "m"), ", made up (simulated by assay, m)") {
		t.Error(xidLine("b", 200, "m"))
	}
	want := []Wrong{{"gpu", "-1 is out of range; 0 to 63"}, {"xid", "256 is out of range; 1 to 255"}}
	if diff := cmp.Diff(want, checkXID(&Step{XID: 256, GPU: -1})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
