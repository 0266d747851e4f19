package analyzers

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/timeset"
)

// TestExposure: what the report leaves for those who add runs up is what the MTBF of the run was divided by.
func TestExposure(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 9))
		d := gameDay()
		d.Faults = append(d.Faults, factstest.Fault{Kind: "hang", At: 100 * sec, For: 3 * sec, Detect: sec, Eject: sec, Start: 3 * sec})
		d.Rate = 1 + 9*rng.Float64()
		run, _ := d.Simulate(rng)
		if seed%2 == 1 { // the same failures, of themselves
			var kept []assay.Event
			for _, e := range run.E {
				if e.Fault == "" {
					kept = append(kept, e)
				}
			}
			run.E = kept
		}
		r := assess(t, run, "episodes", "mtbf", "exposure")
		sums := map[assay.Subject]int64{}
		for _, e := range r.Exposure {
			sums[e.Subject] += e.Time
			if got := timeset.Length(e.In); got != e.Time {
				t.Errorf("seed %d: %s %s lies in %d ns and lasts %d", seed, e.Subject, e.Unit, got, e.Time)
			}
		}
		for _, s := range []assay.Subject{assay.Service, assay.InstanceOf} {
			q := r.Find("mtbf/" + string(s)).Quantity
			want := q.Value * float64(q.N)
			if q.N == 0 {
				want = q.Lo * math.Log(20)
			}
			if got := seconds(sums[s]); math.Abs(got-want) > 0.02*want {
				t.Errorf("seed %d: %s exposed for %g s, and its MTBF %v rests on %g s", seed, s, got, q, want)
			}
		}
	}
}

func TestNoExposure(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Untimed = true
	if r := assess(t, run, "episodes", "exposure"); r.Exposure == nil || len(r.Exposure) != 0 {
		t.Errorf("a source that tells no time gave %v", r.Exposure)
	}
}
