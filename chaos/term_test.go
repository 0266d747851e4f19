package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/drilltest"
)

// A run that is frozen ends nothing: its guardian ends the fault once it has outlasted its term, and again if it comes back into force. The run says so when it wakes.
func TestFrozenRunHoldsNoFaultBeyondItsTerm(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	dir := t.TempDir()
	step := Step{Fault: "hang", Instances: 1, For: 2 * time.Second}
	cmd := role("injector", "ASSAY_CHAOS_CONFIG="+asJSON(config{Dir: dir, Admin: p.URL, Stage: "done", Step: step, Verify: time.Second, Grace: 300 * time.Millisecond}))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	drilltest.Await(t, 20*time.Second, "the fault's effect", func() bool {
		list := kindsIn(dir)
		return len(list) > 0 && list[len(list)-1] == assay.EventFaultVerified
	})
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if left := p.trouble(); len(left) != 1 {
		t.Fatalf("before its end: %v", left)
	}
	drilltest.Await(t, 10*time.Second, "the fault's end", func() bool { return len(p.trouble()) == 0 })
	victim := drilltest.Read(t, dir)[0].Instance
	noted := func() int { return len(kinds(unixNotes(t, dir))) }
	drilltest.Await(t, 5*time.Second, "the note", func() bool { return noted() == 1 })
	p.get(victim).Process.signal(syscall.SIGSTOP, func() {}) // as if the run had woken and applied it, and was frozen again
	drilltest.Await(t, 5*time.Second, "its second end", func() bool { return len(p.trouble()) == 0 && noted() == 2 })
	if diff := cmp.Diff([]string{assay.EventFaultReverted, assay.EventFaultReverted}, kinds(unixNotes(t, dir))); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	woke := time.Now().UnixNano()

	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(out).Decode(new(told)); err != nil {
		t.Fatal(err)
	}
	events := drilltest.Read(t, dir)
	want := []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventWarning, assay.EventFaultReverted, assay.EventFaultClear}
	if diff := cmp.Diff(want, kinds(events)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	const text = "the run had not ended it 2.3s after it was armed, as if it was frozen: the guardian did"
	warning, reverted, clear := events[3], events[4], events[5]
	if warning.Text != "hang-1: hang of "+victim+": "+text || reverted.Text != text {
		t.Errorf("the run says %q and %q", warning.Text, reverted.Text)
	}
	frozen := time.Duration(warning.Time - reverted.Time)
	if reverted.Time != clear.Time || reverted.Time-events[1].Time < int64(step.For) || frozen <= 0 {
		t.Errorf("the events do not say when the guardian ended it: %v", events)
	}
	notes := unixNotes(t, dir)
	if last := notes[len(notes)-1].Time; woke-last > int64(frozen)+int64(50*time.Millisecond) {
		t.Errorf("it was over %v before the run woke, which says %v", time.Duration(woke-last), frozen)
	}
}

// kindsIn returns the kinds of the events of a run that may be about to write one.
func kindsIn(dir string) (list []string) {
	raw, _ := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	for line := range bytes.Lines(raw) {
		var e assay.Event
		if json.Unmarshal(line, &e) == nil && e.Fault != "" {
			list = append(list, e.Kind)
		}
	}
	return list
}

// What the guardian can end of a run that is frozen has a term, which no run that is not frozen needs.
func TestTerm(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		step   Step
		action Action
		want   time.Duration
	}{
		"as long as it is looked for":     {Step{For: s}, Action{Undo: Undo{Kind: UndoSignal}}, 10 * s},
		"as long as it holds":             {Step{For: 60 * s}, Action{Undo: Undo{Kind: UndoSignal}}, 65 * s},
		"a slow link":                     {Step{For: s, Delay: 10 * s}, Action{Undo: Undo{Kind: UndoHTTP}}, 30 * s},
		"a controller":                    {Step{For: 60 * s}, Action{Undo: Undo{Kind: UndoKube}, Patience: 60 * s}, (60 + 5 + 60 + 60 + 5) * s},
		"what is looked for for longer":   {Step{For: 20 * s}, Action{Undo: Undo{Kind: UndoHTTP}, Look: 30 * s}, 40 * s},
		"no length":                       {Step{}, Action{Undo: Undo{Kind: UndoSignal}}, 0},
		"nothing to undo":                 {Step{For: s}, Action{Undo: Undo{Kind: UndoNone}}, 0},
		"what the run may still be doing": {Step{For: s}, Action{Undo: Undo{Kind: UndoRollbacks}}, 0},
	} {
		if got := new(Runner).term(&injection{step: &tt.step, action: &tt.action}); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// A term ends with the undo that is taken back, and none begins of what lies in the run's own process.
func TestTermOfWhatIsTakenBack(t *testing.T) {
	over, end := context.WithCancel(context.Background())
	defer end()
	g := &guard{over: over, run: Process{7, 8}}
	for _, u := range []Undo{{ID: "a", Kind: UndoNone, Longest: time.Hour}, {ID: "b", Kind: UndoNone, Longest: time.Hour, Process: &Process{7, 8}}, {ID: "c", Kind: UndoNone}} {
		if err := g.arm(u); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.terms) != 1 || g.terms["a"] == nil || len(g.armed) != 3 {
		t.Errorf("terms %v, want that of a", g.terms)
	}
	g.change(func() { g.disarm("a") })
	if len(g.terms) != 0 || g.ended("a") != 0 {
		t.Errorf("terms %v, want none", g.terms)
	}
}
