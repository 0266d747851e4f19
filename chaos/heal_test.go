package chaos

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/google/go-cmp/cmp"
)

// Both the injector and its guardian are killed, at whatever stage: the journal is all that is left.
func TestHealAfterBothDied(t *testing.T) {
	lookOnly(t)
	if rep, err := Heal(context.Background(), t.TempDir(), nil); err != nil || !cmp.Equal(rep, HealReport{}) {
		t.Errorf("healing an empty directory: %+v, %v", rep, err)
	}
	p := newPlatform(t, 1)
	for _, f := range faults {
		for _, stage := range stages {
			if os.Getenv("ASSAY_FULL") == "" && (f.step.Mode != "" || stage != assay.EventFaultVerified) {
				continue // the fast tier takes each kind once, in force
			}
			t.Run(f.step.Fault+f.step.Mode+"/"+stage, func(t *testing.T) { healAfterBothDied(t, p, f.step, stage) })
		}
	}
}

func healAfterBothDied(t *testing.T, p *platform, step Step, stage string) {
	skipUnable(t, step)
	p.healthy(t, 1)
	inForce := stage == assay.EventFaultApplied || stage == assay.EventFaultVerified
	if inForce {
		step.For = time.Minute
	}
	step = p.placed(step)
	owns := step.Fault == "hang" && inForce
	dies := step.Fault == "cpu" || step.Fault == "memory" || step.Fault == "slow-reads" || step.Fault == "gpu-memory" // held by a process that ends with whoever started it
	dir, ctx := t.TempDir(), context.Background()
	cmd, said := inject(t, config{Dir: dir, Admin: p.URL, Stage: stage, Own: owns, Step: step})
	p.use(step)
	cmd.Process.Signal(syscall.SIGSTOP) // or it would revert when its guardian dies
	syscall.Kill(said.Guardian, syscall.SIGKILL)
	cmd.Process.Kill()
	cmd.Wait()
	want := 0
	if inForce && leaves(step) {
		want = 1
	}
	if ends(step) {
		p.healthy(t, 1)
	}
	// A signal that was sent is not yet a process that has stopped.
	for deadline := time.Now().Add(pacetest.Patience); len(p.trouble()) != want && !dies && !starvedIn(t, dir); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("before heal: %v, want %d", p.trouble(), want)
		}
	}
	events := drilltest.Read(t, dir)
	rep, err := Heal(ctx, dir, events)
	if err != nil {
		t.Fatal(err)
	}
	if left := p.trouble(); len(left) > 0 || len(rep.Remaining) > 0 {
		t.Errorf("after heal: %v, %+v", left, rep)
	}
	undone(t, events)
	healed := rep.Reverted
	if step.Mode == limitOOM { // its group outlives the process that it killed
		healed = append(healed, rep.Clear...)
	} else if want == 0 && step.MHz == 0 || (dies || starvedIn(t, dir)) && len(healed) == 0 { // nobody can see whether the lock of a clock is away: it is taken away in any case
		healed = rep.Clear
	}
	if stage == assay.EventFaultClear {
		if len(rep.Reverted)+len(rep.Clear) > 0 {
			t.Errorf("there was nothing to heal: %+v", rep)
		}
	} else if len(healed) != 1 || !strings.HasPrefix(healed[0], step.Fault+"-1: "+step.Fault+" of ") {
		t.Errorf("report %+v", rep)
	}
	if owns {
		if pids, _ := said.Group.members(); len(pids) > 0 || len(rep.Killed) != 1 {
			t.Errorf("group has %v, killed %v", pids, rep.Killed)
		}
	}
	again, err := Heal(ctx, dir, events)
	if err != nil || !cmp.Equal(again, HealReport{}) {
		t.Errorf("healing again: %+v, %v", again, err)
	}
}

