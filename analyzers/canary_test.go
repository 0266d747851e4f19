package analyzers

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// ridden is a quiet run with a canary each second, whose answer wrong says is wrong.
func ridden(wrong func(at int64) assay.Outcome) *factstest.Run {
	run := quiet()
	run.M.Canary = sec
	begin := run.R[0].Due
	for i := int64(0); i < 40; i++ {
		due := begin + i*sec + 1
		c := assay.Request{ID: uint64(100000 + i), Phase: "steady", Class: assay.ClassCanary, Canary: true, Due: due, Sent: due, FirstByte: due + msec, FirstToken: due + msec,
			End: due + 2*msec, Status: 200, Outcome: wrong(i)}
		if c.Outcome == assay.WrongContent {
			c.Error = "answer lacks the expected text"
		}
		run.R = append(run.R, c)
	}
	slices.SortFunc(run.R, func(a, b assay.Request) int { return int(a.Due - b.Due) })
	return run
}

var withCanary = append(slices.Clone(reliability), "canary", "timeline", "cold")

// Quick garbage is a failure: it makes an episode and costs availability, and nothing that is measured of the load.
func TestGarbageIsAFailure(t *testing.T) {
	well := assess(t, ridden(func(int64) assay.Outcome { return assay.OK }), withCanary...)
	ill := assess(t, ridden(func(i int64) assay.Outcome {
		if i >= 10 && i < 20 {
			return assay.WrongContent
		}
		return assay.OK
	}), withCanary...)
	for _, m := range []string{"goodput", "load/offered", "load/sent", "ttft/p50", "e2e/p90", "cold/share"} {
		a, b := well.Find(m), ill.Find(m)
		if a == nil || b == nil {
			continue
		}
		if a.Quantity.Value != b.Quantity.Value || a.Quantity.N != b.Quantity.N {
			t.Errorf("%s: %s became %s by the canary's answers", m, a.Quantity, b.Quantity)
		}
	}
	if n := len(well.Episodes); n != 0 {
		t.Errorf("%d episodes of a canary that is well: %+v", n, well.Episodes)
	}
	if len(ill.Episodes) != 1 {
		t.Fatalf("episodes: %+v", ill.Episodes)
	}
	begin := ill.Begin
	e := ill.Episodes[0]
	if e.Subject != assay.Service || e.Ledger != assay.Natural || e.Cause != "wrong_content" || e.Lost != 10 || (e.Begin-begin+msec)/sec != 10 || (e.End-begin+msec)/sec != 19 || (e.EndHi-begin+msec)/sec != 20 {
		t.Errorf("episode: %+v, begin %d", e, begin)
	}
	a := ill.Find("availability/natural", "by", "request")
	if q := a.Quantity; !(q.Value < 0.99) || q.N != 1 || len(a.Warnings) == 0 || !strings.Contains(a.Warnings[len(a.Warnings)-1], "judge nothing: their content was not looked into") {
		t.Errorf("availability by request %s %v", q, a.Warnings)
	}
	if q := ill.Find("availability/natural", "by", "time").Quantity; math.Abs(q.Value-5.0/6) > 0.01 {
		t.Errorf("availability by time %s, want about 50 of 60 s", q)
	}
	if f := ill.Find("canary/wrong"); f.Quantity.Value != 0.25 || f.Quantity.N != 40 || f.Evidence[0] != "10 of 40, the first due at 10 s: answer lacks the expected text" {
		t.Errorf("canary/wrong %+v", f)
	}
	if f := ill.Find("canary/first_wrong"); math.Abs(f.Quantity.Value-10) > 0.05 || math.Abs(f.Quantity.Lo-9) > 0.05 {
		t.Errorf("canary/first_wrong %s", f.Quantity)
	}
	if q := ill.Find("mtbf/service").Quantity; q.N != 1 {
		t.Errorf("MTBF %s", q)
	}
}

// One wrong answer is an error, not an outage, and a run without a canary says nothing of one.
func TestCanaryAlone(t *testing.T) {
	r := assess(t, ridden(func(i int64) assay.Outcome {
		switch i {
		case 5:
			return assay.WrongContent
		case 6:
			return assay.Throttled
		}
		return assay.OK
	}), withCanary...)
	if len(r.Episodes) != 0 || r.Find("canary/wrong").Quantity.Value != 1.0/39 {
		t.Errorf("episodes %+v, wrong %s", r.Episodes, r.Find("canary/wrong").Quantity)
	}
	if f := r.Find("canary/failed"); f.Quantity.N != 39 || len(f.Warnings) != 1 {
		t.Errorf("failed %+v", f)
	}
	if f := assess(t, quiet(), withCanary...).Find("canary/wrong"); f != nil {
		t.Errorf("without a canary: %+v", f)
	}
}

// What canaries met in a fault is told apart from what they met besides.
func TestCanaryOutsideFaults(t *testing.T) {
	run := ridden(func(i int64) assay.Outcome {
		if i == 20 || i == 35 {
			return assay.WrongContent
		}
		return assay.OK
	})
	at := func(i int64) int64 { return run.R[0].Due + i*sec }
	for _, e := range []assay.Event{{Time: at(20), Kind: assay.EventFaultArmed, Attrs: map[string]string{"kind": "hang", "target": "w-1"}}, {Time: at(20), Kind: assay.EventFaultApplied},
		{Time: at(22), Kind: assay.EventFaultReverted}, {Time: at(22), Kind: assay.EventFaultClear}} {
		e.Fault = "f1"
		run.E = append(run.E, e)
	}
	r := assess(t, run, "canary")
	bare, natural, injected := r.Find("canary/wrong"), r.Find("canary/wrong", "ledger", "natural"), r.Find("canary/wrong", "ledger", "injected")
	if bare.Ledger != assay.Natural || bare.Evidence[0] != natural.Evidence[0] || bare.Quantity.N+injected.Quantity.N != 40 || math.Abs(bare.Quantity.Value*float64(bare.Quantity.N)-1) > 1e-9 {
		t.Errorf("bare %s %s %v", bare.Ledger, bare.Quantity, bare.Evidence)
	}
	if q := injected.Quantity; injected.Ledger != assay.Injected || math.Abs(q.Value*float64(q.N)-1) > 1e-9 || q.N > 20 {
		t.Errorf("injected %s %s", injected.Ledger, q)
	}
	if f := r.Find("canary/first_wrong"); math.Abs(f.Quantity.Value-35) > .1 {
		t.Errorf("first wrong at %s, want that outside the fault", f.Quantity)
	}
}
