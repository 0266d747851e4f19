package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Forced cold starts stand apart from natural ones, and speak of nothing else.
func TestForcedStarts(t *testing.T) {
	run := quiet()
	before := assess(t, run, append(reliability[:len(reliability):len(reliability)], "cold")...)
	last := run.R[len(run.R)-1].End
	begin := last + sec
	run.E = append(run.E, assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Phase: "cold", Attrs: map[string]string{"role": "cold", "rate": "0"}},
		assay.Event{Time: begin + 10*sec, Kind: assay.EventPhaseEnd, Phase: "cold"})
	life := func(id string, at int64, forced string) {
		run.E = append(run.E, assay.Event{Time: at, Kind: assay.EventInstanceCreated, Instance: id, Attrs: map[string]string{"reason": "scale_from_zero", "forced": forced}},
			assay.Event{Time: at + 400*msec, Kind: assay.EventInstanceReady, Instance: id},
			assay.Event{Time: at + 900*msec, Kind: assay.EventInstanceExited, Instance: id, Attrs: map[string]string{"reason": "forced_cold"}})
	}
	add := func(id uint64, attempt int32, at, first int64, o assay.Outcome, c assay.Cold, instance string) {
		r := assay.Request{ID: 9000 + id, Attempt: attempt, Phase: "cold", Due: at, Sent: at, End: at + first + msec, Outcome: o, Cold: c, Instance: instance, Forced: true, NoSchedule: true}
		if o == assay.OK {
			r.FirstToken = at + first
		}
		run.R = append(run.R, r)
	}
	for i := range int64(6) {
		at := begin + i*sec
		switch i {
		case 4: // refused until it is up
			add(uint64(i), 0, at, msec, assay.Refused, assay.ColdUnknown, "")
			add(uint64(i), 1, at+250*msec, 500*msec, assay.OK, assay.ColdUnknown, "")
		case 5:
			add(uint64(i), 0, at, msec, assay.ServerError, assay.ColdUnknown, "")
		case 3:
			add(uint64(i), 0, at, 20*msec, assay.OK, assay.ColdNo, "w-9")
		default:
			id := "f-" + string(rune('a'+i))
			forced := "true"
			if i == 2 {
				forced = "" // the platform does not say so: the request does
			}
			life(id, at+10*msec, forced)
			add(uint64(i), 0, at, (450+10*i)*msec, assay.OK, assay.ColdYes, id)
		}
	}
	r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "cold")...)
	for _, m := range []string{"ttft/p50", "e2e/p90", "goodput", "load/offered", "error_ratio", "cold/held"} {
		a, b := before.Find(m), r.Find(m)
		if a == nil || b == nil {
			continue
		}
		if d := cmp.Diff(a.Quantity.String(), b.Quantity.String()); d != "" {
			t.Errorf("%s is another with forced cold starts (-without +with):\n%s", m, d)
		}
	}
	if len(r.Episodes) != len(before.Episodes) {
		t.Errorf("episodes: %+v", r.Episodes)
	}
	f := r.Find("cold/forced", "forced", "true")
	if f == nil || f.Quantity.Value != 5 {
		t.Fatalf("cold/forced %+v", f)
	}
	if d := cmp.Diff([]string{"4 were served, 1 were not", "1 found a warm instance and are void", "nothing but the plan says of 1 that they were cold", "1 ended as server_error"}, f.Evidence); d != "" {
		t.Errorf("evidence (-want +got):\n%s", d)
	}
	for m, want := range map[string]float64{"cold/wait/p50": 0.47, "cold/failed": 0.2, "cold/start/worst": 0.41, "cold/start/p50": 0.41} {
		if q := r.Find(m, "forced", "true"); q == nil || q.Quantity.Value < want-1e-9 || q.Quantity.Value > want+1e-9 {
			t.Errorf("%s: got %+v, want %g", m, q, want)
		}
	}
	// One of five was never served: nothing bounds the longest wait from above, nor the high quantiles.
	if q := r.Find("cold/wait/worst", "forced", "true").Quantity; q.Lo != .75 || !math.IsInf(q.Hi, 1) || !math.IsNaN(q.Value) {
		t.Errorf("worst wait %s", q)
	}
	if q := r.Find("cold/wait/p50", "forced", "true").Quantity; q.N != 5 || !math.IsInf(q.Hi, 1) || !strings.HasSuffix(q.Method, "1 that were not served wait without end") {
		t.Errorf("median wait %s by %s", q, q.Method)
	}
	for _, s := range r.Starts {
		if s.Instance[0] == 'f' && (!s.Forced || s.Ledger != assay.Planned) {
			t.Errorf("start %+v", s)
		}
	}
	if f := r.Find("cold/start/worst"); f != nil && f.Quantity.N > len(before.Starts) {
		t.Errorf("natural starts: %s", f.Quantity)
	}
	if f := assess(t, &factstest.Run{M: run.M, E: run.E[:2], R: run.R[:50]}, "cold").Find("cold/forced", "forced", "true"); f != nil {
		t.Errorf("without forced starts: %+v", f)
	}
}

// Waits of which more and more were never served.
func TestWaitsWithoutEnd(t *testing.T) {
	for _, c := range []struct {
		bad           int
		p, value, low float64 // NaN: none
	}{{0, .5, 5.5, 2}, {1, .5, 6, 2}, {2, .5, 6.5, 3}, {2, .95, math.NaN(), math.NaN()}, {10, .5, math.NaN(), 6}, {30, .5, math.NaN(), math.NaN()}} {
		f, all := forcedStarts{bad: c.bad}, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		for range c.bad {
			all = append(all, math.Inf(1))
		}
		q := f.quantile(all, c.p)
		if math.IsNaN(c.low) != !q.Known() && c.p == .5 {
			t.Errorf("%d: %s", c.bad, q)
		}
		if q.Known() && (q.Value != c.value && !(math.IsNaN(q.Value) && math.IsNaN(c.value)) || q.Lo != c.low && !math.IsNaN(c.low)) {
			t.Errorf("%d of %d, quantile %g: %s", c.bad, len(all), c.p, q)
		}
	}
}
