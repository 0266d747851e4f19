package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLossesByHand(t *testing.T) {
	var l Losses
	if got := l.Bound(0.05); got != 1 || l.Evidence(0.02) > 1e-12 {
		t.Errorf("before the first pair: bound %v, evidence %v", got, l.Evidence(0.02))
	}
	l.Add(0, 0, 20, 0) // nothing to hold it against
	l.Add(20, 5, 20, 1)
	// Of the 5 that the first side lost 3 count, since the second lost 1: money is the mean of what the parts grew to.
	want := 0.0
	for i, bet := range lossBets {
		want += lossParts[i] * (1 + bet*(0.02-1)) * math.Pow(1+bet*(0.02+1), 3) * math.Pow(1+bet*0.02, 16)
	}
	if got := math.Exp(l.Evidence(0.02)); math.Abs(got-want) > 1e-12*want {
		t.Errorf("money %v, want %v", got, want)
	}
	var none Losses
	for range 50 {
		none.Add(20, 0, 20, 0)
	}
	// Rule of three: none lost of 1,000 shows 0.3 % at 95 %, and looking at each pair costs a little.
	if got := none.Bound(0.05); got < 0.003 || got > 0.0045 {
		t.Errorf("none lost of 1000: bound %v", got)
	}
}

// Looked at after each pair, a loss of just so much is refused no more often than Alpha at any time; nor is it by what the first side loses in bursts.
func TestLossesHoldAtEveryLook(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	lost := func(p float64) int {
		n := 0
		for range 20 {
			if r.Float64() < p {
				n++
			}
		}
		return n
	}
	for _, test := range []struct{ each, burst, second, u float64 }{{0, 0, 0.02, 0.02}, {0.05, 0, 0.07, 0.02}, {0, 0.03, 0.05, 0.02}, {0.3, 0, 0.35, 0.05}} {
		wrong := 0
		for range 1000 {
			var l Losses
			for range 60 {
				p := test.each
				if r.Float64() < test.burst {
					p = 1
				}
				l.Add(20, lost(p), 20, lost(test.second))
				if l.Evidence(test.u) >= math.Log(20) {
					wrong++
					break
				}
			}
		}
		t.Logf("%+v: %d", test, wrong)
		if wrong > 70 { // 50 and three standard deviations
			t.Errorf("%+v: refused in %d of 1000 races, want at most 70", test, wrong)
		}
	}
}

// A loss of six points is found against a margin of half a point in fewer pairs than the bursts that could deceive need to be seen.
func TestSequenceBoundedFindsLosses(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 9))
	s := Sequence{Alpha: 0.025, Bounded: true}
	for s.Evidence(0.005, false) < -math.Log(s.Alpha) && s.N() < 200 {
		n := 0.0
		for range 20 {
			if r.Float64() < 0.06 {
				n++
			}
		}
		s.Add(n / 20)
	}
	if s.N() > 99 {
		t.Errorf("it took %d pairs", s.N())
	}
	if in := s.Bounds(); in.Lo < 0.005-1e-9 || in.Lo > 0.06 || in.Hi < 0.06 {
		t.Errorf("%+v", in)
	}
}
