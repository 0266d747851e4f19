package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/google/go-cmp/cmp"
)

// memoryGuard keeps undos in memory, like a guardian that is never needed.
type memoryGuard struct {
	mu    sync.Mutex
	armed map[string]Undo
	lost  chan struct{}
	err   error
}

func newMemoryGuard() *memoryGuard {
	return &memoryGuard{armed: map[string]Undo{}, lost: make(chan struct{})}
}

func (g *memoryGuard) Arm(_ context.Context, u Undo) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed[u.ID] = u
	return g.err
}

func (g *memoryGuard) Disarm(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.armed, id)
	return nil
}

func (g *memoryGuard) Lost() <-chan struct{} { return g.lost }

// trial runs steps against a driver and records what was said.
type trial struct {
	*Runner
	guard *memoryGuard
	mu    sync.Mutex
	log   []assay.Event
	on    func(e *assay.Event) // called for each event, outside any lock
}

func newTrial(d Driver, steps ...Step) *trial {
	tr := &trial{guard: newMemoryGuard()}
	tr.Runner = &Runner{Steps: steps, Driver: d, Guard: tr.guard, Clock: clock.New(), Seed: 7,
		Sync:  func(e *assay.Event) error { return tr.record(e) },
		Begin: func(context.Context, string) (int64, error) { return 1, nil }}
	return tr
}

func (tr *trial) record(rec assay.Record) error {
	e := *rec.(*assay.Event)
	tr.mu.Lock()
	tr.log = append(tr.log, e)
	tr.mu.Unlock()
	if tr.on != nil {
		tr.on(&e)
	}
	return nil
}

func (tr *trial) run(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := tr.Run(ctx, tr.record); err != nil {
		t.Fatal(err)
	}
	if a := tr.Active(); len(a) > 0 {
		t.Errorf("after Run, active: %v", a)
	}
	if len(tr.guard.armed) > 0 {
		t.Errorf("after Run, armed: %v", tr.guard.armed)
	}
}

