package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/store"
)

// drill has one fault of each kind that the local driver does, short enough for all of them to lie on the sandbox within a few seconds, some
// on top of one another. DIR is the directory of the test.
var drill = map[string]string{
	"kill":         "fault: kill",
	"terminate":    "fault: terminate",
	"crashloop":    "fault: crashloop, for: 2s",
	"hang":         "fault: hang, for: 3s",
	"delay":        "fault: delay, delay: 50ms, for: 3s",
	"cut":          "fault: cut, mode: blackhole, for: 2s",
	"bandwidth":    "fault: bandwidth, rate: 32KiB, for: 3s",
	"slow-close":   "fault: slow-close, delay: 200ms, for: 3s",
	"files":        "fault: files, for: 2s",
	"memory-limit": "fault: memory-limit, bytes: 64MiB, for: 2s",
	"cpu-quota":    "fault: cpu-quota, quota: 5%, for: 3s",
	"cpu":          "fault: cpu, cpus: 1, for: 3s",
	"memory":       "fault: memory, bytes: 32MiB, for: 3s",
	"disk":         "fault: disk, dir: DIR/disk, bytes: 16MiB, for: 3s",
	"slow-start":   "fault: slow-start, delay: 500ms, for: 3s",
	"loss":         "fault: loss, probability: 10%, for: 2s",
	"slow-reads":   "fault: slow-reads, delay: 20ms, for: 3s",
	"http":         "fault: http, status: 503, every: 2, for: 3s",
	"stream":       "fault: stream, mode: stall, tokens: 3, every: 2, for: 3s",
	"dns":          "fault: dns, mode: servfail, for: 3s",
	"gpu-memory":   "fault: gpu-memory, bytes: 64MiB, for: 3s",
	"gpu-clocks":   "fault: gpu-clocks, watts: 150, for: 3s",
	"gpu-lost":     "fault: gpu-lost, for: 3s",
	"xid":          "fault: xid",
	"clock":        "fault: clock, offset: -1h, for: 3s",
}

// drillPlan returns a plan whose faults come at the given rng's moments.
func drillPlan(t *testing.T, dir string, rng *rand.Rand) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: assay/v1\nname: drill\nseed: %d\ntarget: {kind: sandbox, sandbox: {minScale: 4, maxScale: 6, weightsHost: weights.example}}\n", rng.Uint64N(1e9)+1)
	b.WriteString("load:\n- {name: steady, arrivals: {poisson: {rate: 8/s}}, for: 10s}\nchaos:\n")
	for _, k := range chaos.Kinds() {
		text, ok := drill[k.Name]
		if !ok || k.Available() != nil {
			continue
		}
		fmt.Fprintf(&b, "- {at: %dms, %s}\n", rng.IntN(7000), strings.ReplaceAll(text, "DIR", dir))
	}
	return b.String()
}

// TestDrillHasEachKind: a kind of fault cannot be left out of the kill points.
func TestDrillHasEachKind(t *testing.T) {
	var want, got []string
	for _, k := range chaos.Kinds() {
		for _, by := range k.By() {
			if by == chaos.ByLocal {
				want = append(want, k.Name)
			}
		}
		if _, ok := drill[k.Name]; ok {
			got = append(got, k.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(drill) != len(got) {
		t.Errorf("local kinds of fault (-want +got in the drill):\n%s", diff)
	}
}

// TestKillPoints kills runs with SIGKILL at random points of a drill of all kinds of fault: the run alone, and then its guardian cleans up within a
// second; or run and guardian together, and then assay heal does. Nothing is left either way.
func TestKillPoints(t *testing.T) {
	n, lanes := 2, 1
	if os.Getenv("ASSAY_FULL") != "" {
		n, lanes = 200, 2
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d kill points from seed %d", n, seed)
	points := make(chan int)
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for i := range points {
				t.Run(fmt.Sprint(i), func(t *testing.T) { killPoint(t, rand.New(rand.NewPCG(seed, uint64(i))), i%2 == 1) })
			}
		})
	}
	for i := range n {
		points <- i
	}
	close(points)
	wg.Wait()
}

func killPoint(t *testing.T, rng *rand.Rand, both bool) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "disk"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "plan.yaml", drillPlan(t, dir, rng))
	cmd, errs := start(t, dir, "run", "plan.yaml")
	until(t, "load", time.Minute, func() bool {
		if cmd.ProcessState != nil {
			t.Fatalf("the run ended: %s", errs)
		}
		return eventsHave(dir, `"phase.begin"`)
	})
	wait := time.Duration(rng.Int64N(int64(10 * time.Second)))
	time.Sleep(wait) // the random point
	if both {
		// All at once, as when the machine's memory runs out: first stop both, so that neither sees the other die.
		victims := []int{cmd.Process.Pid}
		for _, p := range ours(t, dir) {
			var pid int
			fmt.Sscan(p, &pid)
			if strings.Contains(p, "x-guardian") {
				victims = append(victims, pid)
			}
		}
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, pid := range victims {
				syscall.Kill(pid, sig)
			}
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	limit := time.Second
	if both {
		limit = 3 * time.Second
		if got := assayIn(t, dir, "heal", runs[0]); got.code != assay.ExitGo {
			t.Fatalf("killed both after %v: heal: exit %d\n%s%s", wait, got.code, got.out, got.err)
		}
	}
	took := gone(t, dir, limit)
	if left := leftBehind(t, dir); len(left) > 0 {
		t.Errorf("killed after %v (both: %v): left behind: %v", wait, both, left)
	}
	if open := openFaults(t, runs[0]); len(open) > 0 {
		t.Errorf("killed after %v (both: %v): faults without an end: %v", wait, both, open)
	}
	if got := assayIn(t, dir, "heal", runs[0]); got.code != assay.ExitGo || !nothing(got.out) {
		t.Errorf("killed after %v (both: %v): heal had something to do: exit %d\n%s%s", wait, both, got.code, got.out, got.err)
	}
	t.Logf("killed after %v (both: %v): no process left %v later", wait.Round(time.Millisecond), both, took.Round(time.Millisecond))
}

// nothing reports whether heal found nothing in force.
func nothing(out string) bool {
	for line := range strings.Lines(out) {
		if !strings.Contains(line, ": nothing to heal") && !(strings.Contains(line, ": already clear: ") && strings.HasSuffix(line, ": no longer in force\n")) {
			return false
		}
	}
	return true
}

// leftBehind lists what faults have left on the machine outside of processes.
func leftBehind(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "disk"))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, "disk/"+e.Name())
	}
	return append(left, heldLeft(t, dir)...)
}

// openFaults lists the faults that were put in force and, by the run's own journal and the notes of its guardian and of heal, have no end.
func openFaults(t *testing.T, dir string) []string {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, e := range events {
		switch e.Kind {
		case assay.EventFaultApplied: // one that was killed between its journal and its guardian was never put in force
			open[e.Fault] = true
		case assay.EventFaultClear:
			delete(open, e.Fault)
		}
	}
	var out []string
	for id := range open {
		out = append(out, id)
	}
	return out
}