func TestHealTouchesNothingUnrelated(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	victims, _, _ := (&Local{Platform: p}).Victims(context.Background(), &Step{})
	proc := victims[0].Process
	if err := proc.signal(sigStop, func() {}); err != nil {
		t.Fatal(err)
	}
	defer proc.signal(sigCont, func() {})
	for begin := time.Now(); ; time.Sleep(time.Millisecond) { // a signal that was sent is not yet a process that has stopped
		if s, err := proc.look(); err == nil && s.stopped() {
			break
		} else if time.Since(begin) > pacetest.Patience {
			t.Fatalf("not stopped: %+v, %v", s, err)
		}
	}
	reused := Process{proc.PID, proc.Start - 1} // the same pid, an earlier process
	armed := func(boot string, u Undo) []assay.Event {
		return []assay.Event{{Kind: assay.EventFaultArmed, Fault: "f", Time: 1,
			Attrs: map[string]string{"kind": "hang", "target": "w", "boot_id": boot, "undo": asJSON(u)}}}
	}
	cont := func(p Process) Undo {
		return Undo{ID: "f", Kind: UndoSignal, Process: &p, Signal: int(sigCont)}
	}
	self, _ := ProcessOf(os.Getpid())
	file := filepath.Join(t.TempDir(), filler+newMark())
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		events []assay.Event
		want   HealReport
	}{
		"reused pid":                {armed(bootID(), cont(reused)), HealReport{Clear: []string{"f: hang of w: no longer in force"}}},
		"another boot":              {armed("0000", cont(proc)), HealReport{Clear: []string{"f: hang of w: ended with the restart of the machine"}}},
		"a file outlasts a restart": {armed("0000", Undo{Kind: UndoRemove, Path: file}), HealReport{Reverted: []string{"f: hang of w"}}},
		"no holder": {armed(bootID(), Undo{Kind: UndoHTTP, Method: "DELETE", URL: "http://127.0.0.1:1/admin/links/w", Want: "{}"}),
			HealReport{Clear: []string{"f: hang of w: no longer in force"}}},
		"dead holder": {armed(bootID(), Undo{Kind: UndoHTTP, Method: "DELETE", URL: p.URL, Want: "{}", Process: &reused}),
			HealReport{Clear: []string{"f: hang of w: no longer in force"}}},
		"refused by the holder": {armed(bootID(), Undo{Kind: UndoHTTP, Method: "PUT", URL: p.URL + "/admin/instances/x/y", Want: `{"a":1}`, Process: &self}),
			HealReport{Clear: []string{"f: hang of w: no longer in force"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rep, err := Heal(context.Background(), dir, tc.events)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, rep); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s, err := proc.look(); err != nil || !s.stopped() {
				t.Errorf("the process was touched: %+v, %v", s, err)
			}
		})
	}
}

func TestHealSaysWhatRemains(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 1) // its list of instances never becomes {"x":1}
	dir := t.TempDir()
	u := Undo{Kind: UndoHTTP, Method: "GET", URL: p.URL + "/admin/instances", Want: `{"x":1}`}
	events := []assay.Event{{Kind: assay.EventFaultArmed, Fault: "f", Attrs: map[string]string{"kind": "cut", "target": "w", "undo": asJSON(u)}}}
	start := time.Now()
	rep, err := Heal(context.Background(), dir, events)
	if err != nil || len(rep.Remaining) != 1 || !strings.Contains(rep.Remaining[0], "by hand: GET "+u.URL) {
		t.Errorf("report %+v, %v", rep, err)
	}
	if took := time.Since(start); took > pacetest.Most(2*healTimeout) {
		t.Errorf("took %v", took)
	}
	if got := kinds(unixNotes(t, dir)); !cmp.Equal(got, []string{assay.EventFaultReverted, assay.EventFaultRemaining}) {
		t.Errorf("notes %v", got)
	}
	events[0].Attrs["undo"] = "{"
	if rep, err := Heal(context.Background(), dir, events); err != nil || len(rep.Remaining) != 1 || !strings.HasPrefix(rep.Remaining[0], "f: cut of w: its undo cannot be read: ") {
		t.Errorf("an undo that cannot be read is passed over: %+v, %v", rep, err)
	}
}

func TestHealLeavesALiveRunItsProcesses(t *testing.T) {
	lookOnly(t)
	dir := t.TempDir()
	self, _ := ProcessOf(os.Getpid())
	cmd := role("victim")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	group, _ := ProcessOf(cmd.Process.Pid)
	book := notebook{dir: dir, source: "guardian"}
	if err := book.write(ownership(attrOwn, group, self)); err != nil {
		t.Fatal(err)
	}
	rep, err := Heal(context.Background(), dir, nil)
	if err != nil || !cmp.Equal(rep, HealReport{Running: true}) || group.Gone() {
		t.Errorf("report %+v, %v; gone %v", rep, err, group.Gone())
	}
}

