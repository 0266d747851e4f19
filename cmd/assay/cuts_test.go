package main

import (
	"strings"
	"testing"
)

// TestEachCutHasItsName: an answer that an instance's fault proxy ends in order, by a reset, or not at all is recorded as just that at the client, through
// the platform's gateway.
func TestEachCutHasItsName(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: cuts
target: {kind: sandbox, deadline: 3s, sandbox: {minScale: 2, maxScale: 2}}
load: [{name: steady, arrivals: {even: {rate: 20/s}}, for: 14s}]
chaos:
  - at: 1s
    serial:
      - {fault: stream, mode: fin, tokens: 3, for: 1s, instances: 2}
      - {fault: stream, mode: rst, tokens: 3, for: 1s, instances: 2, at: 1s}
      - {fault: stream, mode: stall, tokens: 3, for: 5s, instances: 2, at: 1s}
`)
	got := assayIn(t, dir, "run", "plan.yaml")
	if len(runsIn(t, dir)) != 1 {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	r, _ := readResult(t, runsIn(t, dir)[0])
	want := map[string]string{"stream-1.1": "cut_fin", "stream-1.2": "cut_rst", "stream-1.3": "cut_stall"}
	seen := map[string]int{}
	for _, f := range r.Faults {
		if f.Window.Void != "" {
			t.Errorf("%s is void: %s", f.Window.ID, f.Window.Void)
		}
		id := f.Window.ID[:len("stream-1.1")]
		for name, n := range f.Streams {
			if seen[id] += n; strings.HasPrefix(name, "cut_") && name != want[id] {
				t.Errorf("%s: %d streams are recorded as %s, want %s", f.Window.ID, n, name, want[id])
			}
		}
	}
	for id := range want {
		if seen[id] == 0 {
			t.Errorf("%s cut no stream", id)
		}
	}
}
