package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// The same seed gives the same instants, wherever the step stands; another seed or name gives others.
func TestStrikesByChanceAreReproducible(t *testing.T) {
	step := Step{Fault: "kill", Number: "2", Seed: 5, Repeat: &Repeat{Rate: 0.5, Within: time.Minute}}
	a, b := step.strikes(0), step.strikes(7)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("its place changes them (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(a) || a[0] < 0 || a[len(a)-1] >= time.Minute {
		t.Errorf("not in order within a minute: %v", a)
	}
	other, named := step, step
	other.Seed, named.Name = 6, "x"
	if cmp.Equal(a, other.strikes(0)) || cmp.Equal(a, named.strikes(0)) {
		t.Error("another seed or name draws the same")
	}
}

// Counts of a Poisson process have a variance equal to their mean, and its gaps the spread of their mean.
func TestStrikesByChanceAreAPoissonProcess(t *testing.T) {
	const runs, mean = 2000, 20.0
	var n, squares, gaps, gapSquares float64
	for seed := range uint64(runs) {
		s := Step{Fault: "kill", Seed: seed, Repeat: &Repeat{Rate: mean / 600, Within: 10 * time.Minute}}
		list := s.strikes(0)
		n += float64(len(list))
		squares += float64(len(list) * len(list))
		last := time.Duration(0)
		for _, at := range list {
			g := (at - last).Seconds()
			gaps, gapSquares, last = gaps+g, gapSquares+g*g, at
		}
	}
	avg := n / runs
	if variance := squares/runs - avg*avg; math.Abs(avg-mean) > 4*math.Sqrt(mean/runs) || math.Abs(variance/mean-1) > 0.15 {
		t.Errorf("%v strikes on average with a variance of %v, want %v and %v", avg, variance, mean, mean)
	}
	gap := gaps / n
	if dev := math.Sqrt(gapSquares/n - gap*gap); math.Abs(dev/gap-1) > 0.05 {
		t.Errorf("gaps of %v s on average spread by %v s, want the same", gap, dev)
	}
}

// still is a trial on instances that nothing happens to.
func still(ids int, steps ...Step) *trial {
	d := scripted{act: func(v Victim) (*Action, error) { return nothing(v), nil }}
	for i := range ids {
		d.ids = append(d.ids, fmt.Sprintf("w-%d", i+1))
	}
	return newTrial(d, steps...)
}

// lines are the events of the kinds, as "seconds fault kind".
func (tr *trial) lines(kinds ...string) (out []string) {
	for _, e := range tr.log {
		if slices.Contains(kinds, e.Kind) {
			out = append(out, fmt.Sprintf("%g %s %s", math.Round(float64(e.Time)/1e8)/10, e.Fault, strings.TrimPrefix(e.Kind, "fault.")))
		}
	}
	return out
}