// What heal finds away while the run lives may come into force afterwards: it must be found then.
func TestHealOfALiveRunIsNotTheLastWord(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	victims, _, _ := (&Local{Platform: p}).Victims(context.Background(), &Step{})
	proc := victims[0].Process
	run := role("victim")
	in, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer run.Process.Kill()
	alive, err := ProcessOf(run.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := (&notebook{dir: dir, source: "guardian"}).write(guards(alive)); err != nil {
		t.Fatal(err)
	}
	u := Undo{ID: "hang-1", Kind: UndoSignal, Process: &proc, Signal: int(sigCont)}
	events := []assay.Event{{Kind: assay.EventFaultArmed, Fault: "hang-1", Attrs: placed(attrUndo, asJSON(u), attrKind, "hang", attrTarget, "w")}}
	heal := func(want HealReport, opt HealOptions) {
		t.Helper()
		rep, err := HealWith(context.Background(), dir, events, opt)
		if err != nil || !cmp.Equal(want, rep) {
			t.Errorf("report %+v, %v; want %+v", rep, err, want)
		}
	}
	heal(HealReport{Clear: []string{"hang-1: hang of w: no longer in force"}, Running: true}, HealOptions{})
	if err := proc.signal(sigStop, func() {}); err != nil { // now the run applies it
		t.Fatal(err)
	}
	heal(HealReport{Running: true}, HealOptions{LeaveAlive: true})
	for s, _ := proc.look(); !s.stopped(); s, _ = proc.look() {
		time.Sleep(time.Millisecond)
	}
	heal(HealReport{Reverted: []string{"hang-1: hang of w"}, Running: true}, HealOptions{})
	run.Process.Kill()
	run.Wait()
	heal(HealReport{Clear: []string{"hang-1: hang of w: no longer in force"}}, HealOptions{})
	heal(HealReport{}, HealOptions{})
}

// A process id, a file and a packet filter mean nothing on another machine, nor in another container.
func TestHealRefusesWhatLiesElsewhere(t *testing.T) {
	lookOnly(t)
	self, _ := ProcessOf(os.Getpid())
	u := Undo{ID: "f", Kind: UndoSignal, Process: &self, Signal: int(sigCont)}
	for key, want := range map[string]string{attrMachine: "it lies on another machine: heal it on host there", attrPIDs: "it lies in another container of this machine"} {
		attrs := placed(attrUndo, asJSON(u), attrKind, "hang", attrTarget, "w", key, "another", attrHost, "there")
		dir := t.TempDir()
		for range 2 {
			rep, err := Heal(context.Background(), dir, []assay.Event{{Kind: assay.EventFaultArmed, Fault: "f", Attrs: attrs}})
			if err != nil || len(rep.Remaining) != 1 || !strings.HasPrefix(rep.Remaining[0], "f: hang of w: "+want) || !strings.Contains(rep.Remaining[0], "heal it on host there") {
				t.Errorf("%s: %+v, %v", key, rep, err)
			}
		}
	}
}

func TestNotesSurviveATornLine(t *testing.T) {
	dir := t.TempDir()
	book := notebook{dir: dir, source: "heal"}
	if err := book.write(assay.Event{Time: 5, Kind: "a"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, NotesFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"kind":"torn`)
	f.Close()
	if err := book.write(assay.Event{Time: 7, Kind: "b", Fault: "f"}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNotes(dir, func(ns int64) int64 { return ns - 4 })
	want := []assay.Event{{Time: 1, Kind: "a", Source: "heal"}, {Time: 3, Kind: "b", Fault: "f", Source: "heal"}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %v, %v", got, err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, NotesFile))
	if first, _, _ := strings.Cut(string(b), "\n"); first != `{"kind":"a","source":"heal","time_unix_ns":5}` {
		t.Errorf("line %s", first)
	}
	if got, err := ReadNotes(t.TempDir(), nil); got != nil || err != nil {
		t.Errorf("without notes: %v, %v", got, err)
	}
}
