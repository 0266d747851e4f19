package facts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// strike adds a fault of two seconds to a run by hand.
func strike(run *factstest.Run, id, kind, target string, at int64) {
	for _, e := range []assay.Event{
		event(at, assay.EventFaultArmed, "", "kind", kind, "target", target, "healthy", "2"), event(at, assay.EventFaultApplied, ""),
		event(at, assay.EventFaultVerified, "", "effect", "seen"), event(at+2*second, assay.EventFaultReverted, ""), event(at+2*second, assay.EventFaultClear, ""),
	} {
		e.Fault = id
		run.E = append(run.E, e)
	}
}

func usersOf(t *testing.T, run *factstest.Run) []facts.Users {
	t.Helper()
	f := compute(t, run)
	partition(t, f)
	trails := facts.NewTrails(f)
	for i := range run.R {
		trails.Add(&run.R[i])
	}
	var out []facts.Users
	for i := range f.Faults {
		out = append(out, trails.Users(f, i))
	}
	return out
}

// A 429 that the fault brought about is a request lost to it; one that the target gives anyway judges nothing.
func TestThrottledUnderAFault(t *testing.T) {
	throttle := func(run *factstest.Run, from, to, every int) {
		for i := from; i < to; i += every {
			run.R[i].Outcome, run.R[i].Status, run.R[i].FirstToken, run.R[i].Arrivals = assay.Throttled, 429, 0, nil
		}
	}
	for _, c := range []struct {
		name, kind string
		hurt       func(*factstest.Run)
		state      assay.FaultState
		lost       int
		silent     int
	}{
		{"our own status fault on w-1", "http", func(run *factstest.Run) { throttle(run, 190, 210, 2) }, assay.Recovered, 10, 0},
		{"our own, though the target throttled before", "http", func(run *factstest.Run) { throttle(run, 150, 210, 2) }, assay.Recovered, 10, 0},
		{"shed by the survivor of a kill", "kill", func(run *factstest.Run) { throttle(run, 191, 201, 2) }, assay.Recovered, 5, 0},
		{"shed as before", "kill", func(run *factstest.Run) { throttle(run, 151, 201, 2) }, assay.Tolerated, 0, 5},
		{"shed in overload on purpose", "kill", func(run *factstest.Run) {
			throttle(run, 191, 201, 2)
			run.E = append(run.E, event(19*second, assay.EventPhaseBegin, "", "role", "stress"), event(61*second, assay.EventPhaseEnd, ""))
			run.E[len(run.E)-2].Phase, run.E[len(run.E)-1].Phase = "over", "over"
			for i := 180; i < 600; i++ {
				run.R[i].Phase = "over"
			}
		}, assay.Tolerated, 0, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			strike(run, "f1", c.kind, "w-1", 20*second)
			c.hurt(run)
			u := usersOf(t, run)[0]
			if u.State != c.state || u.Lost != c.lost || u.Outcomes["throttled"] != c.lost || len(u.Affected) != c.lost || u.Silent != c.silent {
				t.Errorf("got %s, lost %d %v, %d listed, %d silent; want %s, %d lost, %d silent", u.State, u.Lost, u.Outcomes, len(u.Affected), u.Silent, c.state, c.lost, c.silent)
			}
		})
	}
}

func TestAffectedRequestsAreListed(t *testing.T) {
	limit := 0.2
	run := hand()
	run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: &limit}}
	strike(run, "f1", "delay", "w-1", 20*second)
	run.R[100].Outcome = assay.Reset // before the fault
	run.R[189].Outcome, run.R[189].End = assay.CutRST, 20*second+ms
	run.R[189].TraceID, run.R[189].SpanID = assay.TraceID{1}, assay.SpanID{2}
	run.R[191].FirstToken = run.R[191].Due + 500*ms
	run.R[500].Outcome = assay.Reset // long after
	u := usersOf(t, run)[0]
	want := []assay.Affected{
		{Request: 190, TraceID: assay.TraceID{1}.String(), SpanID: assay.SpanID{2}.String(), Due: run.R[189].Due, Outcome: assay.CutRST},
		{Request: 192, Due: run.R[191].Due, Outcome: assay.OK, Slow: true},
	}
	if diff := cmp.Diff(want, u.Affected); diff != "" {
		t.Errorf("affected (-want +got):\n%s", diff)
	}
	if u.Slow != 1 || u.Begun != u.Touched || u.Broken != 1 || u.Before != 99 || u.Good != 98 {
		t.Errorf("slow %d, begun %d of %d, broken %d, good before %d of %d", u.Slow, u.Begun, u.Touched, u.Broken, u.Good, u.Before)
	}

	run = hand()
	strike(run, "f1", "delay", "w-1", 2*second)
	for i := range run.R {
		run.R[i].Outcome = assay.Reset
	}
	for i := range 3000 { // more than a list holds
		r := run.R[i%600]
		r.ID, r.Attempt = uint64(600+i), 1
		run.R = append(run.R, r)
	}
	slices.SortStableFunc(run.R, func(a, b assay.Request) int { return int(a.Due - b.Due) })
	if u := usersOf(t, run)[0]; len(u.Affected) != 1000 || u.Lost <= 1000 {
		t.Errorf("%d listed of %d lost, want 1000", len(u.Affected), u.Lost)
	}
}

