package stat

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// soak plays one soak at a constant rate, broken off after longest.
func soak(s Sequential, m, longest float64, rng *rand.Rand) Stop {
	var ages []float64
	for at := rng.ExpFloat64() * m; at < longest; at += rng.ExpFloat64() * m {
		ages = append(ages, at)
		if stop := s.Walk(ages, at); stop.Decision != Open {
			return stop
		}
	}
	return s.Walk(ages, longest)
}

// TestSoaks plays soaks at both hypotheses and between: the risks hold, the lengths are those that were foretold, and the interval after the stop covers. A test of a set
// time with the same risks takes longer than the sequential one does on average, under both.
func TestSoaks(t *testing.T) {
	n := 1000.
	if os.Getenv("ASSAY_FULL") != "" {
		n = 10000
	}
	for _, tc := range []struct {
		s       Sequential
		longest float64
	}{
		{Sequential{Good: 3, Bad: 1, Alpha: .05, Beta: .05}, 40},
		{Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}, 60},
		{Sequential{Good: 3, Bad: 1, Alpha: .1, Beta: .1}, 8}, // often broken off
	} {
		fixed, _, _ := tc.s.Fixed()
		sure := tc.s.Sure()
		for _, m := range []float64{tc.s.Good, tc.s.Bad, math.Sqrt(tc.s.Good * tc.s.Bad)} {
			rng := rand.New(rand.NewPCG(11, uint64(1000*m+tc.longest)))
			var accepts, rejects, missed int
			var length float64
			for range int(n) {
				stop := soak(sure, m, tc.longest, rng)
				length += stop.At
				switch stop.Decision {
				case Accepted:
					accepts++
				case Rejected:
					rejects++
				}
				// The interval leaves m out where one of the chances that it is made of does.
				if asGood, better := sure.ends(stop, m); asGood < .025 || better > .975 {
					missed++
				}
			}
			want := sure.Course(m, tc.longest)
			within := func(what string, got, p float64) {
				t.Helper()
				if got := got / n; math.Abs(got-p) > 4*math.Sqrt(p*(1-p)/n)+1e-9 {
					t.Errorf("%+v at %.3g: %s %.4f, foretold %.4f", tc.s, m, what, got, p)
				}
			}
			within("accepts", float64(accepts), want.Accepts)
			within("rejects", float64(rejects), want.Rejects)
			if got := length / n; math.Abs(got-want.Mean) > .06*want.Mean {
				t.Errorf("%+v at %.3g: %.3g on average, foretold %.3g", tc.s, m, got, want.Mean)
			}
			if m == tc.s.Good && want.Rejects > tc.s.Alpha || m == tc.s.Bad && want.Accepts > tc.s.Beta {
				t.Errorf("%+v at %.3g: rejects %.3f, accepts %.3f: beyond its risks", tc.s, m, want.Rejects, want.Accepts)
			}
			if m != math.Sqrt(tc.s.Good*tc.s.Bad) && want.Mean >= fixed {
				t.Errorf("%+v at %.3g: %.3g on average, no less than the set time of %.3g", tc.s, m, want.Mean, fixed)
			}
			if miss := float64(missed) / n; miss > .05+3*math.Sqrt(.05*.95/n) {
				t.Errorf("%+v at %.3g: the interval misses %.4f of the time", tc.s, m, miss)
			}
			t.Logf("good %g bad %g risks %g, broken off after %g, MTBF %.3g: accepted %.3f rejected %.3f open %.3f, mean %.3g most %.3g (set time %.3g), interval missed %.3f",
				tc.s.Good, tc.s.Bad, tc.s.Alpha, tc.longest, m, float64(accepts)/n, float64(rejects)/n, 1-float64(accepts+rejects)/n, length/n, want.Most, fixed, float64(missed)/n)
		}
	}
}

// Without an end and without failures the first accepting instant bounds the MTBF as Bryant and Schmee have it: exp(-a/m) is half of the rest.
func TestStoppedInterval(t *testing.T) {
	s := Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}
	near(t, "accepted at once, from", s.Interval(Stop{Accepted, s.Accept(0), 0}, .9).Lo, s.Accept(0)/-math.Log(.05), 1e-6)
	if hi := s.Interval(Stop{Accepted, s.Accept(0), 0}, .9).Hi; !math.IsInf(hi, 1) {
		t.Errorf("accepted without a failure: up to %g, want no bound", hi)
	}
	last := Interval{math.Inf(1), math.Inf(1), 0}
	for r := range 5 { // later is worse
		in := s.Interval(Stop{Accepted, s.Accept(r), r}, .9)
		if in.Lo >= last.Lo || in.Hi >= last.Hi && r > 0 {
			t.Errorf("accepted with %d failures: %v, not below %v", r, in, last)
		}
		last = in
	}
	open := s.Interval(Stop{Open, 6, 3}, .9)
	worse := s.Interval(Stop{Rejected, 3, 6}, .9)
	if !(last.Lo > worse.Lo && open.Lo > worse.Lo && open.Hi > worse.Hi && worse.Lo > 0) {
		t.Errorf("open %v and rejected %v are not in order", open, worse)
	}
}

// The interval and the chances that it is made of say the same.
func TestStoppedEnds(t *testing.T) {
	s := Sequential{Good: 3, Bad: 1, Alpha: .1, Beta: .1}
	for _, stop := range []Stop{{Accepted, s.Accept(0), 0}, {Accepted, s.Accept(2), 2}, {Rejected, 2, 5}, {Open, 3, 3}} {
		in := s.Interval(stop, .9)
		for _, m := range []float64{in.Lo * .99, in.Lo * 1.01, math.Min(in.Hi*.99, 1e4), math.Min(in.Hi*1.01, 1e5)} {
			asGood, better := s.ends(stop, m)
			if got, want := asGood >= .05 && better <= .95, in.Lo <= m && m <= in.Hi; got != want {
				t.Errorf("%+v, %v: %g is in it: %v, want %v", stop, in, m, got, want)
			}
		}
	}
}

// TestWalk: the lines of MIL-HDBK-781's 10 % and 10 % at a ratio of 2, in units of the bad.
func TestWalk(t *testing.T) {
	s := Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}
	for _, c := range []struct {
		name     string
		ages     []float64
		total    float64
		decision Decision
		when     float64
		failures int
	}{
		{"no failure, not yet", nil, 4.39, Open, 4.39, 0},
		{"no failure", nil, 9, Accepted, 4.39445, 0},
		{"one failure", []float64{1}, 5.79, Accepted, 5.78074, 1},
		{"accepted before it failed", []float64{5, 5.1, 5.2, 5.3, 5.4}, 6, Accepted, 4.39445, 0},
		{"four at once", []float64{1, 1.05, 1.1, 1.15}, 9, Rejected, 1.15, 4},
		{"four too late", []float64{1, 1.05, 1.1, 1.16}, 9, Open, 9, 4},
		{"five", []float64{1, 1.05, 1.1, 1.16, 2.5}, 9, Rejected, 2.5, 5},
	} {
		got := s.Walk(c.ages, c.total)
		if got.Decision != c.decision || got.Failures != c.failures {
			t.Errorf("%s: %d with %d failures, want %d with %d", c.name, got.Decision, got.Failures, c.decision, c.failures)
		}
		near(t, c.name, got.At, c.when, 5e-6)
	}
}

func BenchmarkStoppedInterval(b *testing.B) {
	s := Sequential{Good: 2, Bad: 1, Alpha: .05, Beta: .05}
	for b.Loop() {
		s.Interval(Stop{Rejected, 12, 20}, .95)
	}
}