// kinds returns the kinds of the events of a fault, in order.
func (tr *trial) kinds(fault string) (kinds []string) {
	for _, e := range tr.log {
		if e.Fault == fault {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func (tr *trial) event(t *testing.T, fault, kind string) assay.Event {
	t.Helper()
	for _, e := range tr.log {
		if e.Fault == fault && e.Kind == kind {
			return e
		}
	}
	t.Fatalf("no %s of %s in %v", kind, fault, tr.log)
	return assay.Event{}
}

var wholeLife = []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventFaultReverted, assay.EventFaultClear}

type faultCase struct {
	step   Step
	effect string // in the verified event
	sees   string // end of a probe through the link
}

// faults is one step of each fault, with what a client sees of it while it holds.
var faults = []faultCase{
	{Step{Fault: "kill", Instances: 1}, "is gone", ""},
	{Step{Fault: "terminate", Instances: 1}, "is gone", ""},
	{Step{Fault: "crashloop", Instances: 1, For: 1500 * time.Millisecond}, "is gone", ""},
	{Step{Fault: "bandwidth", Instances: 1, For: 500 * time.Millisecond, Rate: 64 << 10}, "4096 bytes and an answer took", endAnswer},
	{Step{Fault: "slow-close", Instances: 1, For: 700 * time.Millisecond, Delay: 150 * time.Millisecond}, "the end came ", endAnswer},
	{Step{Fault: "files", Instances: 1, For: 700 * time.Millisecond}, "limited to 0 of nofile; a new connection saw no answer", endSilence},
	{Step{Fault: "memory-limit", Instances: 1, For: 300 * time.Millisecond}, " of as and has ", endAnswer},
	{Step{Fault: "memory-limit", Instances: 1, For: 300 * time.Millisecond, Mode: "oom"}, "0 bytes more at most; the limit was hit", ""},
	{Step{Fault: "cpu-quota", Instances: 1, For: 700 * time.Millisecond, Quota: 0.01}, "1ms of each 100ms; held back in ", endAnswer},
	{Step{Fault: "cpu", Instances: 1, For: 700 * time.Millisecond, CPUs: 1}, "that 1 threads could", endAnswer},
	{Step{Fault: "memory", Instances: 1, For: 300 * time.Millisecond, Bytes: 16 << 20}, "holds", endAnswer},
	{Step{Fault: "disk", Instances: 1, For: 200 * time.Millisecond, Bytes: 8 << 20}, "the file holds 8388608 bytes", endAnswer},
	{Step{Fault: "slow-start", Instances: 1, For: 300 * time.Millisecond, Delay: 100 * time.Millisecond}, "the platform ", endAnswer},
	{Step{Fault: "loss", Instances: 1, For: 500 * time.Millisecond, Probability: 1}, "packets were dropped (100%, want 100%)", endSilence},
	{Step{Fault: "slow-reads", Instances: 1, For: 300 * time.Millisecond, Delay: 50 * time.Millisecond}, "the first 65536 bytes of weights took ", endAnswer},
	{Step{Fault: "slow-reads", Instances: 1, For: 300 * time.Millisecond, Mode: "fail"}, "a read of weights failed: ", endAnswer},
	{Step{Fault: "slow-reads", Instances: 1, For: 300 * time.Millisecond, Mode: "short", Bytes: 4096}, "weights ends after 4096 of 262144 bytes", endAnswer},
	{Step{Fault: "hang", Instances: 1, For: 400 * time.Millisecond}, "state T", endSilence},
	{Step{Fault: "delay", Instances: 1, For: 900 * time.Millisecond, Delay: 100 * time.Millisecond, Jitter: 10 * time.Millisecond}, "through the link", endAnswer},
	{Step{Fault: "cut", Instances: 1, For: 700 * time.Millisecond}, endReset, endReset},
	{Step{Fault: "cut", Instances: 1, For: 700 * time.Millisecond, Mode: "close"}, endEOF, endEOF},
	{Step{Fault: "cut", Instances: 1, For: 1200 * time.Millisecond, Mode: "blackhole"}, endSilence, endSilence},
	{Step{Fault: "cut", Instances: 1, For: 700 * time.Millisecond, Mode: "refuse"}, endRefused, endRefused},
	{Step{Fault: "http", Instances: 1, For: 300 * time.Millisecond, Status: 429, RetryAfter: 2 * time.Second, First: 3}, `status 429, 0 tokens and an answer`, endAnswer},
	{Step{Fault: "http", Instances: 1, For: 700 * time.Millisecond, Mode: "latency", Delay: 100 * time.Millisecond}, "first byte after 10", endAnswer},
	{Step{Fault: "http", Instances: 1, For: 700 * time.Millisecond, Mode: "hang", Every: 2}, "status 0, 0 tokens and no answer", endAnswer},
	{Step{Fault: "http", Instances: 1, For: 300 * time.Millisecond, Mode: "tls-expired"}, "expired: true", endAnswer},
	{Step{Fault: "stream", Instances: 1, For: 300 * time.Millisecond, Tokens: 4, After: 10}, "4 tokens and an orderly end", endAnswer},
	{Step{Fault: "stream", Instances: 1, For: 300 * time.Millisecond, Tokens: 4, Mode: "rst"}, "4 tokens and a reset", endAnswer},
	{Step{Fault: "stream", Instances: 1, For: 700 * time.Millisecond, Tokens: 4, Mode: "stall", Probability: 0.5, Seed: 3}, "4 tokens and no answer", endAnswer},
	{Step{Fault: "stream", Instances: 1, For: 700 * time.Millisecond, Mode: "slow", Delay: 40 * time.Millisecond}, "3 tokens and an answer after 1", endAnswer},
	{Step{Fault: "stream", Instances: 1, For: 300 * time.Millisecond, Mode: "corrupt", Tokens: 2}, "4 tokens and an answer", endAnswer},
	{Step{Fault: "dns", Instances: 1, For: 200 * time.Millisecond}, "a lookup of weights.example got NXDOMAIN []", endAnswer},
	{Step{Fault: "dns", Instances: 1, For: 200 * time.Millisecond, Mode: "servfail", Names: []string{"*.example"}, Probability: 0.2, Seed: 5}, "got SERVFAIL []", endAnswer},
	{Step{Fault: "dns", Instances: 1, For: 700 * time.Millisecond, Mode: "drop"}, "got no answer within 300ms", endAnswer},
	{Step{Fault: "dns", Instances: 1, For: 700 * time.Millisecond, Mode: "delay", Delay: 100 * time.Millisecond}, "got NOERROR [127.0.0.1] after ", endAnswer},
	{Step{Fault: "dns", Instances: 1, For: 200 * time.Millisecond, Mode: "wrong", Names: []string{"weights.example"}}, "got NOERROR [127.255.255.254]", endAnswer},
	{Step{Fault: "clock", Instances: 1, For: 300 * time.Millisecond, MeshSettings: MeshSettings{Offset: -10 * time.Minute}}, "its answers are dated 10m", endAnswer},
	{Step{Fault: "gpu-memory", Instances: 1, For: 300 * time.Millisecond, Bytes: 64 << 20}, "holds 67108864 bytes of GPU 0: the driver tells 1006632960 free of 1073741824, and 1073741824 before; nvidia-smi sees it hold 67108864", endAnswer},
	{Step{Fault: "gpu-clocks", Instances: 1, For: 200 * time.Millisecond, Watts: 150}, "the power limit of GPU 0 is 150 W, and was 300", endAnswer},
	{Step{Fault: "gpu-clocks", Instances: 1, For: 200 * time.Millisecond, MHz: 600}, "the cores of GPU 0 run at 600 MHz, and at 1980 before; locked to 600", endAnswer},
	{Step{Fault: "gpu-lost", Instances: 1, For: 300 * time.Millisecond}, "opening /dev/full: operation not permitted for a process in the group of pid ", endAnswer},
	{Step{Fault: "xid", Instances: 1, XID: 48}, `simulated: the kernel log has "NVRM: Xid (PCI:0000:3b:00): 48, pid='<unknown>', name=<unknown>, DBE (double bit error) ECC Error (simulated by assay, assay-mark-`, endAnswer},
}

// ends reports whether a step ends its victim.
func ends(s Step) bool {
	return slices.Contains([]string{"kill", "terminate", "crashloop"}, s.Fault) || s.Mode == limitOOM
}

// starved reports whether a victim that may have no more memory has died of it, as one does that happens to need some: with the race detector it often does.
func starved(s Step, v Victim) bool {
	return s.Fault == "memory-limit" && v.Process.PID > 0 && v.Process.Gone()
}

// starvedIn reports the same of the victims in a journal.
func starvedIn(t *testing.T, dir string) bool {
	t.Helper()
	open, unread := openFaults(drilltest.Read(t, dir), nil)
	if len(unread) > 0 {
		t.Fatal(unread)
	}
	return slices.ContainsFunc(open, func(f journaled) bool { return f.undo.Resource == resourceMemory && f.undo.Process.Gone() })
}

// leaves reports whether there is something of a step to be seen while it is in force.
func leaves(s Step) bool { return !ends(s) && s.Fault != "xid" }

// skipUnable skips the test of a step that this machine cannot do.
func skipUnable(t *testing.T, s Step) {
	t.Helper()
	k, _ := find(s.Fault)
	if err := k.Available(); err != nil {
		t.Skip(err)
	}
	if s.Mode == limitOOM {
		if err := cgroupsWork("memory")(); err != nil {
			t.Skip(err)
		}
	}
}

// Each kind of the local driver stands in the table of faults, so that each is tested at each stage of its life.
func TestFaultsHoldEachKind(t *testing.T) {
	for _, name := range kindNames() {
		if k, _ := find(name); k.local != nil && !slices.ContainsFunc(faults, func(f faultCase) bool { return f.step.Fault == name }) {
			t.Errorf("no step of %s", name)
		}
	}
}

func TestLifeOfEachFault(t *testing.T) {
	t.Parallel()
	lookOnly(t)
	p := newPlatform(t, 2)
	d := &Local{Platform: p, RunID: "test"}
	for _, tc := range faults {
		t.Run(tc.step.Fault+tc.step.Mode, func(t *testing.T) {
			skipUnable(t, tc.step)
			p.healthy(t, 2)
			k, _ := find(tc.step.Fault)
			one := k.one()
			tc.step = p.placed(tc.step)
			tr := newTrial(d, tc.step)
			id := tc.step.Fault + "-1"
			var victim Victim
			tr.on = func(e *assay.Event) {
				switch e.Kind {
				case assay.EventFaultArmed:
					if victim.ID = one; one == "" {
						victim = p.get(e.Instance).Victim
					} else if all, _, err := d.Victims(context.Background(), &Step{}); err != nil {
						t.Error(err)
					} else {
						victim.Link, victim.Process = all[0].Link, all[0].Process
					}
				case assay.EventFaultVerified:
					if tc.sees == "" {
						if !victim.Process.Gone() {
							t.Error("the victim lives")
						}
						return
					}
					within := pacetest.Patience
					if tc.sees == endSilence {
						within = 300 * time.Millisecond
					}
					ctx, cancel := context.WithTimeout(context.Background(), within)
					defer cancel()
					if got := d.probe(ctx, victim.Link); got.end != tc.sees && !starved(tc.step, victim) {
						t.Errorf("a client sees %v, want %s", got, tc.sees)
					}
					if want := []Active{{id, tc.step.Fault, victim.ID, StateInjected, 0}}; !cmp.Equal(want, stripSince(tr.Active())) {
						t.Errorf("active %v, want %v", tr.Active(), want)
					}
				}
			}
			tr.run(t, context.Background())
			if diff := cmp.Diff(wholeLife, tr.kinds(id)); diff != "" {
				t.Fatalf("events (-want +got):\n%s\n%v", diff, tr.log)
			}
			armed, applied := tr.event(t, id, assay.EventFaultArmed), tr.event(t, id, assay.EventFaultApplied)
			verified, reverted, clear := tr.event(t, id, assay.EventFaultVerified), tr.event(t, id, assay.EventFaultReverted), tr.event(t, id, assay.EventFaultClear)
			if !(0 < armed.Time && armed.Time < applied.Time && applied.Time < verified.Time && verified.Time < reverted.Time && reverted.Time <= clear.Time) {
				t.Errorf("times are not in order: %v", tr.log)
			}
			held, died := time.Duration(reverted.Time-applied.Time), starved(tc.step, victim)
			if held < tc.step.For && tc.step.Mode != limitOOM && !died || held > pacetest.Most(tc.step.For+2*time.Second) {
				t.Errorf("held for %v, want %v", held, tc.step.For)
			}
			if !strings.Contains(verified.Attrs["effect"], tc.effect) && !died {
				t.Errorf("effect %q, want %q in it", verified.Attrs["effect"], tc.effect)
			}
			if _, after, ok := strings.Cut(verified.Attrs["effect"], "] after "); ok { // as long as asked, and as much more as the machine takes
				if d, err := time.ParseDuration(after); err != nil || d < tc.step.Delay {
					t.Errorf("effect %q, want %v at least", verified.Attrs["effect"], tc.step.Delay)
				}
			}
			var u Undo
			if err := json.Unmarshal([]byte(armed.Attrs["undo"]), &u); err != nil || u.ID != id {
				t.Errorf("undo %q: %v", armed.Attrs["undo"], err)
			}
			want := placed("kind", tc.step.Fault, "target", victim.ID, "healthy", "2", "undo", armed.Attrs["undo"])
			if tc.step.For > 0 {
				want["for_ns"] = fmt.Sprint(int64(tc.step.For))
			}
			if k.Simulated == cmp.Equal(want, armed.Attrs) || k.Simulated == (armed.Attrs["simulated"] == "") {
				t.Errorf("armed with %v, want %v", armed.Attrs, want)
			}
			if text := "killed 1 times"; tc.step.Fault == "crashloop" && (!strings.HasPrefix(reverted.Text, "killed ") || reverted.Text == text && pacetest.Full()) { // a busy machine may start the next too late
				t.Errorf("reverted with %q: the loop did not go on", reverted.Text)
			}
			if left := p.trouble(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if !ends(tc.step) && !died {
				if got := d.probe(context.Background(), victim.Link); got.end != endAnswer {
					t.Errorf("afterwards a client sees %v", got)
				}
				if victim.Process.Gone() {
					t.Error("the victim did not survive")
				}
			}
		})
	}
}

func stripSince(list []Active) []Active {
	for i := range list {
		list[i].Since = 0
	}
	return list
}

// A live connection through the link must feel a cut, not only new ones.
func TestCutOfLiveConnection(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	tr := newTrial(&Local{Platform: p}, Step{Fault: "cut", Instances: 1, For: 300 * time.Millisecond})
	var c net.Conn
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultArmed {
			var err error
			if c, err = net.Dial("tcp", p.get(e.Instance).Link); err != nil {
				t.Error(err)
			}
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Read(make([]byte, 10))
		}
	}
	tr.run(t, context.Background())
	defer c.Close()
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the live connection ended with %v, want a reset", err)
	}
}

func TestInterruptAndAbortRevertInReverse(t *testing.T) {
	lookOnly(t)
	for _, how := range []string{"interrupt", "abort", "guardian"} {
		t.Run(how, func(t *testing.T) {
			p := newPlatform(t, 3)
			hold := Step{Instances: 1, For: time.Minute}
			hang, delay, cut := hold, hold, hold
			hang.Fault, delay.Fault, cut.Fault = "hang", "delay", "cut"
			delay.Delay, delay.At, cut.At = 20*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
			late := Step{Fault: "kill", Instances: 1, At: time.Hour}
			tr := newTrial(&Local{Platform: p}, hang, delay, cut, late)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			verified := 0
			tr.on = func(e *assay.Event) {
				if e.Kind != assay.EventFaultVerified {
					return
				}
				tr.mu.Lock()
				verified++
				all := verified == 3
				tr.mu.Unlock()
				if !all {
					return
				}
				switch how {
				case "interrupt":
					cancel()
				case "abort":
					tr.Abort("a guard")
					tr.Abort("another")
				case "guardian":
					close(tr.guard.lost)
				}
			}
			tr.run(t, ctx)
			var reverted []string
			for _, e := range tr.log {
				if e.Kind == assay.EventFaultReverted {
					reverted = append(reverted, e.Fault)
				}
			}
			if want := []string{"cut-3", "delay-2", "hang-1"}; !cmp.Equal(want, reverted) {
				t.Errorf("reverted %v, want %v", reverted, want)
			}
			want := map[string]string{"interrupt": "interrupted", "abort": "a guard", "guardian": "the guardian died"}[how]
			if e := tr.event(t, "kill-4", assay.EventFaultVoid); e.Text != "not injected: "+want {
				t.Errorf("the last step: %q, want %q", e.Text, want)
			}
			if left := p.trouble(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if how == "guardian" {
				tr.event(t, "", assay.EventWarning)
			}
			if got := tr.Aborted(); how != "interrupt" && got != want {
				t.Errorf("aborted by %q, want %q", got, want)
			}
		})
	}
}

// scripted is a driver whose actions are funcs.
type scripted struct {
	ids []string
	act func(v Victim) (*Action, error)
}

func (d scripted) Victims(context.Context, *Step) ([]Victim, int, error) {
	var list []Victim
	for _, id := range d.ids {
		list = append(list, Victim{ID: id})
	}
	return list, len(list), nil
}

func (d scripted) Plan(_ context.Context, s *Step, v Victim) (*Action, error) {
	a, err := d.act(v)
	if err == nil {
		a.Kind, a.Target = s.Fault, v.ID
	}
	return a, err
}

func nothing(v Victim) *Action {
	return &Action{Undo: Undo{Kind: UndoNone},
		Apply:  func(_ context.Context, stamp func()) error { stamp(); return nil },
		Effect: func(context.Context) (string, error) { return "seen", nil }}
}

func TestVoid(t *testing.T) {
	armed, applied, void := assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVoid
	reverted, clear, remaining := assay.EventFaultReverted, assay.EventFaultClear, assay.EventFaultRemaining
	gone := &Process{PID: 1 << 30, Start: 1}
	for name, tc := range map[string]struct {
		change func(*trial, *Action)
		plan   error
		none   bool // no victim at all
		want   []string
		text   string
	}{
		"refused": {plan: errors.New("no such link"), want: []string{void}, text: "not injected: no such link"},
		"nobody":  {none: true, want: []string{void}, text: "no instance that may be hurt was ready"},
		"journal": {change: func(tr *trial, _ *Action) {
			tr.Sync = func(*assay.Event) error { return syscall.ENOSPC }
		}, want: []string{void, clear}, text: "write the journal: no space left on device"},
		"guardian": {change: func(tr *trial, _ *Action) { tr.guard.err = errGuardianLost },
			want: []string{armed, void, clear}, text: "the guardian is gone"},
		"apply": {change: func(_ *trial, a *Action) {
			a.Apply = func(context.Context, func()) error { return errGone }
		}, want: []string{armed, void, reverted, clear}, text: "the process is gone"},
		"apply late": {change: func(_ *trial, a *Action) {
			a.Apply = func(_ context.Context, stamp func()) error { stamp(); return errGone }
		}, want: []string{armed, applied, void, reverted, clear}, text: "the process is gone"},
		"no effect": {change: func(_ *trial, a *Action) {
			a.Effect = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", errors.New("all well") }
		}, want: []string{armed, applied, void, reverted, clear}, text: "no effect was seen within 50ms: all well"},
		"remains": {change: func(_ *trial, a *Action) {
			a.Undo = Undo{Kind: UndoSignal, Process: gone, Signal: 18}
			a.Effect = func(context.Context) (string, error) { return "", errors.New("all well") }
			a.Lifted = func(context.Context) error { return errors.New("still there") }
		}, want: []string{armed, applied, void, reverted, remaining}, text: "all well"},
	} {
		t.Run(name, func(t *testing.T) {
			var tr *trial
			d := scripted{ids: []string{"w-1"}, act: func(v Victim) (*Action, error) {
				a := nothing(v)
				if tc.change != nil {
					tc.change(tr, a)
				}
				return a, tc.plan
			}}
			if tc.none {
				d.ids = nil
			}
			if name == "remains" {
				lookOnly(t)
			}
			tr = newTrial(d, Step{Fault: "kill", Instances: 1})
			tr.Verify, tr.Ready, tr.Revert = 50*time.Millisecond, 60*time.Millisecond, time.Second
			if err := tr.Run(context.Background(), tr.record); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, tr.kinds("kill-1")); diff != "" {
				t.Errorf("events (-want +got):\n%s\n%v", diff, tr.log)
			}
			if e := tr.event(t, "kill-1", void); !strings.Contains(e.Text, tc.text) {
				t.Errorf("void because %q, want %q", e.Text, tc.text)
			}
			if got := len(tr.Remaining()) > 0; got != (name == "remains") {
				t.Errorf("remaining: %v", tr.Remaining())
			}
			if name == "remains" && len(tr.guard.armed) != 1 {
				t.Error("the guardian no longer keeps the undo of a fault that remains")
			}
		})
	}
}

func TestEndsEarlyWithItsVictim(t *testing.T) {
	lookOnly(t)
	p := newPlatform(t, 1)
	tr := newTrial(&Local{Platform: p}, Step{Fault: "hang", Instances: 1, For: time.Minute})
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified { // as a platform does with an instance that hangs
			p.get(e.Instance).Process.signal(syscall.SIGKILL, func() {})
		}
	}
	start := time.Now()
	tr.run(t, context.Background())
	if took := time.Since(start); took > pacetest.Most(20*time.Second) {
		t.Errorf("took %v", took)
	}
	if e := tr.event(t, "hang-1", assay.EventFaultReverted); e.Text != "ended early: the process is gone" {
		t.Errorf("reverted with %q", e.Text)
	}
}

