package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSequentialTimes compares Wald's approximations with what simulated soaks do. They neglect how far the boundaries are passed, which makes
// the real test a little longer and its risks a little smaller.
func TestSequentialTimes(t *testing.T) {
	s := Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}
	near(t, "chance of rejecting the good", s.Reaches(2), .1, 1e-9)
	near(t, "chance of rejecting the bad", s.Reaches(1), .9, 1e-9)
	near(t, "expected time, good", s.Expected(2), 11.45683, 5e-6)
	near(t, "expected time, bad", s.Expected(1), 9.10073, 5e-6)
	between := math.Ln2 / .5 // where neither is nearer
	near(t, "expected time between is continuous", s.Expected(between), s.Expected(between*(1+1e-5)), 1e-3)
	n := 1000
	for _, m := range []float64{1, between, 2} {
		rng := rand.New(rand.NewPCG(5, uint64(m*100)))
		var sum float64
		rejected := 0
		for range n {
			at, r := 0.0, 0
			for {
				next := at + rng.ExpFloat64()*m
				if a := s.Accept(r); next >= a {
					at = a
					break
				}
				at = next
				if r++; at <= s.Reject(r) {
					rejected++
					break
				}
			}
			sum += at
		}
		if got, want := sum/float64(n), s.Expected(m); got < want*.9 || got > want*1.3 {
			t.Errorf("MTBF %g: %g on average, Wald says %g", m, got, want)
		}
		if got, want := float64(rejected)/float64(n), s.Reaches(m); math.Abs(got-want) > .06 {
			t.Errorf("MTBF %g: rejected %g, Wald says %g", m, got, want)
		}
	}
}

// Half of chi-square(0.9; 30) is 20.128. MIL-HDBK-781's plan XVII-D lasts 9.3 times the bad and rejects with 6 failures; its plan XV-D of 18.8 with 14 has risks a
// little off.
func TestFixedTime(t *testing.T) {
	if time, r, ok := (Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}).Fixed(); !ok || r != 14 || math.Abs(time-20.128) > 5e-4 {
		t.Errorf("at a ratio of 2: %g with %d failures, want 20.128 with 14", time, r)
	}
	if time, r, ok := (Sequential{Good: 3, Bad: 1, Alpha: .1, Beta: .1}).Fixed(); !ok || r != 5 || math.Abs(time-9.27) > .01 {
		t.Errorf("at a ratio of 3: %g with %d failures, want 9.3 with 5", time, r)
	}
	if _, _, ok := (Sequential{Good: 1.0001, Bad: 1, Alpha: .1, Beta: .1}).Fixed(); ok {
		t.Error("a test of nearly the same was found")
	}
}
