package analyzers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

func hypothesis(at int64, stage, name, fault, ok, value string) assay.Event {
	return assay.Event{Time: at, Kind: assay.EventHypothesis, Fault: fault, Attrs: map[string]string{"stage": stage, "name": name, "ok": ok, "value": value}}
}

// drop removes the events of a kind that speak of a fault.
func drop(run *factstest.Run, fault, kind string) {
	var out []assay.Event
	for _, e := range run.E {
		if e.Fault != fault || e.Kind != kind {
			out = append(out, e)
		}
	}
	run.E = out
}

// cutShort lets the load end 12 s after the second fault, which was to hold for 20 min, and all that is sent under it end well.
func cutShort(run *factstest.Run) {
	for i := range run.E {
		switch e := &run.E[i]; {
		case e.Fault == "f2" && e.Kind == assay.EventFaultArmed:
			e.Attrs["for_ns"] = fmt.Sprint(1200 * sec)
		case e.Fault == "f2" && e.Kind == assay.EventFaultReverted:
			e.Text = "the run was stopped: the load ended"
		}
	}
	for i := range run.R {
		if r := &run.R[i]; r.Due > 75*sec {
			r.Outcome, r.FirstToken, r.Arrivals, r.End = assay.OK, r.Due+msec, []int64{r.Due + msec}, r.Due+2*msec
		}
	}
}

// endedEarly lets somebody else end the second fault.
func endedEarly(run *factstest.Run) {
	for i := range run.E {
		if e := &run.E[i]; e.Fault == "f2" && e.Kind == assay.EventFaultReverted {
			e.Text = "ended early: the process was continued by someone else"
		}
	}
}

// known lets the second fault hold to its end, its effect known by basis.
func known(run *factstest.Run, basis assay.EffectBasis) {
	for i := range run.E {
		switch e := &run.E[i]; {
		case e.Fault == "f2" && e.Kind == assay.EventFaultArmed:
			e.Attrs["for_ns"] = fmt.Sprint(12 * sec)
		case e.Fault == "f2" && e.Kind == assay.EventFaultVerified:
			e.Attrs["basis"], e.Attrs["effect"] = string(basis), "2 pods of 5"
		case e.Fault == "f2" && e.Kind == assay.EventFaultReverted:
			e.Text = ""
		}
	}
}

