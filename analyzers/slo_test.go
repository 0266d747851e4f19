package analyzers

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// promised is a run of 1000 requests, ten a second, with a fault on the way. Of the natural ones three clusters are bad: one by a cold start,
// one by the network, one without a sign.
func promised(slos ...assay.SLO) *factstest.Run {
	run := &factstest.Run{M: assay.Manifest{SLOs: slos, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 100 * sec}}}
	run.E = []assay.Event{
		{Kind: assay.EventPhaseBegin, Phase: "steady", Time: 0, Attrs: map[string]string{"role": "steady"}}, {Kind: assay.EventPhaseEnd, Phase: "steady", Time: 100 * sec},
		{Time: 50 * sec, Kind: assay.EventFaultArmed, Fault: "f1", Attrs: map[string]string{"kind": "http", "target": "wire"}}, {Time: 50 * sec, Kind: assay.EventFaultApplied, Fault: "f1"},
		{Time: 55 * sec, Kind: assay.EventFaultReverted, Fault: "f1"}, {Time: 55 * sec, Kind: assay.EventFaultClear, Fault: "f1"},
	}
	for i := range int64(1000) {
		due := i * 100 * msec
		r := assay.Request{ID: uint64(i + 1), Phase: "steady", Outcome: assay.OK, Status: 200, Cold: assay.ColdNo, Due: due, Sent: due, FirstByte: due + 10*msec, FirstToken: due + 10*msec, End: due + 50*msec}
		switch {
		case i == 100:
			r.Cold, r.Outcome = assay.ColdYes, assay.Loading
		case i == 200 || i == 201:
			r.Outcome = assay.Reset
		case i == 300:
			r.Outcome = assay.ServerError
		case i == 400:
			r.Outcome = assay.Throttled
		case i == 410:
			r.Outcome = assay.RefusedByCap
		case i >= 500 && i < 540:
			r.Outcome = assay.ServerError
		case i == 800:
			r.End = due + 3*sec
		}
		run.R = append(run.R, r)
	}
	return run
}

func sloReport(t *testing.T, run *factstest.Run) []assay.SLOResult {
	t.Helper()
	return assess(t, run, append(reliability[:len(reliability):len(reliability)], "slo")...).SLOs
}

var availability999 = assay.SLO{Name: "a", Target: .999, Window: int64(30 * 24 * time.Hour), Good: assay.Indicator{Metric: "availability"}}

