package analyzers

import (
	"context"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

const epoch = int64(1_790_000_000) * 1e9

// happened makes an event of an instance's life; pairs are attributes.
func happened(at int64, kind, instance, source string, resolution int64, pairs ...string) assay.Event {
	e := assay.Event{Time: at, Kind: kind, Instance: instance, Source: source, Resolution: resolution}
	for i := 0; i+1 < len(pairs); i += 2 {
		if e.Attrs == nil {
			e.Attrs = map[string]string{}
		}
		e.Attrs[pairs[i]] = pairs[i+1]
	}
	return e
}

// phased makes the event of a phase of a start, stamped in Unix time as collectors do.
func phased(instance, phase, source string, begin, end, resolution int64) assay.Event {
	unix := func(t int64) string { return strconv.FormatInt(epoch+t, 10) }
	return happened(end, assay.EventInstancePhase, instance, source, resolution, "phase", phase, "start_ns", unix(begin), "end_ns", unix(end))
}

// A start that a cluster, an engine's log, an engine's metric and a client tell of, each with its own clock.
func startRun() *factstest.Run {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 200 * sec}}}
	run.E = []assay.Event{
		happened(10*sec, assay.EventInstanceCreated, "pod-1", "kubernetes", sec, "reason", "scale_from_zero"),
		phased("pod-1", "schedule", "kubernetes", 10*sec, 12*sec, sec),
		phased("pod-1", "image_pull", "kubernetes", 12*sec, 30*sec, sec),
		phased("pod-1", "weights_fetch", "kubernetes", 12*sec, 40*sec, sec), // beside the pull, and longer
		happened(40*sec, assay.EventInstanceStarted, "pod-1", "kubernetes", sec),
		phased("pod-1", "runtime_start", "kubernetes", 40*sec, 100*sec, sec), // what the cluster sees of all that the engine does
		phased("pod-1", "weights_load", "vllm", 50*sec, 70*sec, sec/1000),
		phased("pod-1", "compile", "vllm", 65*sec, 90*sec, sec/1000),
		happened(100*sec, assay.EventInstanceReady, "pod-1", "kubernetes", sec),
	}
	run.R = []assay.Request{
		{ID: 1, Due: 9500 * msec, Sent: 9500 * msec, FirstByte: 104 * sec, FirstToken: 104 * sec, End: 105 * sec, Outcome: assay.OK, Cold: assay.ColdYes, Instance: "pod-1", NoSchedule: true},
		{ID: 2, Due: 110 * sec, Sent: 110 * sec, FirstByte: 110500 * msec, FirstToken: 110500 * msec, End: 111 * sec, Outcome: assay.OK, Cold: assay.ColdNo, Instance: "pod-1", NoSchedule: true},
	}
	return run
}

func TestColdTimelineOfSeveralSources(t *testing.T) {
	r := assess(t, startRun(), "cold")
	if len(r.Starts) != 1 {
		t.Fatalf("got %d starts, want 1", len(r.Starts))
	}
	s := r.Starts[0]
	got := map[string]float64{"unattributed": s.Unattributed}
	sum := s.Unattributed
	for _, x := range s.Shares {
		got[x.Name] = x.Seconds
		sum += x.Seconds
	}
	want := map[string]float64{
		"unattributed":  0.5, // from the request's arrival to the creation
		"schedule":      2,
		"weights_fetch": 28, // the pull was over before: it held nothing up
		"runtime_start": 20, // 40 to 50 and 90 to 100: where the engine's log tells of nothing inside it
		"weights_load":  15, // until compile, which ended later, covers it
		"compile":       25,
		"first_token":   4,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("critical path (-want +got)\n%s", diff)
	}
	if math.Abs(sum-94.5) > 1e-9 || s.FirstToken.Value != 94.5 || s.Total.Value != 90.5 || s.Total.Lo != 89.5 || s.Total.Hi != 91.5 {
		t.Errorf("parts sum to %g, first token %s, total %s", sum, s.FirstToken, s.Total)
	}
	if s.Resolution != sec || s.Total.Resolution != 1 || s.Doubts != nil {
		t.Errorf("resolution %d, of the total %g, doubts %q", s.Resolution, s.Total.Resolution, s.Doubts)
	}
	if q := r.Find("cold/first_token/worst").Quantity; q.Value != 94.5 {
		t.Errorf("worst first token %s", q)
	}
}

