package facts_test

import (
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

func TestUserRecovery(t *testing.T) {
	limit := 0.2
	type want struct {
		State               assay.FaultState
		LastHurt, Recovered int64
		Lost                int
	}
	at := func(i int) int64 { return second + int64(i)*100*ms }
	for _, c := range []struct {
		name string
		hurt func(*factstest.Run)
		want want
	}{
		{"nobody felt it", func(*factstest.Run) {}, want{assay.Tolerated, 0, 20 * second, 0}},
		{"one in flight was cut", func(run *factstest.Run) { run.R[189].Outcome, run.R[189].End = assay.CutRST, 20*second+ms },
			want{assay.Recovered, 20 * second, at(190), 1}},
		{"failures for a second", func(run *factstest.Run) {
			for i := 192; i < 202; i++ {
				run.R[i].Outcome = assay.Reset
			}
		}, want{assay.Recovered, at(201), at(202), 10}},
		{"failures between good ones", func(run *factstest.Run) {
			for i := 192; i < 212; i += 3 {
				run.R[i].Outcome = assay.Reset
			}
		}, want{assay.Recovered, at(210), at(211), 7}},
		{"slow for two seconds", func(run *factstest.Run) {
			for i := 195; i < 215; i++ {
				run.R[i].FirstToken = run.R[i].Due + 500*ms
			}
		}, want{assay.Recovered, at(214), at(215), 0}},
		{"a stray slow one is no hurt", func(run *factstest.Run) { run.R[200].FirstToken = run.R[200].Due + 500*ms }, want{assay.Tolerated, 0, 20 * second, 0}},
		{"hurt to the end", func(run *factstest.Run) {
			for i := 192; i < 600; i++ {
				run.R[i].Outcome = assay.Reset
			}
		}, want{assay.Unrecovered, at(599), 0, 319}},
		{"a failure long after is not the fault's", func(run *factstest.Run) { run.R[500].Outcome = assay.Reset }, want{assay.Tolerated, 0, 20 * second, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: &limit}}
			run.E = append(run.E, faultEvent(20*second, assay.EventFaultArmed, "kind", "delay", "target", "w-1"), faultEvent(20*second, assay.EventFaultApplied),
				faultEvent(22*second, assay.EventFaultReverted), faultEvent(22*second, assay.EventFaultClear))
			c.hurt(run)
			f := compute(t, run)
			partition(t, f)
			trails := facts.NewTrails(f)
			for i := range run.R {
				trails.Add(&run.R[i])
			}
			u := trails.Users(f, 0)
			if got := (want{u.State, u.LastHurt, u.Recovered, u.Lost}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A fault of the whole machine, or of the wire, is felt by whatever any instance carries.
func TestWholeTargetIsFelt(t *testing.T) {
	for _, target := range []string{assay.WholeMachine, assay.WholeWire} {
		run := hand()
		for i := range run.R {
			run.R[i].Instance = "w-2"
		}
		run.E = append(run.E, faultEvent(20*second, assay.EventFaultArmed, "kind", "cpu", "target", target), faultEvent(20*second, assay.EventFaultApplied),
			faultEvent(22*second, assay.EventFaultReverted), faultEvent(22*second, assay.EventFaultClear))
		f := compute(t, run)
		trails := facts.NewTrails(f)
		for i := range run.R {
			trails.Add(&run.R[i])
		}
		if u := trails.Users(f, 0); u.State != assay.Tolerated {
			t.Errorf("%s: state %s, want tolerated; it carried %g", target, u.State, u.Carried)
		}
	}
}

func TestUnmeasuredVictim(t *testing.T) {
	run := hand()
	for i := range run.R {
		run.R[i].Instance = "w-2" // w-1 never carried anything
	}
	run.E = append(run.E, faultEvent(20*second, assay.EventFaultArmed, "kind", "hang", "target", "w-1"), faultEvent(20*second, assay.EventFaultApplied),
		faultEvent(22*second, assay.EventFaultReverted), faultEvent(22*second, assay.EventFaultClear))
	f := compute(t, run)
	trails := facts.NewTrails(f)
	for i := range run.R {
		trails.Add(&run.R[i])
	}
	if u := trails.Users(f, 0); u.State != assay.Unmeasured {
		t.Errorf("state %s, want unmeasured; it carried %g", u.State, u.Carried)
	}
}
