package main

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/live"
)

const dayPlan = `apiVersion: assay/v1
name: day
mode: gameday
target: {kind: sandbox, model: nano, deadline: 4s, sandbox: {loadFloor: 50ms}}
load:
  - {name: steady, arrivals: {poisson: {rate: 10/s}}, for: 4s, prompt: {tokens: 16}, output: {tokens: 8}}
chaos:
  - {fault: kill, phase: steady, at: 1500ms}
  - {fault: hang, phase: steady, at: 2s, for: 1s}
`

// Without a terminal nobody can be asked: that is refused before anything is started, unless it is said that nobody shall be.
func TestGameDayIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "day.yaml", dayPlan)
	write(t, dir, "plain.yaml", strings.Replace(okPlan, "mode: gameday\n", "", 1))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "day.yaml"}, "standard input and standard error are no terminal; give --yes to run it unattended"},
		{[]string{"run", "plain.yaml", "--gameday"}, "a game day asks before each fault, and there is none to inject"},
		{[]string{"run", "plain.yaml", "--yes"}, "--yes goes with --gameday or mode: gameday"},
	} {
		got := assayIn(t, dir, c.args...)
		if got.code != assay.ExitUsage || !strings.Contains(got.err, c.want) {
			t.Errorf("%v: exit %d, %s", c.args, got.code, got.err)
		}
	}
	if runs := runsIn(t, dir); len(runs) != 0 {
		t.Errorf("runs were made: %v", runs)
	}
}

// Unattended, every fault is injected, one after the other, and each answer is on record as nobody's.
func TestGameDayUnattended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "day.yaml", dayPlan)
	got := assayIn(t, dir, "run", "day.yaml", "--yes")
	if got.code == assay.ExitUsage || got.code == assay.ExitError || got.code == assay.ExitFaultMayRemain {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	r, _ := readResult(t, runsIn(t, dir)[0])
	if len(r.Faults) != 2 || len(r.Notes) != 0 {
		t.Fatalf("faults %+v, notes %+v", r.Faults, r.Notes)
	}
	kill, hang := r.Faults[0].Window, r.Faults[1].Window
	if kill.Void != "" || hang.Void != "" || hang.Applied < kill.Clear+int64(quiet) {
		t.Errorf("the hang was not waited with until the kill was over for %v: %+v, %+v", quiet, kill, hang)
	}
	if !strings.Contains(got.err, "kill-1 over, verified clear") || !strings.Contains(got.err, "  undo     kill -18 ") {
		t.Errorf("what was seen and what is touched is not shown:\n%s", got.err)
	}
}

// The clock of a load phase stands still while a fault of it waits for its answer, however many wait at once; that of a later phase does not count it.
func TestPhaseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &phaseClock{now: clock.New().Now, bases: map[int64]int64{}}
		s := int64(time.Second)
		now := g.now
		check := func(what string, begin, want int64) {
			t.Helper()
			if got := g.until(begin, 10*s); got != want {
				t.Errorf("%s: ends at %v, want %v", what, time.Duration(got), time.Duration(want))
			}
		}
		check("nothing asked", 0, 10*s)
		time.Sleep(2 * time.Second)
		g.pause()
		check("asked", 0, math.MaxInt64)
		time.Sleep(3 * time.Second)
		g.pause()
		time.Sleep(4 * time.Second)
		g.resume()
		check("one of two answered", 0, math.MaxInt64)
		time.Sleep(time.Second)
		g.resume()
		check("both answered", 0, 18*s)
		begin := now()
		check("the next phase", begin, begin+10*s)
		g.pause()
		time.Sleep(time.Second)
		third := now()
		check("a phase that begins while one waits", third, math.MaxInt64)
		time.Sleep(2 * time.Second)
		g.resume()
		check("it counts its own part", third, third+12*s)
		check("and the one before all of it", begin, begin+13*s)
	})
}

func TestAnswerIn(t *testing.T) {
	for line, want := range map[string]string{"y": answerYes, "YES": answerYes, "n": answerNo, "skip": answerNo, "a": answerAbort, "abort": answerAbort,
		"": "", "yes, but look at the queue": "", "note y": ""} {
		if got := answerIn(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// A fault is over for the person once it is clear, nothing has failed for a while and as many instances are ready as before; one that is void at once. A
// fault that is held for long is not given up.
func TestGameDaySees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gameDay{believed: map[string]string{}}
		s := int64(time.Second)
		see := func(kind string, at int64, text string) {
			g.see(&assay.Event{Kind: kind, Time: at, Fault: "kill-1", Text: text, Attrs: map[string]string{"target": "w-1", "effect": "it is gone"}})
		}
		look := func(at, requests, failed int64, ready int) (string, bool) {
			line, over := g.look(&live.State{Now: at, Requests: requests, Failed: failed, Ready: ready, Desired: -1, TTFT: math.NaN()})
			return line, over
		}
		check := func(what, line string, over bool, want string, wantOver bool) {
			t.Helper()
			if over != wantOver || !strings.Contains(line, want) || want == "" && line != "" {
				t.Errorf("%s: got %q, %t; want %q, %t", what, line, over, want, wantOver)
			}
		}
		line, over := look(0, 0, 0, 2)
		check("nothing", line, over, "", false)

		g.watch(&chaos.Action{Kind: "kill", Target: "w-1"})
		line, over = look(1*s, 10, 1, 2)
		check("asked", line, over, "", false)
		g.see(&assay.Event{Kind: assay.EventFaultApplied, Fault: "other-2", Attrs: map[string]string{"target": "w-9"}})
		see(assay.EventFaultApplied, 2*s, "")
		see(assay.EventFaultVerified, 2*s, "")
		time.Sleep(lost + time.Second)
		line, over = look(4*s, 20, 4, 1)
		check("in force for long", line, over, "kill-1 in force for 2s: 7 ok, 3 failed since", false)
		see(assay.EventFaultClear, 5*s, "")
		line, over = look(9*s, 30, 4, 1)
		check("an instance is missing", line, over, "", false)
		line, over = look(10*s, 32, 4, 2)
		check("well again", line, over, "kill-1 over, verified clear after 3s; effect: it is gone; 19 ok, 3 failed since; TTFT p95 -, instances 2; last failure seen 2s after it began", true)

		g.watch(&chaos.Action{Kind: "experiment", Target: "w-1"})
		look(10*s, 32, 4, 2)
		see(assay.EventFaultArmed, 10*s, "")
		time.Sleep(lost + time.Second)
		line, over = look(10*s, 32, 4, 2)
		check("being injected for long", line, over, "", false)

		g.watch(&chaos.Action{Kind: "kill", Target: "w-1"})
		look(11*s, 32, 4, 2)
		see(assay.EventFaultVoid, 11*s, "it went away")
		line, over = look(12*s, 32, 4, 2)
		check("void", line, over, "kill on w-1 was not injected: void: it went away", true)

		g.watch(&chaos.Action{Kind: "kill", Target: "w-1"})
		look(13*s, 32, 4, 2)
		see(assay.EventFaultApplied, 13*s, "")
		see(assay.EventFaultRemaining, 14*s, "no answer")
		line, over = look(45*s, 40, 12, 0)
		check("never well again", line, over, "MAY REMAIN: no answer after 1s", true)
		if !strings.Contains(line, "NOT recovered") {
			t.Errorf("it is said to be recovered: %s", line)
		}
	})
}
