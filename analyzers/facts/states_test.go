package facts

import (
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
)

// TestStatesSumToTheWatch: whatever the load, the faults and the episodes, each nanosecond of each ledger is good, bad or unknown, once.
func TestStatesSumToTheWatch(t *testing.T) {
	states := States{}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 11))
		f := &assay.Facts{Begin: second, End: second + 1 + rng.Int64N(400*second)}
		at := f.Begin
		for at < f.End {
			end := min(f.End, at+1+rng.Int64N(80*second))
			l := assay.Natural
			if rng.IntN(3) == 0 {
				l = assay.Injected
			}
			f.Segments = append(f.Segments, assay.Segment{Ledger: l, Begin: at, End: end})
			at = end
		}
		if rng.IntN(3) == 0 {
			f.Phases = []assay.Phase{{Role: assay.RoleIdle, Begin: 10 * second, End: 10*second + rng.Int64N(100*second)}}
		}
		w := Watch{Silence: 10 * second}
		for due := f.Begin; due < f.End; due += rng.Int64N(1 + rng.Int64N(40*second)) {
			w.Add(&assay.Request{Due: due, Outcome: assay.OK})
		}
		for begin := f.Begin; begin < f.End; begin += rng.Int64N(90 * second) {
			e := assay.Episode{Subject: assay.Service, Ledger: []assay.Ledger{assay.Natural, assay.Injected}[rng.IntN(2)], BeginLo: begin - rng.Int64N(second), Begin: begin, End: begin + rng.Int64N(20*second), RightCensored: rng.IntN(5) == 0}
			e.EndHi = e.End + rng.Int64N(30*second)
			f.Episodes = append(f.Episodes, e)
		}
		for _, l := range []assay.Ledger{assay.Natural, assay.Injected} {
			s := w.States(f, l)
			if whole := Within(f, l, f.Begin, f.End); s.Good+s.Bad+s.Unknown != whole || s.Good < 0 || s.Bad < 0 || s.Unknown < 0 {
				t.Fatalf("seed %d: %d good + %d bad + %d unknown of %d", seed, s.Good, s.Bad, s.Unknown, whole)
			}
			if known := w.In(f, l); s.Good+s.Bad > known {
				t.Fatalf("seed %d: %d good + %d bad of %d known", seed, s.Good, s.Bad, known)
			}
			if u := s.Until(f.End); u != s.Good || s.Until(f.Begin) != 0 {
				t.Fatalf("seed %d: %d of %d good until the end", seed, u, s.Good)
			}
			states.Good, states.Bad, states.Unknown = states.Good+s.Good, states.Bad+s.Bad, states.Unknown+s.Unknown
		}
	}
	if states.Good == 0 || states.Bad == 0 || states.Unknown == 0 {
		t.Errorf("the runs do not show every state: %+v", states)
	}
}

// An episode of which nobody saw the end lasts as long as requests speak, and no longer.
func TestStatesOfSilence(t *testing.T) {
	f := &assay.Facts{Begin: 0, End: 100 * second, Segments: []assay.Segment{{Ledger: assay.Natural, Begin: 0, End: 100 * second}},
		Episodes: []assay.Episode{{Subject: assay.Service, Ledger: assay.Natural, BeginLo: 18 * second, Begin: 20 * second, End: 22 * second, EndHi: 90 * second, RightCensored: true}}}
	w := Watch{Silence: 10 * second, Spans: []assay.Interval{{Begin: 0, End: 32 * second}, {Begin: 90 * second, End: 100 * second}}}
	s := w.States(f, assay.Natural)
	if s.Good != 29*second || s.Bad != 13*second || s.Unknown != 58*second {
		t.Errorf("good %d, bad %d, unknown %d", s.Good, s.Bad, s.Unknown)
	}
}

// What is left of an injected episode when its fault's time is over is no failure of the service's own, nor was it up then.
func TestStatesAfterAFault(t *testing.T) {
	f := &assay.Facts{Begin: 0, End: 100 * second, Segments: []assay.Segment{{Ledger: assay.Injected, Begin: 0, End: 20 * second}, {Ledger: assay.Natural, Begin: 20 * second, End: 100 * second}},
		Episodes: []assay.Episode{{Subject: assay.Service, Ledger: assay.Injected, BeginLo: 10 * second, Begin: 10 * second, End: 20 * second, EndHi: 24 * second}}}
	w := Watch{Silence: 10 * second, Spans: []assay.Interval{{Begin: 0, End: 100 * second}}}
	if s := w.States(f, assay.Natural); s.Good != 78*second || s.Bad != 0 || s.Unknown != 2*second {
		t.Errorf("natural: good %d, bad %d, unknown %d", s.Good, s.Bad, s.Unknown)
	}
	if s := w.States(f, assay.Injected); s.Good != 10*second || s.Bad != 10*second {
		t.Errorf("injected: good %d, bad %d, unknown %d", s.Good, s.Bad, s.Unknown)
	}
}
