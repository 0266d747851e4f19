package main

import (
	"slices"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// TestEachCutHasItsName: an answer that an instance's fault proxy ends in order, by a reset, or not at all is recorded as just that at the client, through
// the platform's gateway.
func TestEachCutHasItsName(t *testing.T) {
	full(t) // a machine that is busy with other tests cuts few streams in so short a time
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
	type window struct {
		id, cut  string
		from, to int64
	}
	var windows []window
	cuts := map[string]string{"stream-1.1": "cut_fin", "stream-1.2": "cut_rst", "stream-1.3": "cut_stall"}
	for _, f := range r.Faults {
		if f.Window.Void != "" {
			t.Errorf("%s is void: %s", f.Window.ID, f.Window.Void)
		}
		w := window{f.Window.ID[:len("stream-1.1")], "", f.Window.Applied, f.Window.Reverted + 5e8} // what was cut just before is seen a little later
		if w.cut = cuts[w.id]; w.cut == "cut_stall" {
			w.to += int64(3 * time.Second) // it is known at the deadline
		}
		windows = append(windows, w)
	}
	run, err := store.Open(runsIn(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	seen := map[string]int{}
	err = run.Requests(t.Context(), func(block []assay.Request) error {
		for i := range block {
			q := &block[i]
			if !q.Outcome.Cut() {
				continue
			}
			at := slices.IndexFunc(windows, func(w window) bool { return w.from <= q.End && q.End <= w.to })
			switch {
			case at < 0:
				t.Errorf("a stream ended as %s outside of every fault", q.Outcome)
			case q.Outcome.String() != windows[at].cut:
				t.Errorf("%s: a stream is recorded as %s, want %s", windows[at].id, q.Outcome, windows[at].cut)
			default:
				seen[windows[at].id]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range cuts {
		if seen[id] == 0 {
			t.Errorf("%s cut no stream", id)
		}
	}
}
