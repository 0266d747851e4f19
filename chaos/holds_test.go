package chaos

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/google/go-cmp/cmp"
)

// sleeper starts a process that does nothing, as the one that a plan names.
func sleeper(t *testing.T) Victim {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	p, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Skip(err)
	}
	return Victim{ID: assay.WholeTarget, Process: p, Named: true}
}

// Of two faults on one limit the second is void, and afterwards the limit is as it was: its undo would have put back the first one's.
func TestOverlapOnOneLimit(t *testing.T) {
	t.Parallel()
	if err := limitsWork(); err != nil {
		t.Skip(err)
	}
	v := sleeper(t)
	was, err := v.Process.limit(resourceFiles)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(200)
	d := scripted{[]string{assay.WholeTarget}, func(Victim) (*Action, error) {
		next -= 50
		return planLimit(v, resourceFiles, next)
	}}
	first := Step{Fault: "hang", Instances: 1, For: 300 * time.Millisecond}
	second, third := first, first
	second.At, second.For, third.At = 150*time.Millisecond, 500*time.Millisecond, 600*time.Millisecond
	tr := newTrial(d, first, second, third)
	tr.run(t, t.Context())
	if e := tr.event(t, "hang-2", assay.EventFaultVoid); !strings.HasPrefix(e.Text, "not injected: hang-1 holds it (limit:nofile:") {
		t.Errorf("the second strike: %q", e.Text)
	}
	for _, id := range []string{"hang-1", "hang-3"} { // what was let go of can be had
		if diff := cmp.Diff(wholeLife, tr.kinds(id)); diff != "" {
			t.Errorf("events of %s (-want +got):\n%s", id, diff)
		}
	}
	if now, err := v.Process.limit(resourceFiles); now != was || err != nil {
		t.Errorf("the limit is %v (%v), want %v", now, err, was)
	}
}

