package chaos

import (
	"bufio"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

func clocksOnly(t *testing.T) {
	t.Helper()
	if err := clockWorks(); err != nil {
		t.Skip(err)
	}
}

// sleepingClock starts a process that sleeps, and waits until it has the code that reads the clock: the kernel tells that a process was started before it gives it that.
func sleepingClock(t *testing.T) Process {
	t.Helper()
	p := sleeper(t).Process
	limit, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
	defer cancel()
	if err := until(limit, time.Millisecond, func() error {
		_, err := p.clockCode(time.Second)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// A process whose threads read the clock all the time survives that the code they do it with is replaced under them, again and again.
func TestClockOfABusyProcess(t *testing.T) {
	clocksOnly(t)
	cmd := role("spinner")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	p, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	d := &Local{}
	n := 20
	if os.Getenv("ASSAY_FULL") != "" {
		n = 500
	}
	for i := range n {
		shift := time.Duration(1-2*(i%2)) * time.Hour
		list, err := p.clockCode(shift)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.setClock(t.Context(), list, true); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if shifted, err := p.clockShifted(list); err != nil || !shifted {
			t.Errorf("round %d: shifted %v, %v", i, shifted, err)
		}
		if i%5 == 0 {
			if got, err := d.dated(t.Context(), addr); err != nil || (got-shift).Abs() > dateError {
				t.Errorf("round %d: its answers are off by %v, %v; want %v", i, got, err, shift)
			}
			if _, err := p.clockCode(time.Hour); err == nil || !strings.Contains(err.Error(), "is shifted already") {
				t.Errorf("round %d: a second shift: %v", i, err)
			}
		}
		for range 2 { // an undo may be done any number of times
			u := Undo{Kind: UndoClock, Process: &p, Code: list}
			if err := u.Do(t.Context()); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			if err := u.away(t.Context()); err != nil {
				t.Errorf("round %d: %v", i, err)
			}
		}
	}
	if got, err := d.dated(t.Context(), addr); err != nil || got.Abs() > dateError {
		t.Errorf("afterwards its answers are off by %v, %v", got, err)
	}
	if s, err := p.look(); err != nil || s.stopped() {
		t.Errorf("afterwards it is in state %c, %v", s.state, err)
	}
}

// Nothing is written but the code that reads the clock, and only over what is known.
func TestClockRefuses(t *testing.T) {
	clocksOnly(t)
	p := newPlatform(t, 1)
	v := p.get("w-01").Process
	list, err := v.clockCode(time.Hour)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	lo, hi, err := v.vdsoRange()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []uint64{lo - 1, hi - 1, 4096} {
		c := list[0]
		c.Addr = at
		if err := v.setClock(t.Context(), []patch{c}, true); err == nil || !strings.Contains(err.Error(), "does not lie in the vDSO") {
			t.Errorf("at %x of %x to %x: %v", at, lo, hi, err)
		}
	}
	other := list[0]
	other.Old = strings.Repeat("90", len(other.Old)/2)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := v.setClock(ctx, []patch{other}, true); err == nil || !strings.Contains(err.Error(), "was changed by someone else") {
		t.Errorf("over other code: %v", err)
	}
	if s, err := v.look(); err != nil || s.stopped() {
		t.Errorf("the process is left in state %c, %v", s.state, err)
	}
	if err := v.signal(sigStop, func() {}); err != nil {
		t.Fatal(err)
	}
	for s, err := v.look(); err == nil && !s.stopped(); s, err = v.look() {
	}
	if err := v.setClock(t.Context(), list, true); err == nil || !strings.Contains(err.Error(), "is stopped already") {
		t.Errorf("a process that someone stopped: %v", err)
	}
	v.signal(syscall.SIGCONT, func() {})
	gone := Process{v.PID, v.Start + 1}
	u := Undo{Kind: UndoClock, Process: &gone, Code: list}
	if err := u.Do(t.Context()); err != nil {
		t.Errorf("undo of a process that is gone: %v", err)
	}
	if err := u.Verify(t.Context()); err != nil {
		t.Errorf("undo of a process that is gone: %v", err)
	}
}

func TestVDSORange(t *testing.T) {
	lo, hi, err := vdsoRange("00400000-00401000 r-xp 00000000 00:00 0 /x\n7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]\n")
	if err != nil || lo != 0x7ffd1000 || hi != 0x7ffd3000 {
		t.Errorf("%x-%x, %v", lo, hi, err)
	}
	for maps, want := range map[string]string{"": "it has no vDSO", "x [vdso]\n": "read the mapping", "2-1 r [vdso]\n": "read the mapping"} {
		if _, _, err := vdsoRange(maps); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", maps, err)
		}
	}
	want := []Wrong{{"offset", "1s is out of range; 5s to 87600h0m0s either way, for example -10m"}}
	if diff := cmp.Diff(want, checkLocalClock(&Step{MeshSettings: MeshSettings{Offset: time.Second}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = []Wrong{{"offset", "5.5s; want whole seconds"}}
	if diff := cmp.Diff(want, checkLocalClock(&Step{MeshSettings: MeshSettings{Offset: 5500 * time.Millisecond}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be done is not tried again and again: the process would be stopped most of the time.
func TestClockThatCannotBeShifted(t *testing.T) {
	clocksOnly(t)
	p := sleepingClock(t)
	one, err := p.clockCode(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.clockCode(20 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.setClock(t.Context(), one, true); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	limit, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
	defer cancel()
	if err := p.setClock(limit, other, true); err == nil || !strings.Contains(err.Error(), "was changed by someone else") {
		t.Errorf("shifted over another's: %v", err)
	}
	if took := time.Since(begin); took > pacetest.Most(5*time.Second) {
		t.Errorf("that took %v", took)
	}
}

// Whoever shifts a clock may die while the process is stopped for it. The undo continues it, and sees that it is to be done.
func TestClockUndoContinues(t *testing.T) {
	clocksOnly(t)
	p := sleepingClock(t)
	code, err := p.clockCode(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	u := Undo{ID: "clock-1", Kind: UndoClock, Process: &p, Code: code}
	for _, shift := range []bool{false, true} {
		if shift {
			if err := p.setClock(t.Context(), code, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.signal(sigStop, func() {}); err != nil {
			t.Fatal(err)
		}
		if err := until(t.Context(), time.Millisecond, func() error {
			s, err := p.look()
			if err == nil && !s.stopped() {
				err = errMoving
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := u.away(t.Context()); err == nil {
			t.Errorf("shifted %t: a stopped process passes for one that is not hurt", shift)
		}
		if err := u.Do(t.Context()); err != nil {
			t.Error(err)
		}
		limit, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
		if err := u.Verify(limit); err != nil {
			t.Error(err)
		}
		cancel()
	}
}
