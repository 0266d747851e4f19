package analyzers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// searched is a run of a search whose steps are queues: an open M/M/c queue with the given rate of service for each, at each rate for length.
func searched(rng *rand.Rand, rates []float64, servers int, service func(busy int) float64, length int64) *factstest.Run {
	run := &factstest.Run{M: quiet().M}
	at := sec
	id := uint64(0)
	for i, rate := range rates {
		name := fmt.Sprintf("knee/%d", i+1)
		begin := at
		run.E = append(run.E, assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Phase: name, Attrs: map[string]string{"role": "stress", "rate": fmt.Sprint(rate), "of": "knee", "step": fmt.Sprint(i + 1)}})
		free := make([]int64, servers)
		last := begin
		for due := begin; ; {
			if due += int64(rng.ExpFloat64() / rate * 1e9); due >= begin+length {
				break
			}
			j, busy := 0, 0
			for k := range free {
				if free[k] < free[j] {
					j = k
				}
				if free[k] > due {
					busy++
				}
			}
			begun := max(due, free[j])
			free[j] = begun + int64(rng.ExpFloat64()*service(busy)*1e9)
			id++
			run.R = append(run.R, assay.Request{ID: id, Phase: name, Due: due, Sent: due, FirstByte: free[j], FirstToken: free[j], End: free[j], Outcome: assay.OK, Cold: assay.ColdNo, TokensOut: 1})
			last = max(last, free[j])
		}
		run.E = append(run.E, assay.Event{Time: begin + length, Kind: assay.EventPhaseEnd, Phase: name, Attrs: map[string]string{"role": "stress"}})
		at = max(begin+length, last)
	}
	return run
}

// TestScalabilityOfAQueue: M/M/1 is the law with lambda = mu/2 and sigma = 1/2, and its power is largest at half its capacity.
func TestScalabilityOfAQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	run := searched(rng, []float64{4, 8, 12, 16, 20, 24, 28, 32, 36}, 1, func(int) float64 { return .025 }, 120*sec)
	r := assess(t, run, "scalability")
	for _, c := range []struct {
		metric string
		lo, hi float64 // bounds of the value
		truth  float64 // must lie in the interval
	}{{"usl/lambda", 16, 25, 20}, {"usl/sigma", .4, .6, .5}, {"limit/knee", 12, 28, 20}} {
		q := r.Find(c.metric).Quantity
		if !(q.Value >= c.lo && q.Value <= c.hi) || q.Lo > c.truth || q.Hi < c.truth || q.N != 9 {
			t.Errorf("%s: %s, want %g", c.metric, q, c.truth)
		}
	}
	if q := r.Find("usl/peak").Quantity; q.Known() && q.Value < 30 {
		t.Errorf("peak %s of a queue that has none", q)
	}
	if len(r.Series) != 2 || r.Series[0].Kind != "scatter" || len(r.Series[0].Values) != 9 || len(r.Series[1].Values) != uslPoints {
		t.Errorf("%d series", len(r.Series))
	}
}

// A target whose work takes longer the more it has in hand has a peak.
func TestScalabilityPeak(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	// With b in hand it serves b/(.05·(1 + .01b + .004b²)) a second: 147 at the peak, with 16 in hand.
	run := searched(rng, []float64{20, 40, 60, 80, 100, 120, 135, 150, 165}, 64, func(busy int) float64 { return .05 * (1 + .01*float64(busy) + .004*float64(busy*busy)) }, 5*sec)
	r := assess(t, run, "scalability")
	q, n := r.Find("usl/peak").Quantity, r.Find("usl/peak/concurrency").Quantity
	if !q.Known() || !(q.Lo < q.Value && q.Value < q.Hi) || q.Value < 110 || q.Value > 190 || !n.Known() || n.Value < 8 || n.Value > 40 {
		t.Errorf("peak %s at %s", q, n)
	}
	if q := r.Find("usl/kappa").Quantity; !q.Known() || q.Value <= 0 {
		t.Errorf("kappa %s", q)
	}
}

func TestScalabilityNeedsSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	few := assess(t, searched(rng, []float64{4, 8, 12, 12}, 1, func(int) float64 { return .025 }, 30*sec), "scalability")
	if q := few.Find("usl/sigma").Quantity; q.Reason != "not estimable, because the law of scalability: it needs steps at 5 different rates at least, in which 95 % of the requests were served, and there are 3" {
		t.Errorf("%s", q)
	}
	if q := few.Find("limit/knee").Quantity; !q.Known() || !math.IsInf(q.Hi, 1) || len(few.Find("limit/knee").Warnings) == 0 {
		t.Errorf("knee %s of steps that are all before it", q)
	}
	// Throughput that has nothing to do with concurrency fits no law.
	noise := searched(rng, []float64{4, 8, 12, 16, 20, 24}, 1, func(int) float64 { return .01 + .4*rng.Float64()*rng.Float64() }, 10*sec)
	if q := assess(t, noise, "scalability").Find("usl/sigma").Quantity; q.Known() && q.Hi-q.Lo < .05 {
		t.Errorf("sigma %s of noise", q)
	}
	none := assess(t, &factstest.Run{M: quiet().M}, "scalability")
	for _, m := range []string{"usl/sigma", "limit/knee"} {
		if q := none.Find(m).Quantity; q.Known() || q.N != 0 {
			t.Errorf("%s %s without a search", m, q)
		}
	}
}