// An action that was planned while another fault lay on what it reads is planned again; what may remain holds for good.
func TestClaims(t *testing.T) {
	r := &Runner{}
	a, b, c := &injection{Active: Active{ID: "a"}}, &injection{Active: Active{ID: "b"}}, &injection{Active: Active{ID: "c"}}
	a.over, b.over = make(chan struct{}), make(chan struct{})
	r.chosen = []*injection{a, b, c}
	claim := func(f *injection, since int) string {
		stale, err := r.claim(f, []string{"x"}, since)
		switch {
		case err != nil:
			return err.Error()
		case stale:
			return "stale"
		}
		return "taken"
	}
	drop := func(f *injection) string {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.release(f)
		r.chosen = slices.DeleteFunc(r.chosen, func(g *injection) bool { return g == f })
		return ""
	}
	got := []string{claim(a, 0), claim(b, 0), drop(a), claim(b, 0), claim(b, 1)}
	b.stays = true
	got = append(got, drop(b), claim(c, 2))
	if diff := cmp.Diff([]string{"taken", "a holds it (x)", "", "stale", "taken", "", "b may still be in force and holds it (x)"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What bears a mark of ours has a fault of another run on it: it is left alone.
func TestFaultsOfAnotherRun(t *testing.T) {
	g := &cgroup{home: "/c/cpu/" + newMark() + "/a"}
	if err := g.notOurs(); err == nil || !strings.Contains(err.Error(), "which another fault of ours holds") {
		t.Errorf("a group of ours: %v", err)
	}
	g.home = "/c/cpu/a"
	if err := g.notOurs(); err != nil {
		t.Error(err)
	}
	if cgroupsWork("cpu")() != nil {
		return
	}
	v := sleeper(t)
	set := func(g *cgroup) error { return g.setQuota(50 * time.Millisecond) }
	a, _, err := planCgroup(v, "cpu", set)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Undo.Do(context.Background())
	if err := a.Apply(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	if b, _, err := planCgroup(v, "cpu", set); err == nil {
		t.Errorf("a second group below the first one: %v", b.Undo.Path)
	}
}

// When a run is stopped, what is undone beyond this machine does not keep what lies on it in force.
func TestStopDoesNotWaitForWhatIsFar(t *testing.T) {
	t.Parallel()
	near := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-near
		w.Write([]byte("[]"))
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), filler+newMark())
	d := scripted{[]string{"a", "b"}, func(v Victim) (*Action, error) {
		a := nothing(v)
		a.Undo = Undo{Kind: UndoRemove, Path: path}
		if v.Fault == "hang-2" {
			a.Undo = Undo{Kind: UndoSilence, URL: srv.URL, Mark: "0123456789abcdef"}
		}
		return a, nil
	}}
	step := Step{Fault: "hang", Instances: 1, For: time.Minute}
	late := step
	late.At = 100 * time.Millisecond
	tr := newTrial(d, step, late)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var reverted []string
	tr.on = func(e *assay.Event) {
		switch {
		case e.Kind == assay.EventFaultVerified && e.Fault == "hang-2":
			cancel()
		case e.Kind == assay.EventFaultClear && e.Fault == "hang-1":
			close(near)
		}
		if e.Kind == assay.EventFaultReverted || e.Kind == assay.EventFaultRemaining {
			tr.mu.Lock()
			reverted = append(reverted, e.Fault+" "+e.Kind)
			tr.mu.Unlock()
		}
	}
	tr.run(t, ctx)
	if diff := cmp.Diff([]string{"hang-1 " + assay.EventFaultReverted, "hang-2 " + assay.EventFaultReverted}, reverted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An effect that may come late lengthens neither the hold nor the undo.
func TestLookForALateEffect(t *testing.T) {
	t.Parallel()
	d := scripted{[]string{"a"}, func(v Victim) (*Action, error) {
		a := nothing(v)
		a.Look = time.Minute
		a.Effect = func(ctx context.Context) (string, error) {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) < time.Minute {
				t.Errorf("it is looked for until %v", end)
			}
			time.Sleep(1500 * time.Millisecond)
			return "seen", nil
		}
		a.Lifted = func(ctx context.Context) error {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > 5*time.Second {
				t.Errorf("the undo may take until %v", end)
			}
			return nil
		}
		return a, nil
	}}
	tr := newTrial(d, Step{Fault: "hang", Instances: 1, For: 2 * time.Second})
	tr.run(t, t.Context())
	held := time.Duration(tr.event(t, "hang-1", assay.EventFaultReverted).Time - tr.event(t, "hang-1", assay.EventFaultApplied).Time)
	if held > 3*time.Second {
		t.Errorf("held for %v, which is from its effect; want 2s from when it was applied", held)
	}
}

// A limit that somebody else has changed meanwhile is not put back to what it was before the fault, and the undo says so.
func TestUndoOfALimitThatSomebodyChanged(t *testing.T) {
	t.Parallel()
	if err := limitsWork(); err != nil {
		t.Skip(err)
	}
	v := sleeper(t)
	was, err := v.Process.limit(resourceFiles)
	if err != nil {
		t.Fatal(err)
	}
	a, err := planLimit(v, resourceFiles, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	theirs := limit{150, was.Hard}
	if err := v.Process.setLimit(resourceFiles, theirs, func() {}); err != nil {
		t.Fatal(err)
	}
	if err := a.Undo.Do(t.Context()); err == nil || !strings.Contains(err.Error(), " and 100 in it: somebody else changed it meanwhile, so it is left as it is") {
		t.Errorf("the undo: %v", err)
	}
	if now, err := v.Process.limit(resourceFiles); now != theirs || err != nil {
		t.Errorf("the limit is %v (%v), want theirs, %v", now, err, theirs)
	}
}

// A limit of address space that the process does not come to is not in effect.
func TestLimitThatNobodyHits(t *testing.T) {
	t.Parallel()
	if err := limitsWork(); err != nil {
		t.Skip(err)
	}
	v := sleeper(t)
	now, err := v.Process.memory()
	if err != nil {
		t.Fatal(err)
	}
	for bytes, want := range map[int64]string{256 << 20: "it did not come to the limit", 0: ""} {
		a, err := planMemoryLimit(t.Context(), &Local{}, &Step{Fault: "memory-limit", Bytes: bytes, For: time.Second}, Victim{ID: v.ID, Process: v.Process})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Apply(t.Context(), func() {}); err != nil {
			t.Fatal(err)
		}
		looking, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		effect, err := a.Effect(looking)
		cancel()
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d bytes more than %d: %q, %v; want %q", bytes, now.space, effect, err, want)
		}
		if err := a.Undo.Do(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// What serves files badly is in a session of its own: a terminal that stops the run would else stop everyone who reads there.
func TestSpawnedInASessionOfItsOwn(t *testing.T) {
	t.Parallel()
	lookOnly(t)
	mark := newMark()
	if err := (&Local{}).spawn(BurnCommand, mark, burn{For: time.Minute}, func() {}); err != nil {
		t.Fatal(err)
	}
	defer markedUndo.do(context.Background(), &Undo{Mark: mark})
	if err := until(t.Context(), time.Millisecond, func() error {
		list, err := marked(mark)
		if err != nil || len(list) == 0 {
			return errGone
		}
		s, err := list[0].look()
		if err == nil && s.sid != list[0].PID {
			t.Errorf("it is in session %d, want its own, %d", s.sid, list[0].PID)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