func TestSchedules(t *testing.T) {
	s := time.Second
	hang := Step{Fault: "hang", Instances: 1, For: 2 * s}
	kill := Step{Fault: "kill", Instances: 1}
	at := func(x Step, d time.Duration) Step { x.At = d; return x }
	in := func(g *Group, list ...Step) []Step {
		for i := range list {
			list[i].Group, list[i].Number = g, fmt.Sprintf("1.%d", i+1)
		}
		return list
	}
	even, both := kill, kill
	even.Repeat = &Repeat{Every: 3 * s, Times: 3}
	both.Repeat, both.Instances = &Repeat{Every: 3 * s, Times: 2}, 2
	overlap := hang
	overlap.Repeat = &Repeat{Every: s, Times: 3}
	cold := at(kill, s)
	cold.When = ColdStart
	full := kill
	full.When = Saturation
	for _, tc := range []struct {
		name  string
		ids   int
		steps []Step
		want  []string
	}{
		{"every", 1, []Step{at(even, s)}, []string{"1 kill-1.1 applied", "4 kill-1.2 applied", "7 kill-1.3 applied"}},
		{"every, two each", 2, []Step{both}, []string{"0 kill-1.1.1 applied", "0 kill-1.1.2 applied", "3 kill-1.2.1 applied", "3 kill-1.2.2 applied"}},
		{"overlapping, each on another", 3, []Step{overlap}, []string{"0 hang-1.1 applied", "1 hang-1.2 applied", "2 hang-1.1 clear", "2 hang-1.3 applied", "3 hang-1.2 clear", "4 hang-1.3 clear"}},
		{"serial", 3, in(&Group{Serial: true, At: 5 * s}, hang, at(hang, 3*s), kill),
			[]string{"5 hang-1.1 applied", "7 hang-1.1 clear", "10 hang-1.2 applied", "12 hang-1.2 clear", "12 kill-1.3 applied"}},
		{"serial, of strikes", 3, in(&Group{Serial: true}, overlap, kill),
			[]string{"0 hang-1.1.1 applied", "1 hang-1.1.2 applied", "2 hang-1.1.1 clear", "2 hang-1.1.3 applied", "3 hang-1.1.2 clear", "4 hang-1.1.3 clear", "4 kill-1.2 applied"}},
		{"parallel", 3, append(in(&Group{At: 5 * s}, hang, at(hang, s), kill), at(kill, 6*s)),
			[]string{"5 hang-1.1 applied", "5 kill-1.3 applied", "6 hang-1.2 applied", "6 kill-4 applied", "7 hang-1.1 clear", "8 hang-1.2 clear"}},
		{"condition", 1, []Step{cold}, []string{"10 kill-1 applied"}},
		{"condition of a group", 2, in(&Group{When: ColdStart, At: s}, kill, at(kill, 2*s)), []string{"10 kill-1.1 applied", "12 kill-1.2 applied"}},
		{"a condition that never comes", 1, in(&Group{Serial: true}, full, kill), []string{"20 kill-1.1 void", "20 kill-1.2 applied"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := still(tc.ids, tc.steps...)
				tr.Seen = func(ctx context.Context, when string, from int64) (int64, error) {
					if when == Saturation {
						time.Sleep(20 * s)
						return 0, errors.New("the load was too low")
					}
					time.Sleep(9 * s)
					return from + int64(9*s), nil
				}
				tr.run(t, context.Background())
				got := tr.lines(assay.EventFaultApplied, assay.EventFaultVoid)
				if tc.steps[0].For > 0 || tc.name == "parallel" {
					got = slices.DeleteFunc(tr.lines(assay.EventFaultApplied, assay.EventFaultVoid, assay.EventFaultClear), func(l string) bool { return strings.Contains(l, "kill") && strings.HasSuffix(l, "clear") })
				}
				slices.Sort(got)
				slices.Sort(tc.want)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for _, e := range tr.log {
					if e.Kind == assay.EventFaultVoid && e.Text != "not injected: saturation was not seen: the load was too low" {
						t.Errorf("void because %q", e.Text)
					}
				}
			})
		})
	}
}

// In a serial group the next fault is not even armed before the one before is clear; and never, if that may remain.
func TestSerialWaitsUntilClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Group{Serial: true}
		slow := Step{Fault: "hang", Instances: 1, For: time.Second, Group: g, Number: "1.1"}
		next := Step{Fault: "kill", Instances: 1, Group: g, Number: "1.2", Repeat: &Repeat{Every: time.Second, Times: 2}}
		for _, remains := range []bool{false, true} {
			d := scripted{ids: []string{"w-1"}, act: func(v Victim) (*Action, error) {
				a := nothing(v)
				lifted := 0
				a.Lifted = func(context.Context) error {
					time.Sleep(3 * time.Second)
					if lifted++; remains {
						return errors.New("still there")
					}
					return nil
				}
				return a, nil
			}}
			tr := newTrial(d, slow, next)
			if err := tr.Run(context.Background(), tr.record); err != nil {
				t.Fatal(err)
			}
			if remains {
				for _, id := range []string{"kill-1.2.1", "kill-1.2.2"} {
					if e := tr.event(t, id, assay.EventFaultVoid); e.Text != "not injected: hang-1.1 before it may still be in force" {
						t.Errorf("%s is void because %q", id, e.Text)
					}
				}
				continue
			}
			if clear, armed := tr.event(t, "hang-1.1", assay.EventFaultClear), tr.event(t, "kill-1.2.1", assay.EventFaultArmed); armed.Time < clear.Time {
				t.Errorf("armed at %v, before the one before was clear at %v", time.Duration(armed.Time), time.Duration(clear.Time))
			}
		}
	})
}