// Faults that are in force at once are felt together; one that begins later ends the trail of the one before.
func TestFaultsSideBySide(t *testing.T) {
	for _, c := range []struct {
		name    string
		second  int64
		states  [2]assay.FaultState
		lost    [2]int
		warning string
	}{
		{"struck as one", 20*second + 5*ms, [2]assay.FaultState{assay.Recovered, assay.Recovered}, [2]int{6, 6}, "it was in force together with f2: what users felt is that of all of them, shown with each and never to be summed"},
		{"the second while the first is in force", 21 * second, [2]assay.FaultState{assay.Recovered, assay.Recovered}, [2]int{6, 6}, "it was in force together with f2: what users felt is that of all of them, shown with each and never to be summed"},
		{"the second after the first", 40 * second, [2]assay.FaultState{assay.Recovered, assay.Tolerated}, [2]int{6, 0}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			strike(run, "f1", "hang", "w-1", 20*second)
			strike(run, "f2", "hang", "w-2", c.second)
			for i := 202; i < 208; i++ {
				run.R[i].Outcome = assay.Reset
			}
			us := usersOf(t, run)
			for i, u := range us {
				if u.State != c.states[i] || u.Lost != c.lost[i] {
					t.Errorf("fault %d: %s, %d lost; want %s, %d", i+1, u.State, u.Lost, c.states[i], c.lost[i])
				}
			}
			if got := strings.Join(us[0].Warnings, "|"); got != c.warning {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// What was in flight when the next fault struck, and the instance that this one took, are none of the fault before.
func TestTheNextFaultIsChargedToNobodyElse(t *testing.T) {
	for _, c := range []struct {
		name    string
		due     int // number of the request that the second fault finds in flight
		outcome assay.Outcome
		lost    [2]int
		states  [2]assay.FaultState
	}{
		{"cut by the second", 279, assay.CutFIN, [2]int{6, 1}, [2]assay.FaultState{assay.Recovered, assay.Recovered}},
		{"begun under the first, cut by the second", 210, assay.CutFIN, [2]int{6, 1}, [2]assay.FaultState{assay.Recovered, assay.Recovered}},
		{"held by the first", 210, assay.Timeout, [2]int{7, 0}, [2]assay.FaultState{assay.Recovered, assay.Tolerated}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			strike(run, "f1", "http", "w-1", 20*second)
			strike(run, "f2", "hang", "w-2", 28*second)
			run.E = append(run.E, event(29*second, assay.EventInstanceUnready, "w-2"))
			slices.SortStableFunc(run.E, func(a, b assay.Event) int { return int(a.Time - b.Time) })
			for i := 202; i < 208; i++ {
				run.R[i].Outcome = assay.Reset
			}
			run.R[c.due].Outcome, run.R[c.due].End = c.outcome, 28*second+500*ms
			us := usersOf(t, run)
			if got := [2]int{us[0].Lost, us[1].Lost}; got != c.lost {
				t.Errorf("lost %v, want %v", got, c.lost)
			}
			if got := [2]assay.FaultState{us[0].State, us[1].State}; got != c.states {
				t.Errorf("states %v, want %v", got, c.states)
			}
			f := compute(t, run)
			if at, _, _, dropped := facts.Capacity(f, &f.Faults[0]); dropped {
				t.Errorf("the first fault took an instance out of routing until %d s", at/second)
			}
			if _, _, _, dropped := facts.Capacity(f, &f.Faults[1]); !dropped {
				t.Error("the second fault took no instance out of routing")
			}
		})
	}
}

// Where nothing tells which instance serves, the victim is taken to carry its share of the traffic, and the result says so.
func TestShareOfAVictimWithoutIdentity(t *testing.T) {
	for _, c := range []struct {
		name, target, healthy string
		instance              func(i int) string
		state                 assay.FaultState
		carried               float64
		doubt                 string
	}{
		{"no request names an instance", "models/llm-0", "2", func(int) string { return "" }, assay.Tolerated, 13, "no request of the ten seconds before tells which instance served it: the victim's share is taken to be 1/2 of the traffic"},
		{"requests name them otherwise", "models/llm-0", "2", func(i int) string { return []string{"10.0.0.1", "10.0.0.2"}[i%2] }, assay.Tolerated, 13, "no request and no event knows models/llm-0 by that name: the victim's share is taken to be 1/2 of the traffic"},
		{"one of many", "models/llm-0", "50", func(int) string { return "" }, assay.Unmeasured, 0.52, "no request of the ten seconds before tells which instance served it: the victim's share is taken to be 1/50 of the traffic"},
		{"the target as a whole", assay.WholeTarget, "2", func(int) string { return "" }, assay.Tolerated, 26, ""},
		{"an instance that carried nothing", "w-1", "2", func(int) string { return "w-2" }, assay.Unmeasured, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			strike(run, "f1", "delay", c.target, 20*second)
			for i := range run.E {
				if run.E[i].Attrs["healthy"] != "" {
					run.E[i].Attrs["healthy"] = c.healthy
				}
			}
			for i := range run.R {
				run.R[i].Instance = c.instance(i)
			}
			u := usersOf(t, run)[0]
			if d := u.Carried - c.carried; u.State != c.state || d > 1 || d < -1 || strings.Join(u.Warnings, "|") != c.doubt {
				t.Errorf("got %s, carried %g, %q; want %s, %g, %q", u.State, u.Carried, u.Warnings, c.state, c.carried, c.doubt)
			}
		})
	}
}