// Two sources tell of one phase: what their clocks allow is one and the same, what they do not is said.
func TestColdSourcesContradict(t *testing.T) {
	for _, c := range []struct {
		name       string
		told       int64 // length of the load as the engine's metric tells
		resolution int64
		want       []string
	}{
		{"agree", 20 * sec, msec, nil},
		{"within the clocks", 19500 * msec, sec, nil},
		{"contradict", 2 * sec, msec, []string{"weights load took 2 s as sglang tells and 20 s as vllm tells: more than their clocks allow (±1 ms and ±1 ms)"}},
	} {
		run := startRun()
		run.E = append(run.E, phased("pod-1", "weights_load", "sglang", 70*sec-c.told, 70*sec, c.resolution))
		if got := assess(t, run, "cold").Starts[0].Doubts; !cmp.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A Lambda emulator reports an init of 3.64 ms, and its client waits for 458 ms of which a warm call takes 22 ms.
func TestColdPlatformTellsLess(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 10 * sec}}}
	run.E = []assay.Event{phased("log-stream", "runtime_start", "report line", sec, sec+3640_000, 10_000)}
	run.R = []assay.Request{
		{ID: 1, Due: sec, Sent: sec, FirstByte: sec + 458*msec, FirstToken: sec + 458*msec, End: sec + 458*msec, Outcome: assay.OK, Cold: assay.ColdYes, Instance: "log-stream"},
		{ID: 2, Due: 2 * sec, Sent: 2 * sec, FirstByte: 2*sec + 22*msec, FirstToken: 2*sec + 22*msec, End: 2*sec + 22*msec, Outcome: assay.OK, Cold: assay.ColdNo, Instance: "log-stream"},
	}
	s := assess(t, run, "cold").Starts[0]
	want := []string{"its phases add up to 3.64 ms, but who waited for it waited 0.436 s longer than for a warm answer"}
	if !cmp.Equal(s.Doubts, want) || math.Abs(s.Unattributed-0.45436) > 1e-9 {
		t.Errorf("got %q and %g s unattributed, want %q", s.Doubts, s.Unattributed, want)
	}
}

// An engine that tells the load of its model only as a gauge: the length is right, its place is no better than a scrape.
func TestColdLoadTimeFromMetrics(t *testing.T) {
	run := startRun()
	run.E = run.E[:len(run.E)-3] // neither the log nor, so far, ready
	run.E = append(run.E, happened(100*sec, assay.EventInstanceReady, "pod-1", "kubernetes", sec))
	run.Q = gauge{"nv_model_load_duration_secs", []assay.Label{{Name: "pod", Value: "pod-1"}}, func(t int64) float64 {
		if t < 101*sec {
			return math.NaN()
		}
		return 33.25
	}}
	s := assess(t, run, "cold").Starts[0]
	for _, p := range s.Phases {
		if p.Name == "weights_load" {
			if want := (assay.Interval{Name: "weights_load", Begin: 100*sec - 33250*msec, End: 100 * sec, Resolution: sec, Source: "triton"}); p != want {
				t.Errorf("got %+v, want %+v", p, want)
			}
			return
		}
	}
	t.Errorf("no load among %+v", s.Phases)
}

// gauge is a run's one series.
type gauge struct {
	name   string
	labels []assay.Label
	at     func(t int64) float64
}

func (g gauge) Range(_ context.Context, expr string, begin, end, step int64) ([]assay.Series, error) {
	if !strings.Contains(expr, g.name) {
		return nil, nil
	}
	s := assay.Series{Labels: g.labels}
	if strings.Contains(expr, "count_over_time(") { // looked at each second, all the time
		return []assay.Series{{Times: []int64{end}, Values: []assay.Num{assay.Num(end/sec + 1)}}}, nil
	}
	for t := begin; t <= end; t += step {
		if v := g.at(t); !math.IsNaN(v) {
			s.Times, s.Values = append(s.Times, t), append(s.Values, assay.Num(v))
		}
	}
	return []assay.Series{s}, nil
}

// Nobody told whether a request was cold: the instance that served it says so, if it was ready or not when it came, beyond the resolution of its clock.
func TestColdInferredFromReadiness(t *testing.T) {
	for _, c := range []struct {
		name     string
		due      int64
		instance string
		want     assay.Cold
	}{
		{"before ready, instance told", 60 * sec, "pod-1", assay.ColdYes},
		{"within the clock of ready", 100*sec - sec/2, "pod-1", assay.ColdUnknown},
		{"after ready", 120 * sec, "pod-1", assay.ColdNo},
		{"after ready, nothing told", 120 * sec, "", assay.ColdUnknown},
		{"before ready, nothing told", 60 * sec, "", assay.ColdUnknown},
		{"while no instance was left, nothing told", 155 * sec, "", assay.ColdYes},
	} {
		run := startRun()
		run.E = append(run.E, happened(150*sec, assay.EventInstanceExited, "pod-1", "kubernetes", sec, "reason", "scale_in"),
			happened(160*sec, assay.EventInstanceCreated, "pod-2", "kubernetes", sec), happened(170*sec, assay.EventInstanceReady, "pod-2", "kubernetes", sec))
		end := max(c.due+sec, 101*sec)
		if c.due > 150*sec {
			end = 172 * sec
		}
		run.R = []assay.Request{{ID: 1, Due: c.due, Sent: c.due, FirstToken: end, End: end, Outcome: assay.OK, Instance: c.instance}}
		r := assess(t, run, "cold")
		q := r.Find("cold/share", "of", "requests").Quantity
		got := assay.ColdUnknown
		if q.Known() {
			got = map[float64]assay.Cold{0: assay.ColdNo, 1: assay.ColdYes}[q.Value]
		}
		if got != c.want {
			t.Errorf("%s: share %s, want %s", c.name, q, c.want)
		}
	}
}

