package analyzers

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// stepping is a phase of a hundred minutes at 1/s whose latency is what factor says at a share of it, with lognormal noise; of an outcome that fails says.
func stepping(rng *rand.Rand, gap func(share float64) float64, factor func(share float64) float64, fails func(share float64) float64) (*assay.Facts, []assay.Request) {
	const length = 6000 * sec
	var list []assay.Request
	for due := float64(sec); due < float64(sec+length); {
		share := (due - float64(sec)) / float64(length)
		due += gap(share) * 1e9 * rng.ExpFloat64()
		e2e := 0.2 * factor(share) * math.Exp(0.3*rng.NormFloat64())
		r := assay.Request{Phase: "s", Due: int64(due), Sent: int64(due), End: int64(due + 1e9*e2e), Outcome: assay.OK}
		if rng.Float64() < fails(share) {
			r.Outcome = assay.ServerError
		}
		list = append(list, r)
	}
	return &assay.Facts{Begin: sec, Phases: []assay.Phase{{Name: "s", Role: assay.RoleSteady, Begin: sec, End: sec + length}}}, list
}

func flat(v float64) func(float64) float64 { return func(float64) float64 { return v } }

func stepAt(at, before, after float64) func(float64) float64 {
	return func(share float64) float64 {
		if share < at {
			return before
		}
		return after
	}
}

// TestStepsOfAPhase: a step is told with its place and size and blinds no drift; a slope is a drift and no step; a step of the load alone is none of what was served.
func TestStepsOfAPhase(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 5))
	for _, c := range []struct {
		name               string
		gap, factor, fails func(float64) float64
		of                 string
		block              int
		size               float64
		drift              string // how the drift of e2e begins where it is not known
	}{
		{"half-way", flat(1), stepAt(0.5, 1, 1.3), flat(0), "e2e", 51, 0.3, "not estimable, because its level changed in 1 step and not steadily: the first 50m0s into the phase, see change/e2e"},
		{"late", flat(1), stepAt(0.7, 1, 1.3), flat(0), "e2e", 71, 0.3, "not estimable, because its level changed in 1 step and not steadily: the first 1h10m0s"},
		{"errors", flat(1), flat(1), stepAt(0.5, 0.01, 0.2), "error_ratio", 51, 0.19, ""},
		{"load", stepAt(0.5, 1, 0.5), flat(1), flat(0), "", 0, 0, ""},
		{"none", flat(1), flat(1), flat(0.02), "", 0, 0, ""},
		{"slope", flat(1), func(share float64) float64 { return 1 + 0.4*share }, flat(0), "", 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, list := stepping(rng, c.gap, c.factor, c.fails)
			r := drift(t, f, list)
			if c.of == "" {
				if len(r.Changes) > 0 {
					t.Errorf("steps %+v where there are none", r.Changes)
				}
				if q := r.Find("drift/e2e", "phase", "s").Quantity; !q.Known() || c.name == "slope" && (q.Lo <= 0 || math.Abs(q.Value-0.33) > 0.1) {
					t.Errorf("drift %s", q)
				}
				if q := r.Find("change/e2e").Quantity; c.name != "slope" && (!q.Known() || q.Value != 0 || q.Lo >= 0 || q.Hi <= 0 || q.Hi > 0.2) {
					t.Errorf("change %s", q)
				}
				return
			}
			var found *assay.PhaseStep
			for i := range r.Changes {
				if x := &r.Changes[i]; x.Of == c.of {
					found = x
				}
			}
			if found == nil || max(found.Block-c.block, c.block-found.Block) > 1 || found.Blocks != 100 || found.At != sec+int64(found.Block-1)*60*sec || found.P > 1e-6 || found.Size.Lo > c.size+0.03 || found.Size.Hi < c.size-0.03 || found.Size.Lo <= 0 ||
				found.Before.Hi >= found.After.Lo {
				t.Fatalf("found %+v, want a step of %g at block %d", found, c.size, c.block)
			}
			if q := r.Find("change/"+c.of, "phase", "s").Quantity; q.Value != found.Size.Value {
				t.Errorf("change %s, step %s", q, found.Size)
			}
			if q := r.Find("drift/e2e", "phase", "s").Quantity; c.drift != "" && !strings.HasPrefix(q.Reason, c.drift) {
				t.Errorf("drift %s, want %s", q, c.drift)
			}
		})
	}
}

// TestStepsAreRareWithoutOne: of steady runs, all series together, at most one in a hundred tells a step.
func TestStepsAreRareWithoutOne(t *testing.T) {
	runs := 20
	if full() {
		runs = 400
	}
	rng := rand.New(rand.NewPCG(9, 5))
	wrong := 0
	for range runs {
		f, list := stepping(rng, flat(1), flat(1), flat(0.02))
		f.Metrics = memories{"process_resident_memory_bytes": {"i0": func(float64) float64 { return 4e9 + 5e7*rng.NormFloat64() }, "i1": func(float64) float64 { return 4e9 + 5e7*rng.NormFloat64() }}}
		if len(drift(t, f, list).Changes) > 0 {
			wrong++
		}
	}
	t.Logf("%d of %d", wrong, runs)
	if float64(wrong) > 0.01*float64(runs)+3*math.Sqrt(0.01*float64(runs)) {
		t.Errorf("steps in %d of %d runs without one", wrong, runs)
	}
}

// A step of memory is told with its instance and time.
func TestStepsOfMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 5))
	f := hours(4, memories{"process_resident_memory_bytes": {"i0": func(t float64) float64 { return stepAt(7200, 4e9, 5e9)(t) + 5e7*rng.NormFloat64() }, "i1": func(float64) float64 { return 4e9 + 5e7*rng.NormFloat64() }}})
	r := drift(t, f, nil)
	if len(r.Changes) != 1 || r.Changes[0].Of != "memory" || r.Changes[0].Labels["series"] != "process_resident_memory_bytes{pod=i0}" || math.Abs(seconds(r.Changes[0].At)-7200) > 200 ||
		math.Abs(r.Changes[0].Size.Value-1e9) > 5e7 || r.Changes[0].Size.Unit != assay.Bytes {
		t.Fatalf("steps %+v, want one of 1 GB at 2 h of i0", r.Changes)
	}
	if q := r.Find("change/memory").Quantity; q.Value != r.Changes[0].Size.Value {
		t.Errorf("change %s", q)
	}
}
