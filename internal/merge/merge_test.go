package merge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/store"
)

const ms = int64(time.Millisecond)

// part writes the run that a process left which played segment: n requests, 10 ms apart.
func part(t *testing.T, segment string, n int, change func(m *assay.Manifest, p *Part)) string {
	t.Helper()
	p := Part{Segment: segment, Host: "h", Boot: "b", Monotonic: 1000 * ms}
	half, one := 0.5, 1.0
	m := &assay.Manifest{ID: "id", Name: "chat", PlanHash: "ph", Schedule: "sh", Seed: 3, Epoch: 1e18, Resolution: 1000, MaxWait: 5, Target: assay.Target{Kind: "openai", Name: "T"},
		Objectives: []assay.Objective{
			{Metric: "k6/threshold", Labels: map[string]string{"threshold": "assay_ttft: p(95)<500"}, Min: &one}, {Metric: "ttft/p95", Max: &half},
			{Metric: "k6/threshold", Labels: map[string]string{"threshold": "checks: rate==1"}, Min: &one},
		}, End: assay.Ending{Status: assay.EndComplete, At: 2000 * ms}}
	if change != nil {
		change(m, &p)
	}
	raw, err := json.Marshal(map[string]any{"k6": map[string]any{"script": "chat.js", "part": p}})
	if err != nil {
		t.Fatal(err)
	}
	m.Plan = raw
	dir := filepath.Join(t.TempDir(), "run")
	end := m.End
	w, err := store.Create(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	emit := func(r assay.Record) {
		if err := w.Emit(r); err != nil {
			t.Fatal(err)
		}
	}
	emit(&assay.Event{Time: 100 * ms, Kind: assay.EventPhaseBegin, Source: "k6", Phase: "s", Attrs: map[string]string{"role": "steady", "rate": "2.5"}})
	for i := range n {
		due := (100 + 10*int64(i)) * ms
		emit(&assay.Request{ID: uint64(i + 1), Phase: "s", Outcome: assay.OK, Due: due, Sent: due + 1, FirstByte: due + 2*ms, FirstToken: due + 3*ms, End: due + 9*ms,
			Arrivals: []int64{due + 3*ms, due + 4*ms}})
	}
	emit(&assay.Event{Time: 1100 * ms, Kind: assay.EventPhaseEnd, Source: "k6", Phase: "s"})
	emit(&assay.Event{Time: 1100 * ms, Kind: assay.EventAnnotation, Source: "k6", Text: "verdict", Attrs: map[string]string{"k6.metric": "checks", "k6.threshold": "rate==1", "ok": "true"}})
	emit(&assay.Event{Time: 1100 * ms, Kind: assay.EventLoadEnd, Source: "k6"})
	if err := w.Seal(end); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRuns merges parts of two machines, whose clocks began at different times.
func TestRuns(t *testing.T) {
	dirs := []string{
		part(t, "1/2:1", 3, func(m *assay.Manifest, p *Part) { // another machine, 40 ms later by its wall clock
			p.Host, p.Boot, p.ClockError, m.Epoch = "g", "c", 7*ms, m.Epoch+40*ms
			m.End.ClockDrift, m.MaxWait = -9, 8
			m.End.Usage = &assay.Usage{CPU: 5, Peak: 1.5, CPUs: 2}
		}),
		part(t, "0:1/4", 2, nil),
		part(t, "1/4:1/2", 4, func(m *assay.Manifest, p *Part) { // the same machine, 25 ms later by its own clock, with the wall clock stepped
			p.Monotonic += 25 * ms
			m.Epoch += int64(time.Hour)
			m.End.Usage = &assay.Usage{CPU: 9, Peak: 2, CPUs: 8}
			m.End.Status, m.End.Reason, m.End.Unrecorded = assay.EndInterrupted, "a person", map[string]int64{"stream": 2}
		}),
	}
	out := filepath.Join(t.TempDir(), "out")
	taken, err := Runs(t.Context(), dirs, out, Options{ClockError: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	want := []Taken{
		{dirs[1], "0:1/4", "h", 2, 0, 0},
		{dirs[2], "1/4:1/2", "h", 4, 25 * ms, monotonicError},
		{dirs[0], "1/2:1", "g", 3, 40 * ms, 507 * ms},
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	run, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	m := run.Manifest()
	half, one := 0.5, 1.0
	if diff := cmp.Diff([]assay.Objective{{Metric: "ttft/p95", Max: &half}, {Metric: "k6/threshold", Labels: map[string]string{"threshold": "checks: rate==1"}, Min: &one}}, m.Objectives); diff != "" {
		t.Errorf("objectives (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]assay.Offset{{Source: "part 0:1/4 on h"}, {Source: "part 1/4:1/2 on h", Offset: -25 * ms, Error: monotonicError},
		{Source: "part 1/2:1 on g", Offset: -40 * ms, Error: 507 * ms}}, m.Offsets); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(assay.Ending{Status: assay.EndInterrupted, Reason: "part 1/4:1/2 on h: a person", At: 2040 * ms, ClockDrift: -9,
		Unrecorded: map[string]int64{"part 1/4:1/2 on h: stream": 2}, Usage: &assay.Usage{CPU: 14, Peak: 1.5, CPUs: 2}}, m.End); diff != "" {
		t.Errorf("ending (-want +got):\n%s", diff)
	}
	if m.Epoch != 1e18 || m.MaxWait != 8 || m.ID != "id" || m.Schedule != "sh" || m.Seed != 3 {
		t.Errorf("manifest %+v", m)
	}
	var got []string
	ids := map[uint64]bool{}
	err = run.Requests(t.Context(), func(block []assay.Request) error {
		for _, r := range block {
			ids[r.ID] = true
			got = append(got, fmt.Sprintf("%d %d %d %d", r.Due/ms, r.Arrivals[1]/ms, r.End/ms, r.End-r.Due))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var requests []string
	for _, due := range []int64{100, 110, 125, 135, 140, 145, 150, 155, 160} {
		requests = append(requests, fmt.Sprintf("%d %d %d %d", due, due+4, due+9, 9*ms))
	}
	if diff := cmp.Diff(requests, got); diff != "" || len(ids) != 9 {
		t.Errorf("%d ids, requests (-want +got):\n%s", len(ids), diff)
	}
	events, err := run.Events()
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range events {
		count[e.Kind+" "+e.Text]++
		switch {
		case e.Kind == assay.EventPhaseBegin && (e.Time != 100*ms || e.Attrs["rate"] != "7.5"),
			e.Kind == assay.EventPhaseEnd && e.Time != 1140*ms, e.Kind == assay.EventLoadEnd && e.Time != 1140*ms:
			t.Errorf("event %+v", e)
		}
	}
	if diff := cmp.Diff(map[string]int{"phase.begin ": 1, "phase.end ": 1, "load.end ": 1, "annotation verdict": 3, "annotation began": 3}, count); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var of struct {
		K6 struct{ Parts []Part }
	}
	if err := json.Unmarshal(m.Plan, &of); err != nil || len(of.K6.Parts) != 3 || of.K6.Parts[2].Host != "g" {
		t.Errorf("plan %s, %v", m.Plan, err)
	}
}

// TestRunsRefuses has parts that do not belong together.
func TestRunsRefuses(t *testing.T) {
	with := func(change func(m *assay.Manifest)) func(*assay.Manifest, *Part) {
		return func(m *assay.Manifest, _ *Part) { change(m) }
	}
	first := part(t, "0:1/2", 1, nil)
	for name, tt := range map[string]struct {
		dirs []string
		want string
	}{
		"one":        {[]string{first}, "1 directories: want at least 2"},
		"no run":     {[]string{first, t.TempDir()}, "not a run directory"},
		"other id":   {[]string{first, part(t, "1/2:1", 1, with(func(m *assay.Manifest) { m.ID = "x" }))}, `have different run ids; give all processes the same ASSAY_RUN_ID: "id" and "x"`},
		"script":     {[]string{first, part(t, "1/2:1", 1, with(func(m *assay.Manifest) { m.PlanHash = "x" }))}, `have different scripts or options: "ph" and "x"`},
		"schedule":   {[]string{first, part(t, "1/2:1", 1, with(func(m *assay.Manifest) { m.Schedule = "x" }))}, `have different schedules`},
		"seed":       {[]string{first, part(t, "1/2:1", 1, with(func(m *assay.Manifest) { m.Seed = 4 }))}, `have different seeds: "3" and "4"`},
		"target":     {[]string{first, part(t, "1/2:1", 1, with(func(m *assay.Manifest) { m.Target.Name = "x" }))}, `have different targets`},
		"overlap":    {[]string{part(t, "1/3:1", 1, nil), first}, "0:1/2, and"},
		"same":       {[]string{first, first}, "overlap"},
		"whole":      {[]string{first, part(t, "", 1, nil)}, "overlap"},
		"gap":        {[]string{part(t, "3/4:1", 1, nil), first}, "no part has segment 1/2:3/4; --partial merges what there is"},
		"no end":     {[]string{part(t, "1/2:3/4", 1, nil), first}, "no part has segment 3/4:1"},
		"no segment": {[]string{part(t, "1:1/2", 1, nil), first}, `segment "1:1/2": want a stretch of 0 to 1`},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			if _, err := Runs(t.Context(), tt.dirs, out, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if _, err := store.Open(out); err == nil {
				t.Error("a run was left")
			}
		})
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Runs(t.Context(), []string{part(t, "3/4:1", 1, nil), first}, out, Options{Partial: true}); err != nil {
		t.Fatal(err)
	}
	run, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if diff := cmp.Diff(map[string]int64{"part: segment 1/2:3/4 is missing": 1}, run.Manifest().End.Unrecorded); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	other := filepath.Join(t.TempDir(), "run")
	w, err := store.Create(other, &assay.Manifest{Epoch: 1, Plan: json.RawMessage(`{"name":"x"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	if _, err := Runs(t.Context(), []string{other, first}, out+"2", Options{}); err == nil || !strings.Contains(err.Error(), errNotAPart.Error()) {
		t.Errorf("got %v, want %v", err, errNotAPart)
	}
}

// TestKilled merges a part that was killed: the whole is then one that did not end.
func TestKilled(t *testing.T) {
	dirs := []string{part(t, "0:1/2", 1, nil), part(t, "1/2:1", 2, nil)}
	dir := filepath.Join(t.TempDir(), "run")
	m, err := store.Open(dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Create(dir, m.Manifest())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&assay.Request{ID: 1, Phase: "s", Due: 5, End: 6, Outcome: assay.OK}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), m.Close()); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	taken, err := Runs(context.Background(), []string{dirs[0], dir}, out, Options{})
	if err != nil || taken[1].Requests != 1 {
		t.Fatalf("%+v, %v", taken, err)
	}
	run, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		t.Fatal(err)
	}
	if run.Manifest().End.Status != assay.EndRunning || !slices.ContainsFunc(events, func(e assay.Event) bool {
		return e.Kind == assay.EventWarning && strings.Contains(e.Text, "was killed")
	}) {
		t.Errorf("ending %+v, events %+v", run.Manifest().End, events)
	}
}

// TestHere says which machine this is, and exactly when the clock began.
func TestHere(t *testing.T) {
	c := clock.New()
	p := Here("0:1/2", c)
	at, ok := c.Monotonic()
	if d := p.Monotonic - at; p.Segment != "0:1/2" || ok && (p.Boot == "" || d < -monotonicError || d > monotonicError) || p.ClockError < 0 {
		t.Errorf("%+v, the clock's epoch is %d", p, at)
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"", "0:1/4", "1/2", "25%:1", "1e9:2", "1/0:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := spanOf(text)
		if err != nil {
			return
		}
		if again, err := spanOf(s.String()); err != nil || again.from.Cmp(s.from) != 0 || again.to.Cmp(s.to) != 0 {
			t.Errorf("%q: %v becomes %v, %v", text, s, again, err)
		}
	})
}