func TestVerdictOfAFault(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(run *factstest.Run)
		verdict  assay.FaultVerdict
		why      string
		decision assay.Decision
		exit     int
	}{
		{"pass", func(*factstest.Run) {}, assay.FaultPass, "", assay.Go, 0},
		{"void", func(run *factstest.Run) {
			run.E = append(run.E, assay.Event{Time: 81 * sec, Kind: assay.EventFaultVoid, Fault: "f2", Text: "no effect was seen"})
		}, assay.FaultVoid, "no effect was seen", assay.Go, 0},
		{"cut short before anybody was hurt", func(run *factstest.Run) { cutShort(run) }, assay.FaultUnmeasured,
			"nobody was hurt and it was cut short by the end of the load after 12 s of 20 min", assay.Go, 0},
		{"ended early by someone else before anybody was hurt", func(run *factstest.Run) {
			cutShort(run)
			endedEarly(run)
			run.E = slices.DeleteFunc(run.E, func(e assay.Event) bool {
				return e.Kind == assay.EventInstanceEjected || e.Kind == assay.EventInstanceUnready
			})
		}, assay.FaultUnmeasured,
			"nobody was hurt and it was cut short after 12 s of 20 min: the process was continued by someone else", assay.Go, 0},
		{"ended early after the platform had taken its victim out of routing, and nobody hurt", func(run *factstest.Run) {
			cutShort(run)
			endedEarly(run)
		}, assay.FaultPass, "", assay.Go, 0},
		{"ended early by someone else when users were hurt and well again", func(run *factstest.Run) {
			change := &run.E[slices.IndexFunc(run.E, func(e assay.Event) bool { return e.Fault == "f2" && e.Kind == assay.EventFaultArmed })]
			change.Attrs["for_ns"] = fmt.Sprint(1200 * sec)
			endedEarly(run)
		}, assay.FaultPass, "", assay.Go, 0},
		{"cut short when users were hurt and well again", func(run *factstest.Run) {
			change := &run.E[slices.IndexFunc(run.E, func(e assay.Event) bool { return e.Fault == "f2" && e.Kind == assay.EventFaultArmed })]
			change.Attrs["for_ns"] = fmt.Sprint(1200 * sec)
		}, assay.FaultPass, "", assay.Go, 0},
		{"its effect untested, and nobody hurt", func(run *factstest.Run) {
			cutShort(run)
			known(run, assay.EffectUntested)
		}, assay.FaultUnmeasured, "nobody was hurt and its effect was not put to the test: 2 pods of 5", assay.Go, 0},
		{"its effect told, and nobody hurt", func(run *factstest.Run) {
			cutShort(run)
			known(run, assay.EffectTold)
		}, assay.FaultPass, "", assay.Go, 0},
		{"effect never measured", func(run *factstest.Run) { drop(run, "f2", assay.EventFaultVerified) }, assay.FaultUnmeasured, "its effect was never measured", assay.Go, 0},
		{"revert not verified", func(run *factstest.Run) { drop(run, "f2", assay.EventFaultClear) }, assay.FaultFail, "its revert is not verified", assay.NoGo, 10},
		{"an objective on its kind", func(run *factstest.Run) {
			run.M.Objectives = append(run.M.Objectives, assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "hang"}, Max: float(2)})
		}, assay.FaultFail, `the goal "recovery, hang" is missed`, assay.NoGo, 10},
		{"an objective on another", func(run *factstest.Run) {
			run.M.Objectives = append(run.M.Objectives, assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "kill"}, Max: float(.2)})
		}, assay.FaultPass, "", assay.NoGo, 10},
		{"users hurt to the end", func(run *factstest.Run) {
			for i := range run.R {
				if run.R[i].Due > 80*sec {
					run.R[i].Outcome = assay.Unavailable
				}
			}
		}, assay.FaultFail, "users had not recovered after 41 s", assay.NoGo, 10},
		{"a load that ended too soon", func(run *factstest.Run) {
			for i := range run.R {
				if run.R[i].Due > 108*sec {
					run.R[i].Outcome = assay.Unavailable
				}
			}
			for i := range run.E {
				if e := &run.E[i]; e.Fault == "f2" {
					e.Time += 28 * sec
				}
			}
		}, assay.FaultUnmeasured, "the watch ended 13 s after the fault, before users were well and before the 30 s were over that they have for it", assay.Undecided, 11},
		{"steady state not back", func(run *factstest.Run) {
			run.E = append(run.E, hypothesis(39*sec, "before", "errors", "", "true", "0 %"), hypothesis(100*sec, "after", "errors", "f2", "false", "3 %"))
		}, assay.FaultFail, "errors did not hold after the fault", assay.NoGo, 10},
		{"not known whether it is back", func(run *factstest.Run) {
			run.E = append(run.E, hypothesis(100*sec, "after", "errors", "f2", "unknown", ""))
		}, assay.FaultUnmeasured, "whether errors held after the fault is not known", assay.Undecided, 11},
		{"not injected for want of a steady state", func(run *factstest.Run) {
			for _, k := range []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventFaultReverted, assay.EventFaultClear} {
				drop(run, "f2", k)
			}
			run.E = append(run.E, hypothesis(79*sec, "before", "errors", "", "false", "9 %"), assay.Event{Time: 79 * sec, Kind: assay.EventFaultVoid, Fault: "f2", Text: "not injected", Attrs: map[string]string{"kind": "hang"}})
		}, assay.FaultUnmeasured, "errors did not hold before, so it was not injected", assay.Undecided, 11},
		{"steady state not there before", func(run *factstest.Run) {
			run.E = append(run.E, hypothesis(39*sec, "before", "errors", "", "true", "0 %"), hypothesis(79*sec, "before", "errors", "", "false", "9 %"))
		}, assay.FaultUnmeasured, "errors did not hold before the fault: it should not have been injected", assay.Undecided, 11},
		{"broken during it is what faults do", func(run *factstest.Run) {
			run.E = append(run.E, hypothesis(85*sec, "during", "errors", "f2", "false", "40 %"))
		}, assay.FaultPass, "", assay.Go, 0},
		{"a run that could not measure", func(run *factstest.Run) {
			for i := range run.R {
				run.R[i].Sent += sec / 2
			}
		}, assay.FaultUnmeasured, "the run could not measure", assay.InvalidRun, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
			run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: float(.8)}}
			c.change(run)
			r := assess(t, run, append([]string{"hypothesis", "score"}, reliability...)...)
			x := &r.Faults[slices.IndexFunc(r.Faults, func(x assay.FaultResult) bool { return x.Window.ID == "f2" })]
			if x.Verdict != c.verdict || x.Why != c.why || r.Decision != c.decision || r.Exit != c.exit {
				t.Errorf("got %s (%s), %s, exit %d: %s\nwant %s (%s), %s, exit %d", x.Verdict, x.Why, r.Decision, r.Exit, r.Why, c.verdict, c.why, c.decision, c.exit)
			}
			if (x.Advice != "") && x.Verdict != assay.FaultFail {
				t.Errorf("advice on a fault that did not fail: %s", x.Advice)
			}
			measured := x.Verdict == assay.FaultPass || x.Verdict == assay.FaultFail
			if x.Verdict == assay.FaultVoid && x.Score.Known() || measured && x.Verdict != assay.FaultFail && !x.Score.Known() || c.decision == assay.InvalidRun && x.Score.Known() {
				t.Errorf("%s, score %s", x.Verdict, x.Score)
			}
		})
	}
}

