package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/store"
)

// events returns the events of a run.
func events(t *testing.T, name string) []assay.Event {
	t.Helper()
	run, err := store.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	list, err := run.Events()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// undos returns the undos that were armed in the runs below dir.
func undos(t *testing.T, dir string) (list []chaos.Undo) {
	t.Helper()
	for _, name := range runsIn(t, dir) {
		for _, e := range events(t, name) {
			if e.Kind != assay.EventFaultArmed {
				continue
			}
			var u chaos.Undo
			if err := json.Unmarshal([]byte(e.Attrs["undo"]), &u); err != nil {
				t.Fatal(err)
			}
			list = append(list, u)
		}
	}
	return list
}

// heldLeft lists what faults have left in the kernel: control groups and file systems.
func heldLeft(t *testing.T, dir string) (left []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range undos(t, dir) {
		switch u.Kind {
		case chaos.UndoCgroup:
			if _, err := os.Lstat(u.Path); err == nil {
				left = append(left, u.Path)
			}
		case chaos.UndoUnmount:
			if bytes.Contains(mounts, []byte(u.Mark)) {
				left = append(left, u.Mark+" over "+u.Path)
			}
		}
	}
	return left
}

// able skips the test if this machine cannot do a fault.
func able(t *testing.T, fault string) {
	t.Helper()
	for _, k := range chaos.Kinds() {
		if k.Name == fault {
			if err := k.Available(); err != nil {
				t.Skip(err)
			}
		}
	}
}

// Weights that are read slowly lengthen the fetch of the start that falls into the fault, and of no other; the sandbox reads weights of its own, so
// that no other run feels it.
func TestSlowReadsOfWeights(t *testing.T) {
	t.Parallel()
	able(t, "slow-reads")
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: slow
target: {kind: sandbox, model: nano, sandbox: {loadFloor: 20ms, maxScale: 1}}
load: [{name: starts, cold: {force: 3, every: 5s}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: slow-reads, at: 1500ms, for: 8s, delay: 1s}]
`)
	got := assayIn(t, dir, "run", "plan.yaml")
	runs := runsIn(t, dir)
	if len(runs) != 1 {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	r, _ := readResult(t, runs[0])
	if len(r.Faults) != 1 || r.Faults[0].Window.Void != "" || r.Faults[0].Window.Clear == 0 || r.Faults[0].Window.Target != assay.WholeMachine {
		t.Fatalf("faults: %+v\n%s", r.Faults, got.err)
	}
	w := r.Faults[0].Window
	within := 0
	for _, e := range events(t, runs[0]) {
		if e.Kind != assay.EventInstancePhase || e.Attrs["phase"] != "weights_fetch" {
			continue
		}
		var begin, end int64
		fmt.Sscan(e.Attrs["start_ns"], &begin)
		fmt.Sscan(e.Attrs["end_ns"], &end)
		took := time.Duration(end - begin)
		inside := w.Applied < begin && begin+int64(1500*time.Millisecond) < w.Reverted
		switch {
		case inside:
			within++
		case end > w.Applied && begin < w.Clear:
			continue // in part, and a read that waits is let go when the fault is
		}
		if slow := took >= time.Second; slow != inside {
			t.Errorf("%s fetched its weights in %v at %v; the fault lay from %v to %v", e.Instance, took, time.Duration(begin), time.Duration(w.Applied), time.Duration(w.Reverted))
		}
	}
	if within == 0 {
		t.Errorf("no start fell into the fault\n%s", got.err)
	}
	if _, err := os.Stat(filepath.Join(runs[0], "weights")); err == nil {
		t.Error("the run keeps the weights")
	}
	if left := heldLeft(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A file system of ours does not lie over what the run needs, and one must say which directory a server reads.
func TestSlowReadsAreRefused(t *testing.T) {
	able(t, "slow-reads")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, plan := range map[string]string{
		"holds the current directory":  "target: {kind: sandbox, model: nano}\nchaos: [{fault: slow-reads, at: 1s, for: 1s, delay: 9ms, dir: '" + dir + "'}]\n",
		"is a directory of the system": "target: {kind: sandbox, model: nano}\nchaos: [{fault: slow-reads, at: 1s, for: 1s, delay: 9ms, dir: /etc}]\n",
		"chaos[0].dir: is missing: the directory that the server reads its model from": "target: {kind: openai, url: 'http://127.0.0.1:1', deployment: {process: {listen: '127.0.0.1:1'}}}\nchaos: [{fault: slow-reads, at: 1s, for: 1s, delay: 9ms}]\n",
	} {
		write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: slow\nload: [{name: steady, arrivals: {even: {rate: 1/s}}, for: 3s}]\n"+plan)
		if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("exit %d, want %d and %q:\n%s", got.code, assay.ExitUsage, want, got.err)
		}
	}
	// The directory of runs may lie elsewhere; what it is, is known only then.
	models := filepath.Join(dir, "models")
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: slow\nload: [{name: steady, arrivals: {even: {rate: 1/s}}, for: 3s}]\n"+
		"target: {kind: sandbox, model: nano}\nchaos: [{fault: slow-reads, at: 1s, for: 1s, delay: 9ms, dir: '"+models+"'}]\n")
	if got := assayIn(t, dir, "run", "plan.yaml", "--dir", "models/runs"); got.code != assay.ExitPreflight || !strings.Contains(got.err, "chaos[0].dir: "+models+" holds ") {
		t.Errorf("exit %d:\n%s", got.code, got.err)
	}
}
