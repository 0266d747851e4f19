package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestGPURecordings makes a run of a log and an answer of nvidia-smi, and reads what the report says of GPUs.
func TestGPURecordings(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "smi.csv", "timestamp, uuid, temperature.gpu, memory.used [MiB], clocks_throttle_reasons.active\n"+
		"2026/07/14 08:00:00.000, GPU-aa, 41, 100 MiB, 0x0000000000000040\n2026/07/14 08:05:00.000, GPU-aa, 42, 100 MiB, 0x0000000000000040\n2026/07/14 08:10:00.000, GPU-aa, 42, 100 MiB, 0x0000000000000040\n")
	write(t, dir, "kernel.log", "2026-07-14T08:00:00Z n1 kernel: NVRM: loading NVIDIA UNIX x86_64 Kernel Module\n2026-07-14T08:04:00Z n1 kernel: NVRM: Xid (PCI:0000:3b:00): 63, pid=1, name=x, row remapped\n"+
		"2026-07-14T08:05:00Z n1 kernel: NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.\n2026-07-14T08:10:00Z n1 kernel: usb\n")
	write(t, dir, "requests.csv", "due,latency,status\n1784016000,0.1,200\n1784016600,0.1,200\n")
	write(t, dir, "xid.yaml", "rows: [{codes: '63', meaning: worn, action: replace, cause: wear, class: gpu}]\n")
	inputs := []string{"import", "--nvidia-smi", "smi.csv", "--kernel-log", "kernel.log", "--requests", "requests.csv,kind=csv"}
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"ours", nil, []string{"1 card by nvidia-smi", "1 serious error: XID 79 ×1 on 1 card (fallen off the bus;", "1 early warning: XID 63", "fault 100 % (hardware thermal slowdown 100 % by samples)"}},
		{"theirs", []string{"--xid-table", "xid.yaml"}, []string{"2 serious errors: XID 63 ×1 on 1 card (worn; cause: wear; to do: replace)"}},
	} {
		run := filepath.Join(dir, tc.name)
		if got := assayIn(t, dir, append(append(inputs, tc.args...), "--out", run)...); got.code != 0 {
			t.Fatalf("%s: exit %d, %s%s", tc.name, got.code, got.out, got.err)
		}
		got := assayIn(t, dir, "assess", run)
		words := strings.Join(strings.Fields(got.out), " ")
		for _, want := range tc.want {
			if !strings.Contains(words, want) {
				t.Errorf("%s: no %q in:\n%s", tc.name, want, got.out)
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "theirs", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m assay.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]assay.XIDRow{{Code: 63, Meaning: "worn", Action: "replace", Cause: "wear", Class: "gpu"}}, m.XIDs); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	write(t, dir, "bad.yaml", "rows: [{codes: '63', class: bad}]\n")
	for path, want := range map[string]string{"bad.yaml": "--xid-table bad.yaml: rows[0]: class \"bad\" is unknown", "none.yaml": "--xid-table: open none.yaml"} {
		if got := assayIn(t, dir, append(inputs, "--xid-table", path, "--out", filepath.Join(dir, "never"))...); got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d, %s", path, got.code, got.err)
		}
	}
}
