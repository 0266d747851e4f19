package analyzers

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// loadOf is a run of one steady phase whose requests, ten a second, end as told: in the given ms, or with an outcome.
func loadOf(planned string, n int, end func(i int) (took int64, o assay.Outcome)) *factstest.Run {
	run := &factstest.Run{M: quiet().M}
	begin, length := sec, int64(n)*100*msec
	run.E = []assay.Event{{Time: begin, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "10", "planned": planned}},
		{Time: begin + length, Kind: assay.EventPhaseEnd, Phase: "steady"}}
	for i := range n {
		took, o := end(i)
		due := begin + int64(i)*100*msec
		r := assay.Request{ID: uint64(i + 1), Phase: "steady", Due: due, Sent: due, End: due + took*msec, Outcome: o, Cold: assay.ColdNo}
		if o == assay.OK {
			r.FirstByte, r.FirstToken, r.TokensOut = due+took*msec/2, due+took*msec/2, 2
		}
		if o == assay.RefusedByCap {
			r.Sent = 0
		}
		run.R = append(run.R, r)
	}
	return run
}

// TestGoodput: every planned request is good or has one cause, those that were never sent too.
func TestGoodput(t *testing.T) {
	run := loadOf("250", 200, func(i int) (int64, assay.Outcome) {
		switch i % 20 {
		case 3:
			return 900, assay.OK // its first token comes after 450 ms
		case 7:
			return 500, assay.OK // its end after 500 ms
		case 11:
			return 5, assay.Throttled
		case 15:
			return 5, assay.RefusedByCap
		case 16, 17:
			return 30, assay.Unavailable
		}
		return 100, assay.OK
	})
	run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: float(.4)}, {Metric: "e2e/p95", Max: float(.45)}, {Metric: "goodput/ratio", Min: float(.9)}}
	r := assess(t, run, "goodput", "slowest", "validity")
	got := map[string]float64{}
	for _, f := range r.Findings {
		if f.Metric == "goodput/missed" && f.Labels["phase"] == "steady" {
			got[f.Labels["cause"]] = f.Quantity.Value
		}
	}
	want := map[string]float64{"": 110, "ttft/p95": 10, "e2e/p95": 10, "throttled": 10, "refused_by_cap": 10, "unavailable": 20, "unsent": 50}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, labels := range [][]string{nil, {"phase", "steady"}} {
		f := r.Find("goodput/ratio", labels...)
		if q := f.Quantity; math.Abs(q.Value-140./250) > 1e-12 || q.N != 250 || !(q.Lo < q.Value && q.Value < q.Hi) {
			t.Errorf("%s", q)
		}
		said := "50 not sent: the phase was cut short, 20 unavailable, 10 missed e2e/p95 ≤ 0.45 s, 10 refused by our own cap, 10 throttled, 10 missed ttft/p95 ≤ 0.4 s"
		if d := cmp.Diff([]string{said}, f.Evidence); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	if v := assay.Judge(r.Objectives[2].Quantity, .9, 1); v != assay.VerdictFail {
		t.Errorf("56 %% against at least 90 %%: %s", v)
	}
	if s := r.Slowest[0]; s.Missed != "ttft/p95" || s.Outcome != assay.OK {
		t.Errorf("slowest %+v, want one that missed ttft", s)
	}
	none := assess(t, &factstest.Run{M: quiet().M}, "goodput").Find("goodput/ratio")
	if none == nil || none.Quantity.Known() {
		t.Errorf("%+v of no load", none)
	}
}

// TestGoodputOutsideFaults: what a fault cost is told apart from what is said of the service.
func TestGoodputOutsideFaults(t *testing.T) {
	const first, after = 100, 120 // requests due while the fault was in force
	run := loadOf("210", 200, func(i int) (int64, assay.Outcome) {
		if i >= first && i < after {
			return 5, assay.Reset
		}
		return 50, assay.OK
	})
	at := func(i int) int64 { return sec + int64(i)*100*msec }
	for _, e := range []assay.Event{{Time: at(first), Kind: assay.EventFaultArmed, Attrs: map[string]string{"kind": "hang", "target": "w-1"}}, {Time: at(first), Kind: assay.EventFaultApplied},
		{Time: at(after), Kind: assay.EventFaultReverted}, {Time: at(after), Kind: assay.EventFaultClear}} {
		e.Fault = "f1"
		run.E = append(run.E, e)
	}
	r := assess(t, run, "goodput", "load")
	natural, steady := r.Find("goodput/ratio"), r.Find("goodput/ratio", "phase", "steady")
	injected, hang := r.Find("goodput/ratio", "ledger", "injected"), r.Find("goodput/ratio", "ledger", "injected", "fault", "hang")
	for _, f := range []*assay.Finding{natural, steady} {
		if q := f.Quantity; f.Ledger != assay.Natural || q.N+injected.Quantity.N != 210 || q.N > 190 || math.Abs(q.Value-(1-10/float64(q.N))) > 1e-12 || f.Evidence[0] != "10 not sent: the phase was cut short" ||
			!strings.Contains(q.Method, "outside fault windows and washouts") {
			t.Errorf("natural %s %s by %s, %v", f.Ledger, q, q.Method, f.Evidence)
		}
	}
	for _, f := range []*assay.Finding{injected, hang} {
		if q := f.Quantity; f.Ledger != assay.Injected || q.N < after-first || math.Abs(q.Value-(1-float64(after-first)/float64(q.N))) > 1e-12 || f.Evidence[0] != "20 reset" {
			t.Errorf("injected %s %s, %v", f.Ledger, q, f.Evidence)
		}
	}
	if f := r.Find("goodput"); f.Ledger != assay.Natural || math.Abs(f.Quantity.Value-10) > 1e-9 {
		t.Errorf("goodput %s %s, want the 10/s that were offered", f.Ledger, f.Quantity)
	}
	if q := r.Find("load/sent").Quantity; q.N != 200 {
		t.Errorf("sent %s, want what was sent under the fault too", q)
	}
}

// TestGoodputCoverage: the interval covers the share in the long run, also where misses come in clusters.
func TestGoodputCoverage(t *testing.T) {
	times := 100
	if full() {
		times = 2000
	}
	for _, length := range []float64{1, 5, 20, 50} { // mean length of a stretch of misses
		const bad, n = .1, 2000
		rng := rand.New(rand.NewPCG(2, uint64(length)))
		hit := 0
		for range times {
			var c goodCount
			missed := rng.Float64() < bad
			for range n {
				if c.add(missed); !missed {
					c.good++
				}
				if missed {
					missed = rng.Float64() >= 1/length
				} else {
					missed = rng.Float64() < bad/(1-bad)/length
				}
				if length == 1 {
					missed = rng.Float64() < bad
				}
			}
			q := goodRatio(&c)
			if q.Lo <= 1-bad && 1-bad <= q.Hi {
				hit++
			}
		}
		got := float64(hit) / float64(times)
		t.Logf("misses %g at a time: coverage %.3f", length, got)
		const nominal = .95
		if least := nominal - 3.1*math.Sqrt(nominal*(1-nominal)/float64(times)); got < least {
			t.Errorf("misses %g at a time: coverage %.3f, want at least %.3f", length, got, least)
		}
	}
}
