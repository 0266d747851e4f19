package k6

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/merge"
)

// TestMerge has four processes at once play a script, each its segment, and makes one run of what they left: every arrival of the undivided
// schedule is in it once, as far from the begin of its process as from that of the whole.
func TestMerge(t *testing.T) {
	t.Parallel()
	m := newModel(t)
	const scenario = `{ "executor": "assay-arrivals", "process": "gamma", "cv": 2, "rate": 60, "duration": "3s", "preAllocatedVUs": 300, "seed": 5 }`
	const script = `
import { Client } from 'k6/x/assay';
const c = new Client({ url: '$URL', model: 'tiny' });
export const options = { scenarios: { s: ` + scenario + ` }, thresholds: { assay_ttft: ['p(50)<20000'], iterations: ['count>1'] } };
export default function () { c.request('p'); }`
	dir := t.TempDir()
	cuts := []string{"0:1/4", "1/4:1/2", "1/2:3/4", "3/4:1"}
	var dirs []string
	var all sync.WaitGroup
	for i, cut := range cuts {
		out := filepath.Join(dir, fmt.Sprint("part", i))
		dirs = append(dirs, out)
		s := &session{t: t, out: out, env: []string{EnvRun + "=00112233445566aa"}, args: []string{"--execution-segment", cut, "--execution-segment-sequence", "0,1/4,1/2,3/4,1"}}
		s.dir = t.TempDir()
		all.Go(func() {
			if o := s.run(script, m.URL); o.exit != 0 {
				t.Errorf("%s: exit status %d:\n%s", cut, o.exit, o.output)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	out := filepath.Join(dir, "whole")
	taken, err := merge.Runs(t.Context(), dirs, out, merge.Options{})
	if err != nil {
		t.Fatal(err)
	}

	c := config(t, scenario)
	whole, err := newShare(c, oneOf(t, "0,1", 0))
	if err != nil {
		t.Fatal(err)
	}
	var planned, sent []int64
	due := map[string]int64{} // by trace, from the begin of its process
	for i, d := range dirs {
		r := read(t, d)
		begin := r.begin()
		for _, q := range r.requests {
			due[q.TraceID.String()] = q.Due - begin
			sent = append(sent, q.Due-begin)
		}
		if taken[i].ClockError > 1000 || taken[i].Requests != int64(len(r.requests)) {
			t.Errorf("taken %+v: want one machine's clock, %d requests", taken[i], len(r.requests))
		}
	}
	planned = append(planned, whole.due...)
	slices.Sort(sent)
	if diff := cmp.Diff(planned, sent); diff != "" {
		t.Fatalf("due instants, planned and sent (-want +got):\n%s", diff)
	}
	r := read(t, out)
	ids := map[uint64]bool{}
	for i := range r.requests {
		q := &r.requests[i]
		ids[q.ID] = true
		if _, ok := due[q.TraceID.String()]; !ok {
			t.Fatalf("request %+v is of no part", q)
		}
		delete(due, q.TraceID.String())
		if m.seen[q.TraceID.String()] != "00112233445566aa" {
			t.Fatalf("the server saw run id %q", m.seen[q.TraceID.String()])
		}
	}
	if len(ids) != len(planned) || len(r.requests) != len(planned) || len(due) != 0 {
		t.Errorf("%d requests with %d ids, %d missing; want %d", len(r.requests), len(ids), len(due), len(planned))
	}
	var objectives []string
	for _, o := range r.manifest.Objectives {
		objectives = append(objectives, o.Metric+" "+o.Labels["threshold"])
	}
	if diff := cmp.Diff([]string{"ttft/p50 ", "k6/threshold iterations: count>1"}, objectives); diff != "" {
		t.Errorf("objectives (-want +got):\n%s", diff)
	}
	report := assessed(t, out)
	for _, j := range report.Objectives {
		if report.Trust.Valid && j.Verdict != assay.VerdictPass || // a busy machine may send late
			j.Objective.Metric == "k6/threshold" && j.Quantity.N != 4 || j.Objective.Metric == "ttft/p50" && j.Quantity.N != len(planned) {
			t.Errorf("objective %+v", j)
		}
	}
	if len(report.Phases) != 1 || report.Phases[0].Rate != 60 || report.Phases[0].End-report.Phases[0].Begin < int64(3*time.Second) {
		t.Errorf("phases %+v", report.Phases)
	}
	other := &session{t: t, out: filepath.Join(dir, "other"), env: []string{EnvRun + "=00112233445566aa"}, args: []string{"--execution-segment", cuts[3], "--execution-segment-sequence", "0,1/4,1/2,3/4,1"}}
	other.run(script+"// another script", m.URL).want(t, 0)
	if _, err := merge.Runs(t.Context(), append(dirs[:3:3], other.out), out+"2", merge.Options{}); err == nil {
		t.Error("a part of another script was taken")
	}
}
