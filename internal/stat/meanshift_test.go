package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Five of five above five of five is one way of 252; losses in two runs of five are no sign.
func TestMeanShift(t *testing.T) {
	s := newMeanShift([]float64{0, 0, 0, 0, 0}, []float64{1, 2, 3, 4, 5})
	if got := [...]float64{s.shift(), s.more(0), s.less(0), s.smallest()}; got != [...]float64{3, 1. / 252, 1, 1. / 252} {
		t.Errorf("got %v", got)
	}
	s = newMeanShift([]float64{0, 0, 0, 0, 0}, []float64{0, 0.07, 0, 0.08, 0})
	// Both in the candidate: 8 over 3 of the ways to deal the rest, of 10 over 5.
	if got := s.more(0); math.Abs(got-56./252) > 1e-12 {
		t.Errorf("two runs of five: p %g, want 56/252", got)
	}
	if lo, hi := s.lower(0.05), s.upper(0.05); lo > 0 || hi < 0.03 || hi > 0.08 {
		t.Errorf("%g..%g", lo, hi)
	}
	if s := newMeanShift([]float64{0}, []float64{1}); !math.IsInf(s.upper(0.05), 1) || !math.IsInf(s.lower(0.05), -1) {
		t.Error("one run a side has an interval")
	}
}

// The interval holds the true change as often as it says, of many zeros and few large values too, where the ways to deal are drawn and where they are not.
func TestMeanShiftCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{6, 12} {
		const series = 200
		missed := 0
		for range series {
			v := make([]float64, 2*n)
			for i := range v {
				if r.Float64() < 0.3 {
					v[i] = 0.02 + 0.08*r.Float64()
				}
			}
			if s := newMeanShift(v[:n], v[n:]); s.lower(0.05) > 1e-9 || s.upper(0.05) < -1e-9 {
				missed++
			}
		}
		if missed > series/10+12 { // 20 expected at most; three standard deviations more
			t.Errorf("%d runs a side: %d of %d intervals miss", n, missed, series)
		}
	}
}

// No chance at all ends the search for how many runs it takes.
func TestLeastOfNothing(t *testing.T) {
	for _, alpha := range []float64{math.NaN(), 0, -1} {
		(Gate{Alpha: alpha}).Least()
	}
	if got := (Gate{Alpha: 0.05}).Least(); got != 5 {
		t.Errorf("%d runs, want 5", got)
	}
}

// Welch's chance, by the two-sample t of samples with equal sizes and variances: 2.8 standard errors on 8 degrees of freedom.
func TestWelch(t *testing.T) {
	for _, test := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{3.8, 4.8, 5.8, 6.8, 7.8}, 0.0231978},
		{[]float64{0, 0, 0, 0, 0}, []float64{1, 2, 3, 4, 5}, 0.0132358}, // 4 degrees, 4.2426
		{[]float64{0, 0}, []float64{1, 1}, 0},
		{[]float64{1, 1}, []float64{1, 1}, 1},
		{[]float64{1}, []float64{1, 2}, 1},
	} {
		if got := welch(test.x, test.y); math.Abs(got-test.want) > 1e-6 {
			t.Errorf("%v against %v: %.8g, want %g", test.y, test.x, got, test.want)
		}
	}
}
