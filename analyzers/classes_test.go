package analyzers

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// crowd is ten minutes in which gold sends steadily and free sends three times as much in every other half minute; gold then waits hurt times as long,
// and one in twenty requests of free fails.
func crowd(t *testing.T, hurt float64, seed uint64) *assay.Report {
	t.Helper()
	f := someFacts(nil)
	f.Begin, f.End = ms, 600_000*ms
	f.Phases = []assay.Phase{{Name: "steady", Role: assay.RoleSteady, Begin: ms, End: f.End}}
	f.Segments = []assay.Segment{{Begin: 0, End: f.End, Ledger: assay.Natural}}
	rng := rand.New(rand.NewPCG(seed, 1))
	var block []assay.Request
	for at := int64(ms); at < f.End; at += 50 * ms {
		loud := at/(30_000*ms)%2 == 1
		classes := []string{"gold"}
		if loud || at/(50*ms)%3 == 0 {
			classes = append(classes, "free")
		}
		for _, class := range classes {
			wait := 100e6 * math.Exp(0.3*rng.NormFloat64())
			if loud && class == "gold" {
				wait *= hurt
			}
			r := assay.Request{ID: uint64(len(block) + 1), Phase: "steady", Class: class, Due: at, FirstToken: at + int64(wait), End: at + int64(wait) + ms, Outcome: assay.OK, Cold: assay.ColdNo}
			if class == "free" && rng.Float64() < 0.05 {
				r.Outcome, r.FirstToken = assay.ServerError, 0
			}
			block = append(block, r)
		}
	}
	p := Classes{}.Begin(f)
	p.Requests(block)
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClasses(t *testing.T) {
	r := crowd(t, 1.5, 1)
	if q := r.Find("neighbour/latency", "class", "gold", "by", "free").Quantity; q.Value < 1.4 || q.Value > 1.6 || q.Lo < 1.3 || q.Hi > 1.7 {
		t.Errorf("gold by free: %v", q)
	}
	if q := r.Find("neighbour/latency", "class", "free", "by", "gold").Quantity; q.Known() || !strings.Contains(q.Reason, "the other's load was at least 2 times its usual one in 0 blocks") {
		t.Errorf("free by gold: %v", q)
	}
	worst := r.Find("neighbour/latency")
	if len(worst.Labels) != 0 || math.Abs(worst.Quantity.Value-1.5) > 0.1 || len(worst.Evidence) != 1 || worst.Evidence[0] != "gold waits while free is loud" {
		t.Errorf("the surest: %+v", worst)
	}
	gold, free := r.Find("goodput/ratio", "class", "gold").Quantity, r.Find("goodput/ratio", "class", "free").Quantity
	if gold.Value != 1 || math.Abs(free.Value-0.95) > 0.01 || free.Lo > 0.95 || free.Hi < 0.95 || gold.Lo >= 1 {
		t.Errorf("goodput %v, %v", gold, free)
	}
	if q := r.Find("fairness/goodput").Quantity; math.Abs(q.Value-(1.95*1.95)/(2*(1+0.95*0.95))) > 1e-3 || q.N != 2 || !(q.Lo < q.Value && q.Value < q.Hi) {
		t.Errorf("fairness %v", q)
	}
	if q := r.Find("availability/natural", "class", "gold").Quantity; q.Known() {
		t.Errorf("availability of gold: %v", q)
	}
	if q := r.Find("availability/natural", "class", "free").Quantity; math.Abs(q.Value-0.95) > 0.01 || q.Lo > 0.95 || q.Hi < 0.95 {
		t.Errorf("availability of free: %v", q)
	}
	if q := r.Find("error_ratio", "class", "free").Quantity; math.Abs(q.Value-0.05) > 0.01 {
		t.Errorf("errors of free: %v", q)
	}
}

// Where one class does nothing to the other, the interval of the effect holds 1 as often as it says.
func TestNeighbourCoverage(t *testing.T) {
	runs := 40
	if full() {
		runs = 1000
	}
	missed := 0
	for seed := range runs {
		if q := crowd(t, 1, uint64(seed)+2).Find("neighbour/latency", "class", "gold", "by", "free").Quantity; !q.Known() || q.Lo > 1 || q.Hi < 1 {
			missed++
		}
	}
	// 95 % and five standard deviations.
	if most := 0.05*float64(runs) + 5*math.Sqrt(0.0475*float64(runs)); float64(missed) > most {
		t.Errorf("%d of %d intervals miss 1, want at most %.0f", missed, runs, most)
	}
}

func TestOneClass(t *testing.T) {
	f := someFacts(nil)
	p := Classes{}.Begin(f)
	p.Requests([]assay.Request{{Phase: "steady", Class: "a", Due: 10 * ms, End: 20 * ms, Outcome: assay.OK}})
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"fairness/goodput", "neighbour/latency"} {
		if q := r.Find(m).Quantity; q.Reason != "not measured, because the requests are of one class" {
			t.Errorf("%s: %v", m, q)
		}
	}
	if len(r.Findings) != 2 {
		t.Errorf("%d findings, want 2", len(r.Findings))
	}
}
