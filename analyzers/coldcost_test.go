package analyzers

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// coldMix is 4000 requests of which one start in every 400 holds ten, with labels or without.
func coldMix(t *testing.T, labelled bool, objectives ...assay.Objective) *assay.Report {
	t.Helper()
	f := someFacts(nil)
	f.Manifest.Objectives = objectives
	f.Phases = nil
	f.End = 4001 * 10 * ms
	f.Segments = []assay.Segment{{Begin: 0, End: f.End, Ledger: assay.Natural}}
	rng := rand.New(rand.NewPCG(7, 8))
	block := make([]assay.Request, 4000)
	for i := range block {
		due := int64(i+1) * 10 * ms
		block[i] = assay.Request{ID: uint64(i + 1), Due: due, Outcome: assay.OK, Cold: assay.ColdNo, FirstToken: due + int64(50e6*math.Exp(0.2*rng.NormFloat64()))}
		if i%400 < 10 {
			block[i].Cold, block[i].FirstToken = assay.ColdYes, due+int64(3e9*math.Exp(0.3*rng.NormFloat64()))
		}
		block[i].End = block[i].FirstToken + 10*ms
		if !labelled {
			block[i].Cold = assay.ColdUnknown
		}
	}
	block[77].Outcome = assay.ServerError
	p := ColdCost{}.Begin(f)
	p.Requests(block)
	r := &assay.Report{}
	for range 10 {
		r.Starts = append(r.Starts, assay.Start{Held: 10})
	}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestColdCost(t *testing.T) {
	max := 0.5
	r := coldMix(t, true, assay.Objective{Metric: "ttft/p95", Max: &max})
	if q := r.Find("cold/flip").Quantity; q.Value != 0.975 || q.N != 10 || q.Lo > 0.96 || q.Hi < 0.985 || q.Hi >= 1 {
		t.Errorf("flip %v", q)
	}
	if q := r.Find("cold/p99/added").Quantity; q.Value < 2.5 || q.Value > 4 || !(q.Lo < q.Value && q.Value < q.Hi) || q.Confidence < 0.9 {
		t.Errorf("added %v", q)
	}
	if q := r.Find("cold/missed").Quantity; math.Abs(q.Value-100.0/101) > 1e-12 || q.N != 101 {
		t.Errorf("missed %v", q)
	}
	f := r.Find("cold/mixture")
	if q := f.Quantity; math.Abs(q.Value-0.025) > 0.001 || q.Lo > 0.025 || q.Hi < 0.025 || len(f.Warnings) != 0 {
		t.Errorf("mixture %v, %v", q, f.Warnings)
	}
}

// Without labels the mixture alone tells, and the others say why not.
func TestColdCostWithoutLabels(t *testing.T) {
	r := coldMix(t, false)
	if q := r.Find("cold/mixture").Quantity; math.Abs(q.Value-0.025) > 0.001 {
		t.Errorf("mixture %v", q)
	}
	for _, m := range []string{"cold/flip", "cold/p99/added", "cold/missed"} {
		if q := r.Find(m).Quantity; q.Reason != "not measured, because no request's cold state is known" {
			t.Errorf("%s %v", m, q)
		}
	}
}

// One kind of answer is no mixture, and a label that is wrong is doubted.
func TestColdCostDoubts(t *testing.T) {
	f := someFacts(nil)
	f.Phases = nil
	f.Segments = []assay.Segment{{Begin: 0, End: 1 << 60, Ledger: assay.Natural}}
	rng := rand.New(rand.NewPCG(9, 8))
	for _, tc := range []struct {
		slow, cold int // requests in a hundred
		reason     string
		doubt      string
	}{{0, 0, "not fall into two groups", ""}, {10, 10, "", ""}, {10, 2, "", "not all that is slow is a cold start"}} {
		p := ColdCost{}.Begin(f)
		block := make([]assay.Request, 3000)
		for i := range block {
			due := int64(i+1) * 10 * ms
			wait := 50e6 * math.Exp(0.2*rng.NormFloat64())
			if i%100 < tc.slow {
				wait *= 30
			}
			block[i] = assay.Request{Due: due, Outcome: assay.OK, Cold: assay.ColdNo, FirstToken: due + int64(wait), End: due + int64(wait)}
			if i%100 < tc.cold {
				block[i].Cold = assay.ColdYes
			}
		}
		p.Requests(block)
		r := &assay.Report{}
		if err := p.Finish(r); err != nil {
			t.Fatal(err)
		}
		got := r.Find("cold/mixture")
		if !strings.Contains(got.Quantity.Reason, tc.reason) || (tc.reason == "") != got.Quantity.Known() || !strings.Contains(strings.Join(got.Warnings, ";"), tc.doubt) || (tc.doubt == "") != (len(got.Warnings) == 0) {
			t.Errorf("%d slow, %d cold: %v, %v", tc.slow, tc.cold, got.Quantity, got.Warnings)
		}
	}
}
