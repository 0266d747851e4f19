package analyzers

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Whatever the platform did, the stages of a natural failure sum to it, to the nanosecond, and its begin lies between the last good and the first lost request.
func TestStagesOfNaturalFailuresSum(t *testing.T) {
	n := 30
	if full() {
		n = 1000
	}
	seen, split, unverified, open, unseen := 0, 0, 0, 0, 0
	ns := func(q assay.Quantity) int64 { return int64(q.Value*1e9 + 0.5) }
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 41))
		run, truth := factstest.Deployment{Rate: 2 + 10*rng.Float64(), For: 90 * sec, MTBF: 15, MTTR: 4, Tokens: 1}.Simulate(rng)
		for _, o := range truth.Outages {
			if rng.IntN(3) == 0 {
				continue
			}
			at := o.Begin + rng.Int64N(3*sec)
			run.E = append(run.E, happened(at, assay.EventInstanceProbe, "w-1", "simulation", 0, "ok", "false"),
				happened(at+rng.Int64N(sec), assay.EventInstanceUnready, "w-1", "simulation", 0), happened(at+2*sec, assay.EventInstanceReady, "w-1", "simulation", 0))
		}
		slices.SortStableFunc(run.E, func(a, b assay.Event) int { return int(min(1, max(-1, a.Time-b.Time))) })
		r := assess(t, run, "episodes", "mtbf")
		i := 0
		for _, e := range r.Episodes {
			if e.Subject != assay.Service || e.Ledger != assay.Natural {
				continue
			}
			x := r.Repairs[i]
			i++
			seen++
			if x.Begin != e.Begin || x.Cause != e.Cause {
				t.Fatalf("seed %d: repair of %d, %s for an episode of %d, %s", seed, x.Begin, x.Cause, e.Begin, e.Cause)
			}
			if e.RightCensored {
				open++
				continue
			}
			sum := ns(x.Down)
			if x.Detect.Known() {
				if stages := ns(x.Detect) + ns(x.Isolate) + ns(x.Restore); stages != sum {
					t.Errorf("seed %d: %s + %s + %s is not %s", seed, x.Detect, x.Isolate, x.Restore, x.Down)
				}
			} else if unseen++; x.Detect.Reason != "not measured, because no reaction of the platform was seen in it" || x.Isolate.Known() || x.Restore.Known() {
				t.Errorf("seed %d: %s, %s, %s where nothing reacted", seed, x.Detect, x.Isolate, x.Restore)
			}
			if x.Verify.Known() {
				sum += ns(x.Verify)
			} else {
				unverified++
			}
			if sum != ns(x.Total) {
				t.Errorf("seed %d: %s + %s is not %s", seed, x.Down, x.Verify, x.Total)
			}
			if wide := int64((x.Total.Hi-x.Total.Value)*1e9 + 0.5); wide != e.Begin-e.BeginLo || x.Detect.Lo < 0 || x.Isolate.Lo < 0 || x.Restore.Lo < 0 {
				t.Errorf("seed %d: total %s of an episode that began in %d ns; %s, %s, %s", seed, x.Total, e.Begin-e.BeginLo, x.Detect, x.Isolate, x.Restore)
			}
			if x.Isolate.Value > 0 && x.Restore.Value > 0 {
				split++
			}
		}
		if i != len(r.Repairs) {
			t.Errorf("seed %d: %d repairs of %d failures", seed, len(r.Repairs), i)
		}
	}
	if seen < 50 || split == 0 || unverified+open == 0 || unseen == 0 {
		t.Errorf("%d failures, %d split, %d unverified, %d open: too tame a test", seen, split, unverified, open)
	}
}