// What is meant to end its victim does not end early with it.
func TestIsOverWithItsVictim(t *testing.T) {
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrial(scripted{ids: []string{"a"}, act: func(v Victim) (*Action, error) {
				a := nothing(v)
				a.Ends, a.Ended = ends, func() string { return "the process is gone" }
				return a, nil
			}}, Step{Fault: "hang", Instances: 1, For: time.Minute})
			tr.run(t, context.Background())
			want := map[bool]string{false: "ended early: the process is gone", true: "over with its victim: the process is gone"}[ends]
			if e := tr.event(t, "hang-1", assay.EventFaultReverted); e.Text != want {
				t.Errorf("reverted with %q, want %q", e.Text, want)
			}
		})
	}
}

func TestStepsWaitForTheirInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := int64(time.Second)
		d := scripted{ids: []string{"w-1", "w-2"}, act: func(v Victim) (*Action, error) { return nothing(v), nil }}
		tr := newTrial(d,
			Step{Fault: "hang", Instances: 1, For: 4 * time.Second, Phase: "steady", At: 3 * time.Second},
			Step{Fault: "kill", Instances: 1, At: 5 * time.Second},
			Step{Fault: "kill", Instances: 1, Phase: "never"},
			Step{Fault: "kill", Instances: 2, Phase: "steady", At: 12 * time.Second})
		tr.Begin = func(ctx context.Context, phase string) (int64, error) {
			switch phase {
			case "":
				return 2 * second, nil
			case "steady":
				time.Sleep(20 * time.Second)
				return 10 * second, nil
			}
			time.Sleep(time.Minute)
			return 0, errors.New("the load ended before phase never")
		}
		tr.run(t, context.Background())
		var got []string
		for _, e := range tr.log {
			if e.Kind == assay.EventFaultApplied || e.Kind == assay.EventFaultReverted {
				got = append(got, fmt.Sprintf("%v %s %s", time.Duration(e.Time).Round(time.Second), e.Fault, e.Kind))
			}
		}
		// The phase was announced late, at 20 s: a step that was due before strikes at once. The hang keeps its instance from the last kill.
		want := []string{"7s kill-2 fault.applied", "7s kill-2 fault.reverted", "20s hang-1 fault.applied", "22s kill-4.1 fault.applied",
			"22s kill-4.1 fault.reverted", "24s hang-1 fault.reverted"}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if e := tr.event(t, "kill-3", assay.EventFaultVoid); e.Text != "not injected: the load ended before phase never" {
			t.Errorf("void because %q", e.Text)
		}
	})
}
