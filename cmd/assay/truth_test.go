package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/sandbox"
	"github.com/assay-dev/assay/internal/store"
)

// checkTruth scores a run on the sandbox against what really happened: the cold flag of every delivered request, the phases of
// every start, one episode for each injected kill and hang with its recovery.
func checkTruth(t *testing.T, dir, truthDir string, r *assay.Report) {
	t.Helper()
	truth, err := sandbox.ReadTruth(truthDir)
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	epoch := run.Manifest().Epoch
	f, resolver, err := facts.ComputeResolved(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	delivered, cold, wrong := 0, 0, 0
	err = run.Requests(context.Background(), func(block []assay.Request) error {
		for i := range block {
			q := &block[i]
			if q.Outcome != assay.OK {
				continue
			}
			resolver.Resolve(q)
			delivered++
			want := truth.Find(q.TraceID.String())
			if want == nil || want.Cold == nil {
				t.Errorf("request %d was delivered but the truth does not know it", q.ID)
				continue
			}
			if *want.Cold {
				cold++
			}
			if (q.Cold == assay.ColdYes) != *want.Cold || q.Cold == assay.ColdUnknown {
				wrong++
				t.Errorf("request %d is %s, the truth is cold=%v", q.ID, q.Cold, *want.Cold)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if delivered == 0 || cold == 0 && truth.Config.MinScale == 0 {
		t.Errorf("%d delivered, %d of them cold: nothing was scored", delivered, cold)
	}
	phases := startTruth(t, truth, r)
	t.Logf("truth: %d delivered requests, %d cold, %d flags wrong; %d phases of starts", delivered, cold, wrong, phases)
	episodesTruth(t, truth, f, epoch)
}

// startTruth compares each phase of each start with the worker's own stopwatch.
func startTruth(t *testing.T, truth *sandbox.Truth, r *assay.Report) int {
	n := 0
	for _, s := range r.Starts {
		for _, p := range truth.Phases {
			if p.Instance != s.Instance {
				continue
			}
			want := float64(p.End-p.Start) / 1e9
			got := math.NaN()
			for _, share := range s.Shares {
				if share.Name == p.Phase {
					got = share.Seconds
				}
			}
			n++
			if !(math.Abs(got-want) <= max(0.005, 0.05*want)) {
				t.Errorf("%s %s: got %.4f s, the truth is %.4f s", s.Instance, p.Phase, got, want)
			}
		}
	}
	if n == 0 {
		t.Error("no phase of a start was scored")
	}
	return n
}

// episodesTruth checks that each kill and hang in effect is one episode of its victim, that ends when the truth says a replacement, or
// the victim itself, came into routing, to within a probe period.
func episodesTruth(t *testing.T, truth *sandbox.Truth, f *assay.Facts, epoch int64) {
	probe := f.Manifest.Probe
	for _, w := range f.Faults {
		if w.Void != "" || w.Kind != "kill" && w.Kind != "hang" {
			continue
		}
		var found []assay.Episode
		for _, e := range f.Episodes {
			if e.Subject == assay.InstanceOf && e.Fault == w.ID {
				found = append(found, e)
			}
		}
		if len(found) != 1 {
			t.Errorf("%s: %d instance episodes, want 1: %+v", w.ID, len(found), found)
			continue
		}
		back := int64(0) // the first instance to come into routing after the fault
		for _, e := range truth.Events {
			at := e.Time - epoch
			if e.Kind == assay.EventInstanceReady && at > w.Applied && (back == 0 || at < back) {
				back = at
			}
		}
		if back == 0 {
			if !found[0].RightCensored {
				t.Errorf("%s: no instance came back, yet the episode ends: %+v", w.ID, found[0])
			}
			continue
		}
		if off := found[0].EndHi - back; off < -probe || off > int64(pacetest.Most(time.Duration(probe))) { // a busy machine probes late
			t.Errorf("%s: capacity is back %v ms after the truth's instant, a probe period is %v ms", w.ID, off/1e6, probe/1e6)
		}
	}
}

// TestDials: each dial set to its bottleneck makes the true cause the first-ranked one.
func TestDials(t *testing.T) {
	full(t)
	for _, d := range sandbox.Dials() {
		t.Run(d.Name, func(t *testing.T) {
			dir := t.TempDir()
			plan := map[string]any{"apiVersion": "assay/v1", "name": d.Name,
				"target": map[string]any{"kind": "sandbox", "deadline": "20s", "sandbox": map[string]any{"dial": d.Name}},
				"load": []any{map[string]any{"name": "steady", "for": d.Load.Duration.String(), "prompt": map[string]any{"tokens": d.Load.PromptTokens},
					"output": map[string]any{"tokens": d.Load.OutputTokens}, "arrivals": map[string]any{"poisson": map[string]any{"rate": jsonNumber(d.Load.Rate) + "/s"}}}}}
			text, err := json.Marshal(plan) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "plan.yaml", string(text))
			got := assayIn(t, dir, "run", "plan.yaml", "--truth", filepath.Join(dir, "truth"))
			runs := runsIn(t, dir)
			if len(runs) != 1 {
				t.Fatalf("exit %d: %s", got.code, got.err)
			}
			r, _ := readResult(t, runs[0])
			if len(r.Attribution) == 0 || r.Attribution[0].Name != d.Name {
				t.Errorf("first-ranked cause: got %+v", r.Attribution)
			}
			for _, s := range r.Attribution {
				t.Logf("%-12s %v", s.Name, s.Ratio)
			}
			checkTruth(t, runs[0], filepath.Join(dir, "truth"), r)
		})
	}
}

func jsonNumber(v float64) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestBuiltinPlanIsGo: on an idle machine the built-in plan ends with go, in under two minutes.
func TestBuiltinPlanIsGo(t *testing.T) {
	full(t)
	for i := range 5 {
		dir := t.TempDir()
		got := assayIn(t, dir, "run", "--truth", filepath.Join(dir, "truth"))
		if got.code != assay.ExitGo {
			t.Errorf("run %d: exit %d\n%s", i+1, got.code, got.out)
			os.Stderr.WriteString(got.err)
		}
		if runs := runsIn(t, dir); len(runs) == 1 {
			r, _ := readResult(t, runs[0])
			checkTruth(t, runs[0], filepath.Join(dir, "truth"), r)
		}
	}
}
