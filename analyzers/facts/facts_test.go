package facts_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

const (
	second = int64(1e9)
	ms     = int64(1e6)
)

func compute(t testing.TB, run *factstest.Run) *assay.Facts {
	t.Helper()
	f, err := facts.Compute(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// partition fails unless the segments are in order, touch, and cover the watched time.
func partition(t *testing.T, f *assay.Facts) {
	t.Helper()
	at := f.Begin
	for i, s := range f.Segments {
		if s.Begin != at || s.End <= s.Begin {
			t.Fatalf("segment %d is [%d, %d), the one before ended at %d", i, s.Begin, s.End, at)
		}
		at = s.End
	}
	if at != f.End {
		t.Fatalf("segments end at %d, the watch at %d", at, f.End)
	}
	var sum int64
	for _, l := range []assay.Ledger{assay.Natural, assay.Injected, assay.Overload} {
		sum += facts.Within(f, l, f.Begin, f.End)
	}
	if sum != f.End-f.Begin {
		t.Fatalf("ledgers sum to %d of %d", sum, f.End-f.Begin)
	}
}

var gameDay = factstest.Deployment{
	Instances: 2, Rate: 8, Warmup: 10 * second, For: 90 * second, Sigma: .3, Slowdown: 6,
	Faults: []factstest.Fault{
		{Kind: "kill", At: 30 * second, For: 5 * second, Detect: 200 * ms, Eject: 100 * ms, Start: 4 * second},
		{Kind: "hang", At: 60 * second, For: 12 * second, Detect: 1500 * ms, Eject: 500 * ms, Start: 5 * second},
	},
}

func TestFaultsOfASimulatedGameDay(t *testing.T) {
	for seed := range uint64(30) {
		run, truth := gameDay.Simulate(rand.New(rand.NewPCG(seed, 1)))
		f := compute(t, run)
		partition(t, f)
		if len(f.Faults) != 2 || f.Faults[0].Healthy != 2 || f.Faults[0].Target != "w-1" || f.Faults[1].Target != "w-2" {
			t.Fatalf("faults: %+v", f.Faults)
		}
		var instance []assay.Episode
		for _, e := range f.Episodes {
			if e.Ledger == assay.Natural {
				t.Errorf("seed %d: a natural episode in a run with injected failures alone: %+v", seed, e)
			}
			if e.Subject == assay.InstanceOf {
				instance = append(instance, e)
			}
		}
		if len(instance) != 2 {
			t.Fatalf("seed %d: %d instance episodes, want one for each fault", seed, len(instance))
		}
		for i, e := range instance {
			w := &f.Faults[i]
			if e.Instance != w.Target || e.Fault != w.ID || e.Begin != w.Applied {
				t.Errorf("seed %d: episode %+v of fault %+v", seed, e, w)
			}
			if off := truth.Ends[i] - e.EndHi; off < -f.Manifest.Probe || off > f.Manifest.Probe || e.End > truth.Ends[i] {
				t.Errorf("seed %d, %s: recovered [%d, %d], truth %d", seed, w.Kind, e.End, e.EndHi, truth.Ends[i])
			}
			if w.Washout < w.Clear || w.Washout > w.Clear+30*second {
				t.Errorf("seed %d, %s: washout ends at %d, clear at %d", seed, w.Kind, w.Washout, w.Clear)
			}
			if w.Remains != "" {
				t.Errorf("seed %d: %s remains: %s", seed, w.Kind, w.Remains)
			}
		}
		for _, l := range f.Lives[:2] {
			if l.Ledger != assay.Injected {
				t.Errorf("seed %d: exit of %s (%s) in the %s ledger", seed, l.Instance, l.Exit, l.Ledger)
			}
		}
	}
}

// hand returns a run of ten requests a second over a minute, all good, on w-1 and w-2 in turn.
func hand() *factstest.Run {
	run := &factstest.Run{M: assay.Manifest{Probe: second / 4, MaxWait: 10 * second, End: assay.Ending{Status: assay.EndComplete, At: 62 * second}}}
	run.E = []assay.Event{
		{Time: second / 2, Kind: assay.EventInstanceCreated, Instance: "w-1", Attrs: map[string]string{"reason": "scale_from_zero"}},
		{Time: second / 2, Kind: assay.EventInstanceCreated, Instance: "w-2", Attrs: map[string]string{"reason": "scale_out"}},
		{Time: second * 9 / 10, Kind: assay.EventInstanceReady, Instance: "w-1"},
		{Time: second * 9 / 10, Kind: assay.EventInstanceReady, Instance: "w-2"},
		{Time: second, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "10"}},
		{Time: 61 * second, Kind: assay.EventPhaseEnd, Phase: "steady"},
	}
	for i := range 600 {
		due := second + int64(i)*100*ms
		run.R = append(run.R, assay.Request{ID: uint64(i + 1), Phase: "steady", Outcome: assay.OK, Status: 200, Instance: fmt.Sprintf("w-%d", 1+i%2), Cold: assay.ColdNo,
			Due: due, Sent: due + 1, FirstByte: due + 50*ms, FirstToken: due + 50*ms, Arrivals: []int64{due + 50*ms, due + 60*ms}, End: due + 61*ms, TokensOut: 2})
	}
	return run
}

func event(t int64, kind, instance string, attrs ...string) assay.Event {
	e := assay.Event{Time: t, Kind: kind, Instance: instance, Attrs: map[string]string{}}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.Attrs[attrs[i]] = attrs[i+1]
	}
	return e
}