func TestLooksAtTheSteadyState(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.E = append(run.E,
		hypothesis(10*sec, "before", "errors", "", "false", "8 %"), hypothesis(39*sec, "before", "errors", "", "true", "0 %"),
		hypothesis(42*sec, "during", "errors", "f1", "false", "30 %"), hypothesis(43*sec, "during", "errors", "f1", "true", "1 %"),
		hypothesis(50*sec, "after", "errors", "f1", "false", "2 %"), hypothesis(55*sec, "after", "errors", "f1", "true", "0 %"),
		hypothesis(39*sec, "before", "probe", "f2", "unknown", ""))
	r := assess(t, run, "recovery", "hypothesis")
	look := func(ok, value string, at int64) assay.Look { return assay.Look{OK: ok, Value: value, At: at} }
	want := []assay.Hypothesis{
		{Name: "errors", Fault: "f1", Before: look("true", "0 %", 39*sec), During: look("false", "30 %", 42*sec), After: look("true", "0 %", 55*sec)},
		{Name: "errors", Fault: "f2", Before: look("true", "0 %", 39*sec)},
		{Name: "probe", Fault: "f2", Before: look("unknown", "", 39*sec)},
	}
	if diff := cmp.Diff(want, r.Hypotheses); diff != "" {
		t.Errorf("looks (-want +got):\n%s", diff)
	}

	run = quiet() // the state did not hold, so nothing was injected
	run.E = append(run.E, hypothesis(5*sec, "before", "errors", "", "false", "8 %"))
	r = assess(t, run, append([]string{"hypothesis"}, reliability...)...)
	want = []assay.Hypothesis{{Name: "errors", Before: look("false", "8 %", 5*sec)}}
	if diff := cmp.Diff(want, r.Hypotheses); diff != "" || r.Exit != assay.ExitInconclusive || !strings.HasSuffix(r.Why, "errors did not hold, and no fault was injected") {
		t.Errorf("exit %d: %s (-want +got):\n%s", r.Exit, r.Why, diff)
	}
}

// The stages of a fault sum to its whole life, to the nanosecond.
func TestStagesOfAFaultSumToItsLife(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 1000 {
		w := assay.FaultWindow{Armed: 1 + rng.Int64N(1e10)}
		w.Applied = w.Armed + rng.Int64N(1e9)
		w.Verified = w.Applied + rng.Int64N(1e9)
		w.Reverted = w.Verified + rng.Int64N(1e11)
		w.Clear = w.Reverted + rng.Int64N(1e9)
		if rng.IntN(4) == 0 {
			w.Verified = 0
		}
		l := life(&w)
		sum := l.Inject.Value + l.Hold.Value + l.Verify.Value
		if w.Verified != 0 {
			sum += l.Effect.Value
		}
		if math.Abs(sum-l.Total.Value) > 1e-9 || l.Total.Value != seconds(w.Clear-w.Armed) {
			t.Fatalf("%+v: %g, total %s", w, sum, l.Total)
		}
	}
	if l := life(&assay.FaultWindow{Void: "refused"}); l.Total.Reason != "not measured, because the fault was never applied" {
		t.Errorf("a fault that was never applied: %s", l.Total)
	}
	if l := life(&assay.FaultWindow{Armed: 1, Applied: 2, Verified: 3, Reverted: 4}); l.Hold.Value != 1e-9 || l.Total.Known() || l.Verify.Reason != "not measured, because its revert was not verified" {
		t.Errorf("a fault whose revert was not verified: %+v", l)
	}
}

// A service that is down for five seconds has lost five seconds of full service; one of which half is lost for ten, too.
func TestDegradedArea(t *testing.T) {
	for _, c := range []struct {
		name string
		hurt func(i int) bool // of ten requests a second
		want float64
	}{
		{"all for 5 s", func(i int) bool { return i < 50 }, 5},
		{"half for 10 s", func(i int) bool { return i < 100 && i%2 == 0 }, 5},
		{"none", func(int) bool { return false }, 0},
	} {
		run := quiet()
		run.R = nil
		for i := range 600 {
			due := sec + int64(i)*100*msec
			run.R = append(run.R, assay.Request{ID: uint64(i + 1), Phase: "steady", Due: due, Sent: due, End: due + msec, Outcome: assay.OK, Instance: "w-1"})
			if i >= 200 && c.hurt(i-200) {
				run.R[i].Outcome = assay.ServerError
			}
		}
		for _, e := range []assay.Event{{Time: 21 * sec, Kind: assay.EventFaultArmed, Attrs: map[string]string{"kind": "cut", "target": "w-1"}}, {Time: 21 * sec, Kind: assay.EventFaultApplied},
			{Time: 21 * sec, Kind: assay.EventFaultVerified}, {Time: 31 * sec, Kind: assay.EventFaultReverted}, {Time: 31 * sec, Kind: assay.EventFaultClear}} {
			e.Fault = "f1"
			run.E = append(run.E, e)
		}
		q := assess(t, run, "recovery").Find("degraded").Quantity
		if math.Abs(q.Value-c.want) > .06 || q.Lo > q.Value || q.Hi < q.Value || c.want > 0 && q.Hi-q.Lo > .5 {
			t.Errorf("%s: %s, want %g s", c.name, q, c.want)
		}
	}
}