// A client that is told that it waited, and not for whom, waited for the instance that became ready while it did.
func TestColdRequestsFindTheirStart(t *testing.T) {
	run := startRun()
	run.R = nil
	for i, due := range []int64{60 * sec, 99 * sec, 120 * sec} { // ready at 100 s
		end := max(due, 100*sec) + sec
		run.R = append(run.R, assay.Request{ID: uint64(i + 1), Due: due, Sent: due, FirstToken: end, End: end, Outcome: assay.OK, Cold: assay.ColdYes})
	}
	run.R[2].Cold = assay.ColdNo
	r := assess(t, run, "cold")
	if q := r.Find("cold/held").Quantity; q.Value != 2 || len(r.Starts) != 1 || r.Starts[0].Held != 2 {
		t.Errorf("%s held, starts %+v: want two requests, by one start", q, r.Starts)
	}
}

// What is cold and came once the instance was ready, before it gave a warm answer, paid for its start too; it did not wait for it.
func TestFirstRequestsPayForTheStart(t *testing.T) {
	run := startRun()
	run.R = nil
	for i, c := range []struct {
		due  int64
		cold assay.Cold
	}{{100 * sec, assay.ColdYes}, {101 * sec, assay.ColdYes}, {102 * sec, assay.ColdYes}, {110 * sec, assay.ColdNo}, {300 * sec, assay.ColdYes}} { // ready at 100 s
		run.R = append(run.R, assay.Request{ID: uint64(i + 1), Due: c.due, Sent: c.due, FirstToken: c.due + 2*sec, End: c.due + 2*sec, Outcome: assay.OK, Cold: c.cold, Instance: run.E[0].Instance})
	}
	r := assess(t, run, "cold", "coldcost")
	if q := r.Find("cold/held").Quantity; q.Value != 3 || len(r.Starts) != 1 || r.Starts[0].Held != 3 {
		t.Errorf("%s held, starts %+v: want the three before the first warm answer", q, r.Starts)
	}
	if q := r.Starts[0].FirstToken; r.Starts[0].End > 110*sec {
		t.Errorf("start %+v, first token %s", r.Starts[0], q)
	}
	if q := r.Find("cold/flip").Quantity; !q.Known() || q.N != 1 {
		t.Errorf("flip %s, want one of 1 start", q)
	}
}

// Where nothing but spans tells of starts, each is one, and its instance is taken to have lived for as long as spans name it and no longer.
func TestColdToldBySpansOnly(t *testing.T) {
	run := startRun()
	run.E, run.R = nil, nil
	cold := []assay.Attr{{Key: "faas.coldstart", Value: "true"}, {Key: "faas.instance", Value: "i-1"}}
	for i := range 2 {
		due := 10*sec + int64(i)*20*sec
		run.R = append(run.R, assay.Request{ID: uint64(i + 1), Due: due, Sent: due, End: due + 4*sec, Outcome: assay.OK, NoSchedule: true})
	}
	run.T = []assay.Trace{{Request: &run.R[0], Spans: []assay.Span{
		{SpanID: assay.SpanID{1}, Name: "POST", Kind: assay.SpanServer, Start: 10 * sec, End: 14 * sec, Attrs: cold},
		{SpanID: assay.SpanID{2}, Parent: assay.SpanID{1}, Name: "init fn", Kind: assay.SpanInternal, Start: 10500 * msec, End: 13500 * msec}}},
		{Request: &run.R[1], Spans: []assay.Span{{SpanID: assay.SpanID{3}, Name: "POST", Kind: assay.SpanServer, Start: 30 * sec, End: 34 * sec}}}}
	r := assess(t, run, "cold", "mtbf")
	want := []assay.Start{{Instance: "i-1", Begin: 10 * sec, End: 13500 * msec, Held: 1}}
	var got []assay.Start
	for _, s := range r.Starts {
		got = append(got, assay.Start{Instance: s.Instance, Begin: s.Begin, End: s.End, Held: s.Held})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("starts (-want +got):\n%s", diff)
	}
	if sh := r.Starts[0].Shares; len(sh) != 1 || sh[0].Name != "init" || sh[0].Seconds != 3 || r.Starts[0].Unattributed != 0.5 {
		t.Errorf("init took %+v, want 3 s of 3.5", sh)
	}
	if v := r.Find("mtbf/instance").Quantity; v.N != 0 || math.Abs(v.Lo-0.5/math.Log(20)) > 1e-6 {
		t.Errorf("MTBF of instances %s: want the bound of the 0.5 s from its init until it was last seen", v)
	}
	for i := range run.T[0].Spans { // as X-Ray, which names no instance
		run.T[0].Spans[i].Attrs = cold[:min(1, len(run.T[0].Spans[i].Attrs))]
	}
	const unnamed = "not measured, because spans tell of 1 start, and not of which instance: they name none, so that nothing shows for how long one lived"
	if v := assess(t, run, "cold", "mtbf").Find("mtbf/instance").Quantity; v.Reason != unnamed {
		t.Errorf("MTBF of instances that nobody names: %s", v)
	}
}