func faultEvent(t int64, kind string, attrs ...string) assay.Event {
	e := event(t, kind, "", attrs...)
	e.Fault = "f1"
	return e
}

func instanceEpisodes(f *assay.Facts) []assay.Episode {
	var out []assay.Episode
	for _, e := range f.Episodes {
		if e.Subject == assay.InstanceOf {
			out = append(out, e)
		}
	}
	return out
}

func TestInstanceEpisodes(t *testing.T) {
	quarter := second / 4
	for _, c := range []struct {
		name   string
		events []assay.Event
		want   []assay.Episode
		exit   map[string]assay.Ledger
	}{
		{"scale-in is planned", []assay.Event{event(20*second, assay.EventInstanceDraining, "w-2", "reason", "scale_in"), event(21*second, assay.EventInstanceExited, "w-2", "reason", "scale_in")},
			nil, map[string]assay.Ledger{"w-2": assay.Planned}},
		{"shutdown is planned", []assay.Event{event(61*second, assay.EventInstanceExited, "w-2", "reason", "shutdown")}, nil, map[string]assay.Ledger{"w-2": assay.Planned}},
		{"crash with a replacement", []assay.Event{event(20*second, assay.EventInstanceExited, "w-2", "reason", "crash"), event(20*second+ms, assay.EventInstanceCreated, "w-3", "reason", "replace"), event(24*second, assay.EventInstanceReady, "w-3")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-2", Cause: "crash", BeginLo: 20 * second, Begin: 20 * second, End: 24*second - quarter, EndHi: 24 * second}},
			map[string]assay.Ledger{"w-2": assay.Natural}},
		{"crash without one", []assay.Event{event(20*second, assay.EventInstanceExited, "w-2", "reason", "crash")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-2", Cause: "crash", BeginLo: 20 * second, Begin: 20 * second, End: 61 * second, EndHi: 61 * second, RightCensored: true}}, nil},
		{"crash, then no longer wanted", []assay.Event{event(20*second, assay.EventInstanceExited, "w-2", "reason", "crash"), event(30*second, assay.EventScale, "", "desired", "1")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-2", Cause: "crash", BeginLo: 20 * second, Begin: 20 * second, End: 30 * second, EndHi: 30 * second}}, nil},
		{"lost readiness and got it back", []assay.Event{event(20*second, assay.EventInstanceUnready, "w-1", "reason", "probe failed"), event(23*second, assay.EventInstanceReady, "w-1")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-1", Cause: "probe failed", BeginLo: 20*second - quarter, Begin: 20 * second, End: 23*second - quarter, EndHi: 23 * second}}, nil},
		{"a start that failed", []assay.Event{event(20*second, assay.EventInstanceCreated, "w-3", "reason", "scale_out"), event(22*second, assay.EventInstanceExited, "w-3", "reason", "crash"),
			event(22*second+ms, assay.EventInstanceCreated, "w-4", "reason", "replace"), event(25*second, assay.EventInstanceReady, "w-4")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-3", Cause: "start failed: crash", BeginLo: 22 * second, Begin: 22 * second, End: 25*second - quarter, EndHi: 25 * second}}, nil},
		{"a hang that the platform never noticed", []assay.Event{faultEvent(20*second, assay.EventFaultArmed, "kind", "hang", "target", "w-1"), faultEvent(20*second, assay.EventFaultApplied),
			faultEvent(21*second, assay.EventFaultReverted), faultEvent(21*second+ms, assay.EventFaultClear)},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Injected, Instance: "w-1", Fault: "f1", Cause: "hang", BeginLo: 20 * second, Begin: 20 * second, End: 21 * second, EndHi: 21*second + ms}}, nil},
		{"a kill whose exit the platform saw before the injector said so", []assay.Event{faultEvent(20*second, assay.EventFaultArmed, "kind", "kill", "target", "w-1"), event(20*second+5*ms, assay.EventInstanceExited, "w-1", "reason", "crash"),
			faultEvent(20*second+9*ms, assay.EventFaultApplied), faultEvent(20*second+10*ms, assay.EventFaultReverted), faultEvent(20*second+10*ms, assay.EventFaultClear),
			event(20*second+20*ms, assay.EventInstanceCreated, "w-3", "reason", "replace"), event(22*second, assay.EventInstanceReady, "w-3")},
			[]assay.Episode{{Subject: assay.InstanceOf, Ledger: assay.Injected, Instance: "w-1", Fault: "f1", Cause: "kill", BeginLo: 20*second + 9*ms, Begin: 20*second + 9*ms, End: 22*second - quarter, EndHi: 22 * second}},
			map[string]assay.Ledger{"w-1": assay.Injected}},
		{"a delay that took nothing out of routing", []assay.Event{faultEvent(20*second, assay.EventFaultArmed, "kind", "delay", "target", "w-1"), faultEvent(20*second, assay.EventFaultApplied),
			faultEvent(25*second, assay.EventFaultReverted), faultEvent(25*second, assay.EventFaultClear)}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := hand()
			run.E = append(run.E, c.events...)
			f := compute(t, run)
			partition(t, f)
			if diff := cmp.Diff(c.want, instanceEpisodes(f), cmpopts.IgnoreFields(assay.Episode{}, "Confidence", "Evidence", "Lost"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("episodes (-want +got):\n%s", diff)
			}
			for _, l := range f.Lives {
				if want, ok := c.exit[l.Instance]; ok && l.Ledger != want {
					t.Errorf("exit of %s: ledger %s, want %s", l.Instance, l.Ledger, want)
				}
			}
		})
	}
}

// Containers of a pod start again under its name, and nobody need send requests for that to count.
func TestInstanceThatStartsAgain(t *testing.T) {
	f := compute(t, &factstest.Run{M: assay.Manifest{End: assay.Ending{At: 100 * second}}, E: []assay.Event{
		event(second, assay.EventInstanceCreated, "p"), event(2*second, assay.EventInstanceStarted, "p"), event(5*second, assay.EventInstanceReady, "p"),
		event(30*second, assay.EventInstanceExited, "p", "reason", "oom"),
		event(30*second, assay.EventInstanceCreated, "p", "reason", "restart"), event(31*second, assay.EventInstanceStarted, "p"),
		event(32*second, assay.EventInstanceExited, "p", "reason", "crash"),
		event(42*second, assay.EventInstanceStarted, "p"), event(50*second, assay.EventInstanceReady, "p"),
		event(90*second, assay.EventInstanceDraining, "p"), event(91*second, assay.EventInstanceExited, "p", "reason", "scale_in"),
	}})
	type life struct {
		Reason, Exit           string
		Created, Ready, Exited int64
		Ledger                 assay.Ledger
	}
	var got []life
	for _, l := range f.Lives {
		got = append(got, life{l.Reason, l.Exit, l.Created / second, l.Ready / second, l.Exited / second, l.Ledger})
	}
	want := []life{{"", "oom", 1, 5, 30, assay.Natural}, {"restart", "crash", 30, 0, 32, assay.Natural}, {"restart", "scale_in", 42, 50, 91, assay.Planned}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lives (-want +got):\n%s", d)
	}
	if f.Begin != second || f.End != 100*second {
		t.Errorf("watched from %d to %d, want all that the platform told", f.Begin, f.End)
	}
	if len(f.Episodes) != 1 || f.Episodes[0].Cause != "oom" || f.Episodes[0].EndHi != 50*second || f.Episodes[0].RightCensored {
		t.Errorf("got %+v, want one episode from the first exit until it is ready again", f.Episodes)
	}
}

func TestFaultThatMayRemain(t *testing.T) {
	armed, applied := faultEvent(20*second, assay.EventFaultArmed, "kind", "hang", "target", "w-1"), faultEvent(20*second+ms, assay.EventFaultApplied)
	remaining := faultEvent(25*second, assay.EventFaultRemaining)
	remaining.Text = "the process does not go on"
	for _, c := range []struct {
		name   string
		events []assay.Event
		want   string
	}{
		{"armed only: it may have been applied", []assay.Event{armed}, "no revert was recorded"},
		{"applied only", []assay.Event{armed, applied}, "no revert was recorded"},
		{"reverted by the guardian", []assay.Event{armed, applied, faultEvent(24*second, assay.EventFaultReverted)}, ""},
		{"revert not verified", []assay.Event{armed, applied, faultEvent(24*second, assay.EventFaultReverted), remaining}, "the process does not go on"},
		{"cleared in the end", []assay.Event{armed, applied, faultEvent(24*second, assay.EventFaultReverted), remaining, faultEvent(29*second, assay.EventFaultClear)}, ""},
		{"void before it was applied", []assay.Event{armed, faultEvent(21*second, assay.EventFaultVoid)}, ""},
	} {
		run := hand()
		run.E = append(run.E, c.events...)
		f := compute(t, run)
		if len(f.Faults) != 1 || f.Faults[0].Remains != c.want {
			t.Errorf("%s: got %+v, want remains %q", c.name, f.Faults, c.want)
		}
	}
}

func TestSegments(t *testing.T) {
	run := hand()
	run.E = append(run.E,
		event(41*second, assay.EventPhaseBegin, "", "role", "stress", "rate", "20"), event(51*second, assay.EventPhaseEnd, ""),
		faultEvent(20*second, assay.EventFaultArmed, "kind", "delay", "target", "w-1"), faultEvent(20*second, assay.EventFaultApplied),
		faultEvent(25*second, assay.EventFaultReverted), faultEvent(25*second, assay.EventFaultClear))
	run.E[len(run.E)-6].Phase, run.E[len(run.E)-5].Phase = "stress/1", "stress/1"
	f := compute(t, run)
	want := []assay.Segment{
		{Ledger: assay.Natural, Begin: second, End: 20 * second},
		{Ledger: assay.Injected, Fault: "f1", Begin: 20 * second, End: 25*second + second/2},
		{Ledger: assay.Natural, Begin: 25*second + second/2, End: 41 * second},
		{Ledger: assay.Overload, Begin: 41 * second, End: 51 * second},
		{Ledger: assay.Natural, Begin: 51 * second, End: 61 * second},
	}
	if diff := cmp.Diff(want, f.Segments); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
	if p := f.PhaseOf("stress/1"); p.Of != "stress" || p.Step != 1 || p.Rate != 20 {
		t.Errorf("step of a search: %+v", p)
	}
	for _, c := range []struct {
		due, end int64
		want     assay.Ledger
	}{{19 * second, 19*second + ms, assay.Natural}, {19 * second, 21 * second, assay.Injected}, {26 * second, 27 * second, assay.Natural}, {40 * second, 42 * second, assay.Natural}, {45 * second, 52 * second, assay.Overload}} {
		if got, _ := facts.LedgerOf(f, &assay.Request{Due: c.due, End: c.end}); got != c.want {
			t.Errorf("request [%d, %d]: ledger %s, want %s", c.due, c.end, got, c.want)
		}
	}
}

func TestEmptyRun(t *testing.T) {
	f := compute(t, &factstest.Run{})
	if len(f.Segments) != 0 || len(f.Episodes) != 0 || f.Begin != 0 || f.End != 0 {
		t.Errorf("got %+v", f)
	}
}

func ExampleCompute() {
	run, _ := factstest.Deployment{Rate: 10, For: 60 * factstest.Second, Faults: []factstest.Fault{
		{Kind: "kill", At: 20 * factstest.Second, Detect: 3e8, Start: 4 * factstest.Second},
	}}.Simulate(rand.New(rand.NewPCG(1, 2)))
	f, err := facts.Compute(context.Background(), run)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range f.Episodes {
		fmt.Printf("%s %s: %s, down for %.1f s\n", e.Subject, e.Instance, e.Ledger, float64(e.EndHi-e.Begin)/1e9)
	}
	// Output:
	// instance w-1: injected, down for 4.3 s
}

func BenchmarkCompute(b *testing.B) {
	run, _ := gameDay.Simulate(rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := facts.Compute(context.Background(), run); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(run.R)*b.N)/b.Elapsed().Seconds(), "requests/s")
}
