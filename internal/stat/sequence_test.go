package stat

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// noises are differences of two blocks around no change, from tame to wild.
var noises = []struct {
	name string
	draw func(r *rand.Rand, i int) float64
}{
	{"normal", func(r *rand.Rand, _ int) float64 { return 0.05 * r.NormFloat64() }},
	{"tiny", func(r *rand.Rand, _ int) float64 { return 1e-4 * r.NormFloat64() }},
	{"wide", func(r *rand.Rand, _ int) float64 { return r.NormFloat64() }},
	{"cauchy", func(r *rand.Rand, _ int) float64 { return 0.02 * r.NormFloat64() / r.NormFloat64() }},
	{"two levels", func(r *rand.Rand, _ int) float64 { return 0.2*float64(2*r.IntN(2)-1) + 0.01*r.NormFloat64() }},
	{"growing", func(r *rand.Rand, i int) float64 { return 0.002 * float64(i+1) * r.NormFloat64() }},
}

// wrong looks after each difference whether the truth is refused, from below and from above.
func wrong(s *Sequence, truth float64, looks int, draw func(i int) float64) (above, below bool) {
	goal := -math.Log(s.Alpha)
	for i := range looks {
		s.Add(draw(i))
		above = above || s.Evidence(truth, false) >= goal
		below = below || s.Evidence(truth, true) >= goal
	}
	return above, below
}

// Looked at after each difference, a bound is wrong at any time no more often than Alpha, over 1,000 races of each kind. The true centre is the margin itself, where
// false failures are likeliest, and the evidence asked for the bounds.
func TestSequenceHoldsAtEveryLook(t *testing.T) {
	races, looks := 1000, 20
	if os.Getenv("ASSAY_FULL") != "" {
		races, looks = 2000, 150
	}
	const alpha, truth = 0.05, 0.0488
	for k, noise := range noises {
		r := rand.New(rand.NewPCG(uint64(k), 3))
		above, below := 0, 0
		for range races {
			a, b := wrong(&Sequence{Alpha: alpha}, truth, looks, func(i int) float64 { return truth + noise.draw(r, i) })
			if a {
				above++
			}
			if b {
				below++
			}
		}
		limit := int(alpha*float64(races) + 3*math.Sqrt(alpha*(1-alpha)*float64(races)))
		t.Logf("%s: wrong above %d and below %d times in %d", noise.name, above, below, races)
		if above > limit || below > limit {
			t.Errorf("%s: the bound was wrong %d and %d times in %d races, want at most %d", noise.name, above, below, races, limit)
		}
	}
}

// The bounds are where the evidence is enough, at the best look there was.
func TestSequenceBoundsAreTheEvidence(t *testing.T) {
	for k, noise := range noises {
		r := rand.New(rand.NewPCG(uint64(k), 4))
		for range 5 {
			s := Sequence{Alpha: 0.2}
			centre := 0.02 * r.NormFloat64()
			above, below := wrong(&s, centre, 20, func(i int) float64 { return noise.draw(r, i) })
			if in := s.Bounds(); above != (in.Lo >= centre) || below != (in.Hi <= centre) || in.Lo > in.Hi && !(above && below) {
				t.Errorf("%s: %v refused from below %v, from above %v, and bounds are %+v", noise.name, centre, above, below, in)
			}
		}
	}
}

// A bound on what is rare and comes in bursts holds for the mean, which symmetric bets would not.
func TestSequenceBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	above, below := 0, 0
	for range 1000 {
		a, b := wrong(&Sequence{Alpha: 0.05, Bounded: true}, 0.02, 40, func(int) float64 {
			if r.IntN(20) == 0 {
				return 0.4 // mean 0.02
			}
			return 0
		})
		if a {
			above++
		}
		if b {
			below++
		}
	}
	if above > 70 || below > 70 {
		t.Errorf("the bound was wrong %d times above and %d below of 1000, want at most 70", above, below)
	}
}

func TestSequenceFindsWhatIsThere(t *testing.T) {
	for _, test := range []struct {
		name           string
		change, spread float64
		within         int // pairs
	}{
		{"10 % against 5 %, quiet", math.Log(1.10), 0.01, 12},
		{"10 % against 5 %, noisy", math.Log(1.10), 0.05, 60},
		{"30 % against 5 %", math.Log(1.3), 0.1, 25},
	} {
		late := 0
		for k := range uint64(50) {
			r := rand.New(rand.NewPCG(k, 5))
			s := Sequence{Alpha: 0.05}
			for s.Bounds().Lo <= math.Log(1.05) && s.N() <= test.within {
				s.Add(test.change + test.spread*r.NormFloat64())
			}
			if s.N() > test.within {
				late++
			}
		}
		if late > 10 {
			t.Errorf("%s: %d of 50 races took more than %d pairs", test.name, late, test.within)
		}
	}
}

func TestSequenceByHand(t *testing.T) {
	s := Sequence{Alpha: 0.05}
	if in := s.Bounds(); !math.IsInf(in.Lo, -1) || !math.IsInf(in.Hi, 1) || math.Abs(in.Confidence-0.9) > 1e-12 {
		t.Errorf("before the first difference: %+v", in)
	}
	s.Add(math.NaN())
	s.Add(0.3)
	// One difference: money is the mean over the parts of 1 + tanh(λ·0.3).
	want := 0.0
	for _, bet := range symmetricBets {
		want += (1 + math.Tanh(bet*0.3)) / float64(len(symmetricBets))
	}
	if got := math.Exp(s.Evidence(0, false)); math.Abs(got-want) > 1e-12 || s.N() != 1 {
		t.Errorf("money after one difference %v, want %v", got, want)
	}
	if got := math.Exp(s.Evidence(0.6, true)); math.Abs(got-want) > 1e-12 {
		t.Errorf("money the other way %v, want %v", got, want)
	}
	for range 5 {
		s.Add(0.3)
	}
	if in := s.Bounds(); !(in.Lo > 0 && in.Lo < 0.3 && in.Hi > 0.3) || s.Centre() != 0.3 {
		t.Errorf("six equal differences: %+v, centre %v", in, s.Centre())
	}
}

func BenchmarkSequence(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := Sequence{Alpha: 0.05}
		for i := range 100 {
			s.Add(0.05 + 0.02*math.Sin(float64(i)))
		}
	}
}