// Steps that strike at the same instant never take the same victim.
func TestParallelTakesDifferentVictims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := Step{Fault: "hang", Instances: 1, For: time.Second}
		tr := still(8, hang, hang, hang, hang, hang, hang, hang, hang)
		tr.run(t, context.Background())
		seen := map[string]bool{}
		for _, e := range tr.log {
			if e.Kind != assay.EventFaultApplied {
				continue
			}
			if seen[e.Instance] {
				t.Errorf("%s was taken twice", e.Instance)
			}
			seen[e.Instance] = true
		}
		if len(seen) != 8 {
			t.Errorf("%d victims, want 8", len(seen))
		}
	})
}

func TestLimitsMakeVoid(t *testing.T) {
	hang := Step{Fault: "hang", Instances: 1, For: 10 * time.Second}
	late, share, machine := hang, hang, Step{Fault: "cpu", CPUs: 1, Instances: 1, For: time.Second}
	late.At = time.Second
	share.Instances, share.Share = 0, 0.5
	for _, tc := range []struct {
		name   string
		ids    int
		limits Limits
		steps  []Step
		last   string // why the last step is void; "" if it is not
	}{
		{"none", 2, Limits{}, []Step{hang, late}, ""},
		{"instances held", 3, Limits{Instances: 2}, []Step{hang, late}, ""},
		{"instances", 3, Limits{Instances: 1}, []Step{hang, late}, "2 instances would be hurt at once; limits.instances allows 1"},
		{"faults", 3, Limits{Faults: 1}, []Step{hang, late}, "there would be 2 faults at once; limits.faults allows 1"},
		{"share held", 4, Limits{Share: 0.5}, []Step{share}, ""},
		{"share rounded up", 3, Limits{Share: 0.5}, []Step{share}, "2 of 3 ready instances would be hurt at once; limits.share allows 50%"},
		{"the only one", 1, Limits{Share: 0.5}, []Step{hang}, "1 of 1 ready instances would be hurt at once; limits.share allows 50%"},
		{"machine", 3, Limits{Instances: 2}, []Step{machine}, "3 instances would be hurt at once; limits.instances allows 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := still(tc.ids, tc.steps...)
				tr.Limits = tc.limits
				tr.run(t, context.Background())
				var voids []string
				for _, e := range tr.log {
					if e.Kind == assay.EventFaultVoid {
						voids = append(voids, e.Fault+" "+strings.TrimPrefix(e.Text, "not injected: "))
					}
				}
				var want []string
				if tc.last != "" {
					n := len(tc.steps) - 1
					want = []string{tc.steps[n].id(n) + " " + tc.last}
				}
				if diff := cmp.Diff(want, voids); diff != "" {
					t.Errorf("void (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestLimitsRefuseWhatThePlanTells(t *testing.T) {
	s := time.Second
	hang := Step{Fault: "hang", Instances: 1, For: 5 * s}
	late, after, two, half, cpu := hang, hang, hang, hang, Step{Fault: "cpu", CPUs: 1, Instances: 1, For: s}
	late.At, after.At, two.Instances, half.Instances, half.Share = 2*s, 6*s, 2, 0, 0.5
	again := hang
	again.Repeat = &Repeat{Every: 2 * s, Times: 3}
	g := &Group{Serial: true}
	first, second := hang, hang
	first.Group, second.Group = g, g
	for _, tc := range []struct {
		name   string
		limits Limits
		steps  []Step
		want   string
	}{
		{"within", Limits{Instances: 1, Share: 0.5, Faults: 1}, []Step{hang, after}, ""},
		{"serial never overlaps", Limits{Instances: 1}, []Step{first, second}, ""},
		{"share", Limits{Share: 0.25}, []Step{half}, "chaos[0].instances: 50% would pass limits.share, 25%"},
		{"instances", Limits{Instances: 1}, []Step{two}, "chaos[0].instances: 2 would pass limits.instances, 1"},
		{"faults", Limits{Faults: 1}, []Step{two}, "chaos[0].instances: 2 is as many faults at once and would pass limits.faults, 1"},
		{"machine", Limits{Share: 0.5}, []Step{cpu}, "chaos[0].fault: cpu hurts the machine and with it all instances; limits.share allows 50%"},
		{"overlap", Limits{Instances: 1}, []Step{hang, late}, "chaos[1]: begins while others hold, so that 2 instances would be hurt at once; limits.instances allows 1"},
		{"overlap with itself", Limits{Faults: 2}, []Step{again}, "chaos[0]: begins while others hold, so that there would be 3 faults at once; limits.faults allows 2"},
	} {
		got := ""
		if err := tc.limits.Check("chaos", tc.steps); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestPreviewSaysWhenAndWhatOverlaps(t *testing.T) {
	s := time.Second
	serial, cold := &Group{Serial: true, Phase: "steady", At: 5 * s}, &Group{When: ColdStart, Phase: "return"}
	kill := Step{Fault: "kill", Instances: 1}
	hang := Step{Fault: "hang", Instances: 1, For: 4 * s}
	with := func(x Step, change func(*Step)) Step { change(&x); return x }
	http := Step{Fault: "http", By: ByWire, Status: 503, Instances: 1, For: 5 * s}
	for _, tc := range []struct {
		name  string
		steps []Step
		want  []string
	}{
		{"repeats", []Step{with(hang, func(x *Step) { x.At, x.Repeat = s, &Repeat{Every: 3 * s, Times: 3} })}, []string{
			"hang-1, 1s into the load: SIGSTOP to the process of 1 ready instance, SIGCONT after 4s",
			"hang-1 strikes 3 times, every 3s; held for 4s each, so that up to 2 of its strikes overlap, each on another instance"}},
		{"chance", []Step{with(kill, func(x *Step) { x.Seed, x.Repeat = 4, &Repeat{Rate: 0.1, Within: 30 * s} })}, []string{
			"kill-1, 0s into the load: SIGKILL to the process of 1 ready instance",
			"kill-1 strikes 2 times by chance, drawn from seed 4: 4.42s, 28.91s after that"}},
		{"serial", []Step{with(hang, func(x *Step) { x.Group, x.Number = serial, "1.1" }), with(kill, func(x *Step) { x.Group, x.Name = serial, "pull" }),
			with(kill, func(x *Step) { x.Group, x.Number, x.At, x.When = serial, "1.3", s, Saturation })}, []string{
			"hang-1.1, 5s into phase steady: SIGSTOP to the process of 1 ready instance, SIGCONT after 4s",
			"pull, as soon as hang-1.1 is clear: SIGKILL to the process of 1 ready instance",
			"kill-1.3, 1s after pull is clear and then saturation is first seen: SIGKILL to the process of 1 ready instance"}},
		{"condition", []Step{with(hang, func(x *Step) { x.Group, x.Number = cold, "1.1" }), with(kill, func(x *Step) { x.Share, x.Instances, x.When, x.At = 0.5, 0, Saturation, 2*s })}, []string{
			"hang-1.1, as soon as scale-from-zero is first seen, from phase return on: SIGSTOP to the process of 1 instance that starts or is ready, SIGCONT after 4s",
			"2s after saturation is first seen: SIGKILL to the process of 50% of the ready instances"}},
		{"overlap", []Step{hang, with(kill, func(x *Step) { x.At = 2 * s }), with(kill, func(x *Step) { x.At = 5 * s })}, []string{
			"0s into the load: SIGSTOP to the process of 1 ready instance, SIGCONT after 4s",
			"2s into the load: SIGKILL to the process of 1 ready instance",
			"5s into the load: SIGKILL to the process of 1 ready instance",
			"together: hang-1, kill-2; each takes another instance, and where there is none waits up to 10s and then is void"}},
		{"one victim", []Step{http, with(http, func(x *Step) { x.At = 3 * s })}, []string{
			"0s into the load: status 503 on our requests to the target, for 5s",
			"3s into the load: status 503 on our requests to the target, for 5s",
			"together on the wire: http-1, http-2; the later waits up to 10s until the one before is clear, and then is void"}},
	} {
		got := Preview(tc.steps)
		if diff := cmp.Diff(tc.want, got[:len(got)-1]); diff != "" { // the last is what is never hurt
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
