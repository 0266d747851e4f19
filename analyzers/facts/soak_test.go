package facts_test

import (
	"cmp"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/stat"
)

// TestSoakLive plays soaks on a virtual clock at both hypotheses: requests come as they end, and the soak is looked at as the command looks. What it decides is what the record
// of the run, cut where it stopped, shows afterwards; and its risks hold, outages, hysteresis and all. Outages last long enough for each to be an
// episode: one that ends before three requests came is no failure of the service, for the test as for the report.
func TestSoakLive(t *testing.T) {
	n := 20.
	if os.Getenv("ASSAY_FULL") != "" {
		n = 1000
	}
	test := stat.Sequential{Good: 60, Bad: 20, Alpha: .1, Beta: .1}
	sure := test.Sure()
	fixed, _, _ := test.Fixed()
	for _, tc := range []struct {
		name  string
		mtbf  float64
		wrong stat.Decision
	}{{"good", test.Good, stat.Rejected}, {"bad", test.Bad, stat.Accepted}} {
		var wrong, open, length float64
		for seed := range uint64(n) {
			d := factstest.Deployment{Instances: 1, Rate: 8, For: 900 * second, MTBF: tc.mtbf, MTTR: 1, Least: 1.5, MaxWait: second}
			run, _ := d.Simulate(rand.New(rand.NewPCG(seed, uint64(tc.mtbf))))
			live, at := play(run, sure)
			if live.Decision == tc.wrong {
				wrong++
			}
			if live.Decision == stat.Open {
				open++
				continue
			}
			length += live.At
			got := again(t, cut(run, at), sure)
			if got.Decision != live.Decision || got.Failures != live.Failures || got.At-live.At > 1e-9 || live.At-got.At > 1e-9 {
				t.Errorf("%s, seed %d: the run stopped with %+v, its record shows %+v", tc.name, seed, live, got)
			}
		}
		t.Logf("%s: wrong %.3f, not decided %.3f of %.0f; %.0f s on average, a set time would be %.0f s", tc.name, wrong/n, open/n, n, length/(n-open), fixed)
		if limit := test.Alpha*n + 3*1.4; n < 100 && wrong > limit || n >= 100 && wrong/n > .1+3*.0095 {
			t.Errorf("%s: %.0f of %.0f decided wrongly", tc.name, wrong, n)
		}
		if mean := length / (n - open); mean > fixed {
			t.Errorf("%s: %.0f s on average, no less than the set time of %.0f s", tc.name, mean, fixed)
		}
	}
}

// play shows a run to a soak as it happens, and returns what it decides and when.
func play(run *factstest.Run, test stat.Sequential) (stat.Stop, int64) {
	planned := []assay.Phase{{Name: "steady", Role: assay.RoleSteady, Rate: 8}}
	s := facts.NewSoak(&run.M, planned, test)
	for i := range run.E {
		if run.E[i].Kind == assay.EventPhaseBegin {
			s.Observe(&run.E[i])
		}
	}
	byEnd := make([]*assay.Request, len(run.R))
	for i := range run.R {
		byEnd[i] = &run.R[i]
	}
	slices.SortStableFunc(byEnd, func(a, b *assay.Request) int { return cmp.Compare(a.End, b.End) })
	var stop stat.Stop
	now := second
	for now < run.M.End.At {
		now += second
		for len(byEnd) > 0 && byEnd[0].End <= now {
			s.Observe(byEnd[0])
			byEnd = byEnd[1:]
		}
		if stop = s.Look(now - run.M.MaxWait - second/2); stop.Decision != stat.Open {
			break
		}
	}
	return stop, now
}

// cut returns the run as it is recorded when its load ends at an instant.
func cut(run *factstest.Run, at int64) *factstest.Run {
	out := &factstest.Run{M: run.M}
	out.M.End.At = at
	for _, e := range run.E {
		e.Time = min(e.Time, at)
		out.E = append(out.E, e)
	}
	for _, r := range run.R {
		if r.Due < at {
			out.R = append(out.R, r)
		}
	}
	return out
}

// again does the test on the record.
func again(t *testing.T, run *factstest.Run, test stat.Sequential) stat.Stop {
	t.Helper()
	f, err := facts.Compute(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	w := facts.Watch{Silence: facts.RulesOf(f.Manifest, f.Phases).Silence}
	for i := range run.R {
		w.Add(&run.R[i])
	}
	up := w.States(f, assay.Natural)
	return test.Walk(up.Ages(f), float64(up.Good)/float64(second))
}

// A failing start of what may become an episode keeps a soak from accepting until it is known what it is.
func TestSoakWaits(t *testing.T) {
	test := stat.Sequential{Good: 3, Bad: 1, Alpha: .1, Beta: .1}.Sure() // accepts after 3.45 s
	s := facts.NewSoak(&assay.Manifest{}, nil, test)
	ask := func(tenth int64, o assay.Outcome) {
		at := second + tenth*second/10
		s.Observe(&assay.Request{Due: at, End: at + ms, Outcome: o})
	}
	look := func(tenth int64) stat.Decision { return s.Look(second + tenth*second/10).Decision }
	for i := range int64(34) {
		ask(i, assay.OK)
	}
	ask(34, assay.ServerError)
	ask(35, assay.ServerError)
	if got := look(36); got != stat.Open {
		t.Errorf("accepted with two failures in a row just seen")
	}
	for i := range int64(9) {
		ask(36+i, assay.OK)
	}
	if got := look(45); got != stat.Accepted {
		t.Errorf("%d after they came to nothing, want accepted", got)
	}
}