// What a run spends of a budget is its burn rate times its part of the window, and the causes sum to it.
func TestSLOBudget(t *testing.T) {
	slow := assay.SLO{Name: "fast", Target: .99, Window: int64(7 * 24 * time.Hour), Good: assay.Indicator{Metric: "e2e", Max: 2e9}}
	got := sloReport(t, promised(availability999, slow))
	type cause struct {
		Name     string
		Seconds  float64
		Evidence string
	}
	type row struct {
		Bad, Burn, Spent float64
		Clusters         int
		Natural          float64
		Causes           []cause
	}
	var rows []row
	for _, x := range got {
		r := row{Bad: x.Burn.Value * (1 - x.SLO.Target), Burn: x.Burn.Value, Spent: x.Spent.Value, Clusters: x.Burn.N, Natural: x.Good.Value}
		sum, length := 0.0, 0.0
		for _, c := range x.Causes {
			r.Causes = append(r.Causes, cause{c.Name, c.Seconds, strings.Join(c.Evidence, "; ")})
			sum += c.Ratio.Value
			length += c.Seconds
		}
		if math.Abs(sum-x.Spent.Value) > 1e-12 {
			t.Errorf("%s: causes sum to %g of %g", x.SLO.Name, sum, x.Spent.Value)
		}
		if !(x.Burn.Lo < x.Burn.Value && x.Burn.Value < x.Burn.Hi) || x.Burn.Confidence != .95 {
			t.Errorf("%s: burn %v", x.SLO.Name, x.Burn)
		}
		rows = append(rows, r)
	}
	// 999 requests count: our own cap's refusal says nothing. The run watched 99.9 s; 944 are in no fault and no washout.
	const length, want44 = 99.9, 944
	in := func(n float64) float64 { return n / 999 * length }
	want := []row{
		{45. / 999, 45. / .999, 45. / .999 * length / (30 * 86400), 5, 1 - 5./(want44), []cause{{"fault http", in(40), "40 server_error"}, {"network", in(2), "2 reset"}, {"cold start", in(1), "1 loading"}, {"turned away", in(1), "1 throttled"}, {"unexplained", in(1), "1 server_error"}}},
		{46. / 999, 46. / 9.99, 46. / 9.99 * length / (7 * 86400), 6, 1 - 6./(want44), []cause{{"fault http", in(40), "40 server_error"}, {"network", in(2), "2 reset"}, {"cold start", in(1), "1 loading"}, {"turned away", in(1), "1 throttled"}, {"unexplained", in(2), "1 server_error, 1 too slow"}}},
	}
	if d := cmp.Diff(want, rows, cmpopts.EquateApprox(0, 1e-6)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Without a bad event a run spends nothing, and shows neither a bound nor how long a budget lasts; of one that no run can judge, and of one without metrics, the
// reason is told.
func TestSLOReasons(t *testing.T) {
	run := promised(availability999, assay.SLO{Name: "b", Target: .9, Window: 1, Unmapped: "it is of type redshift"},
		assay.SLO{Name: "c", Target: .9, Window: int64(time.Hour), Good: assay.Indicator{Engine: "promql", Good: "g", Total: "t"}},
		assay.SLO{Name: "d", Target: .9, Window: int64(time.Hour), Good: assay.Indicator{Metric: "availability", Class: "nobody"}})
	run.E = run.E[:2]
	for i := range run.R {
		if run.R[i].Outcome != assay.OK {
			run.R[i].Outcome = assay.OK
		}
	}
	type row struct{ Good, Burn, Spent, Lasts string }
	var got []row
	for _, x := range sloReport(t, run) {
		text := func(q assay.Quantity) string {
			if !q.Known() {
				return q.Reason
			}
			return q.String()
		}
		got = append(got, row{text(x.Good), text(x.Burn), text(x.Spent), text(x.Lasts)})
	}
	same := func(s string) row { return row{s, s, s, s} }
	want := []row{
		{"not estimable, because none was bad, and so nothing bounds how many will be when some are", "0 [0, 0] {n} (100 %, n=1000 events, share of bad events over the budget; bad of all events, in this run)",
			"0 [0, 0] 1 (100 %, n=1000 events, burn rate × 99.9 s of 30d, as if the window's other traffic were like this; bad of all events, in this run)",
			"not estimable, because none of the natural ledger was bad, and so nothing shows how often they will be"},
		same("not measured, because it is of type redshift"),
		same("not measured, because the run has no metrics that its PromQL could be asked of; the annotation assay.dev/metric would judge it by the run's own requests"),
		same("not measured, because no event of it was seen"),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Slices of time count as good or bad as a whole, or with the share that was good.
func TestSLOSlices(t *testing.T) {
	slices := availability999
	slices.Method, slices.Slice, slices.SliceTarget, slices.Target = assay.Timeslices, 10*sec, .9, .9
	mean := slices
	mean.Name, mean.Method = "b", assay.RatioTimeslices
	got := sloReport(t, promised(slices, mean))
	// Of ten slices, which count from 0.1 s on, one, with the fault, is below 90 %; the bad of each are 1 of 101, 1, 2, 1 of 100, 1 of 99, 39 of 100.
	if b := got[0].Burn; math.Abs(b.Value-1) > 1e-9 || b.N != 1 || len(got[0].Causes) != 1 || got[0].Causes[0].Name != "fault http" {
		t.Errorf("slices: burn %v, causes %v", b, got[0].Causes)
	}
	for i, want := range []string{"in 1 of 1 bad slices", "in 2 of 6 bad slices"} {
		if c := got[i].Causes[0]; c.Name != "fault http" || c.Evidence[0] != want || c.Ratio.N != 1+i || c.Ratio.Of != "bad slices" {
			t.Errorf("causes of %s: %+v, want %s", got[i].SLO.Name, c, want)
		}
	}
	if b, want := got[1].Burn.Value, (1./101+.04+1./99+.39)/10/.1; math.Abs(b-want) > 1e-9 {
		t.Errorf("mean of slices: burn %g, want %g", b, want)
	}
}

// Promises by slices say nothing where no slice was bad, or too few were seen: failures cannot make of an unknown a pass.
func TestSLOSlicesTellNothing(t *testing.T) {
	for _, tc := range []struct {
		method assay.Budgeting
		lost   []float64 // of a hundred events of each slice
		want   string    // of the reason; "" if there is a figure
	}{
		{assay.Timeslices, []float64{0, 0, 0, 0, 0, 0}, "none was bad"},
		{assay.Timeslices, []float64{0, 1, 0, 2, 0, 0}, "none was bad"}, // within what a slice may lose
		{assay.Timeslices, []float64{0, 50, 0, 2, 0, 0}, ""},
		{assay.RatioTimeslices, []float64{0, 0, 0, 0, 0, 0}, "none was bad"},
		{assay.RatioTimeslices, []float64{50}, "1 slices cannot bound a mean; 4 are the least"},
		{assay.RatioTimeslices, []float64{0, 50, 0, 2, 0, 3}, ""},
	} {
		e := newEventCount(10*sec, .9)
		for i, lost := range tc.lost {
			for k := range 100 {
				bad := 0.0
				if float64(k) < lost {
					bad = 1
				}
				e.add(int64(i)*10*sec, 1, bad, "")
			}
		}
		q := e.good(tc.method)
		if q.Known() != (tc.want == "") || !strings.Contains(q.Reason, tc.want) || q.Known() && !(q.Lo < q.Value && q.Value < q.Hi) {
			t.Errorf("method %v, lost %v: %v, want %q", tc.method, tc.lost, q, tc.want)
		}
	}
}

// The worst stretch of each window is found; one with too few events shows nothing.
func TestSLOWorst(t *testing.T) {
	short := availability999
	short.Window = int64(10 * time.Minute) // windows shrink with it
	got := sloReport(t, promised(short))[0].Worst
	type row struct {
		Window string
		Rate   float64
		At     int64
		N      int
	}
	var rows []row
	for _, b := range got {
		rows = append(rows, row{sloSpan(b.Window), math.Round(b.Rate.Value*1e6) / 1e6, b.At / msec, b.Rate.N})
	}
	want := []row{{"1s", math.NaN(), 0, 0}, {"2s", 1000, 52000, 20}, {"5s", 800, 54000, 50}, {"20s", 206.030151, 54000, 199}, {"1m", 75.125209, 60200, 599}}
	if d := cmp.Diff(want, rows, cmpopts.EquateNaNs()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Of windows longer than the run the first alone is told, as what there was.
func TestSLOWorstOfShortRun(t *testing.T) {
	got := sloReport(t, promised(availability999))[0].Worst
	if len(got) != 1 || got[0].Window != int64(5*time.Minute) || !strings.Contains(got[0].Rate.Method, "the run is shorter: over all of it") {
		t.Errorf("%+v", got)
	}
}

// A forecast needs clusters: with three of them it is the window over the natural burn rate.
func TestSLOLasts(t *testing.T) {
	x := sloReport(t, promised(availability999))[0]
	if want := 30 * 86400 * .001 / (5. / 944); math.Abs(x.Lasts.Value-want) > 1e-6*want || !(x.Lasts.Lo < want && want < x.Lasts.Hi) || x.Lasts.N != 4 {
		t.Errorf("lasts %v, want %g", x.Lasts, want)
	}
	run := promised(availability999)
	for _, i := range []int{200, 201, 300} {
		run.R[i].Outcome = assay.OK
	}
	if got, want := sloReport(t, run)[0].Lasts.Reason, "not estimable, because what was bad came in 2 clusters: 3 or more would show how often they come"; got != want {
		t.Errorf("with two clusters: %q", got)
	}
}
