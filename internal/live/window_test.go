package live

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// requests returns n requests that end in about the order they are in, as a run's do.
func requests(rng *rand.Rand, n int) []assay.Request {
	out := make([]assay.Request, n)
	due := int64(1e9)
	for i := range out {
		due += int64(rng.ExpFloat64() * 20e6)
		r := &out[i]
		*r = assay.Request{ID: uint64(i + 1), Phase: "steady", Due: due, Sent: due + rng.Int64N(1e6), Cold: assay.Cold(rng.IntN(3)), Outcome: assay.OK, Canary: rng.IntN(50) == 0}
		if rng.IntN(4) == 0 {
			r.Outcome = assay.Outcome(rng.IntN(int(assay.Credential) + 1))
		}
		r.End = r.Sent + rng.Int64N(3e9)
		if r.Outcome == assay.RefusedByCap {
			r.Sent, r.End = 0, 0
		}
		if r.Outcome == assay.OK {
			r.FirstToken = r.Sent + (r.End-r.Sent)/3
			for t := r.FirstToken; t <= r.End && len(r.Arrivals) < 50; t += 1 + rng.Int64N(40e6) {
				r.Arrivals = append(r.Arrivals, t)
			}
			r.TraceID = assay.TraceID{1, byte(i), byte(i >> 8)}
		}
	}
	slices.SortFunc(out, func(a, b assay.Request) int { return int(ended(&a) - ended(&b)) })
	return out
}

func ended(r *assay.Request) int64 {
	if r.End > 0 {
		return r.End
	}
	return r.Due
}

// The oracle keeps everything and computes each answer from its definition.
func oracle(rs []assay.Request, over time.Duration, now int64) (ratio float64, judged int, ttft, e2e []int64) {
	failed := 0
	for i := range rs {
		r := &rs[i]
		if at := ended(r); at <= now-int64(over) || at > now {
			continue
		}
		switch r.Outcome {
		case assay.OK:
			if r.Canary {
				continue
			}
			judged++
			ttft = append(ttft, r.FirstToken-r.Due)
			e2e = append(e2e, r.End-r.Due)
		case assay.Loading, assay.Unavailable, assay.ServerError, assay.Timeout, assay.Refused, assay.Reset, assay.CutFIN, assay.CutRST, assay.CutStall, assay.BadPayload, assay.WrongContent, assay.Unresolved,
			assay.ClientError, assay.Throttled:
			if r.Canary {
				continue
			}
			judged++
			failed++
		}
	}
	ratio = math.NaN()
	if judged > 0 {
		ratio = float64(failed) / float64(judged)
	}
	slices.Sort(ttft)
	slices.Sort(e2e)
	return ratio, judged, ttft, e2e
}

// quantile interpolates between the two sorted values that lie about p of the way through.
func quantile(vs []int64, p float64) float64 {
	if len(vs) == 0 {
		return math.NaN()
	}
	whole, part := math.Modf(p * float64(len(vs)-1))
	lo := float64(vs[int(whole)])
	hi := float64(vs[min(int(whole)+1, len(vs)-1)])
	return (lo + part*(hi-lo)) / 1e9
}

func TestWindowAgainstOracle(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		rng := rand.New(rand.NewPCG(seed, 0))
		rs := requests(rng, 6000)
		w := New(Options{Clock: clock.New(), Horizon: 30 * time.Second})
		nan := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) })
		for i := range rs {
			w.Observe(&rs[i])
			if i%397 != 0 {
				continue
			}
			now := ended(&rs[i])
			for _, over := range []time.Duration{time.Millisecond, 500 * time.Millisecond, 10 * time.Second, 30 * time.Second} {
				ratio, judged, ttft, e2e := oracle(rs[:i+1], over, now)
				want := []any{ratio, judged, quantile(ttft, 0.5), quantile(ttft, 0.95), len(ttft), quantile(e2e, 0.99), len(e2e)}
				gr, gj := w.ErrorRatio(over, now)
				p50, _ := w.Quantile(TTFT, 0.5, over, now)
				p95, n := w.Quantile(TTFT, 0.95, over, now)
				e99, m := w.Quantile(E2E, 0.99, over, now)
				if d := cmp.Diff(want, []any{gr, gj, p50, p95, n, e99, m}, nan); d != "" {
					t.Fatalf("seed %d, after %d requests, over %s (-want +got):\n%s", seed, i+1, over, d)
				}
			}
		}
		if blocks := len(w.blocks); blocks > 2+30*60/blockLen+10 {
			t.Errorf("%d blocks are kept for 30 s", blocks)
		}
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		var sent int64
		w := New(Options{Clock: c, Sent: func() int64 { return sent }})
		var got []float64
		for i := range 300 {
			time.Sleep(100 * time.Millisecond)
			if i < 200 {
				sent += 2
			}
			if r := w.Rate(10*time.Second, c.Now()); i%50 == 49 {
				got = append(got, math.Round(r*10)/10)
			}
		}
		if want := []float64{20, 20, 20, 20, 10, 0}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestRateFromRecords(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	w.begin = 1
	for i := range int64(100) {
		w.Observe(&assay.Request{Due: 1e9 + i*1e8, Sent: 1e9 + i*1e8, End: 1e9 + i*1e8 + 1, Outcome: assay.OK})
	}
	if got := w.Rate(5*time.Second, 1e9+99*1e8+1); got != 10 {
		t.Errorf("got %g, want 10", got)
	}
}

func event(kind string, at int64, pairs ...string) *assay.Event {
	e := &assay.Event{Kind: kind, Time: at, Attrs: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "phase":
			e.Phase = pairs[i+1]
		case "instance":
			e.Instance = pairs[i+1]
		case "fault":
			e.Fault = pairs[i+1]
		case "text":
			e.Text = pairs[i+1]
		default:
			e.Attrs[pairs[i]] = pairs[i+1]
		}
	}
	return e
}

func TestStateFollowsEvents(t *testing.T) {
	w := New(Options{Clock: clock.New(), InFlight: func() int { return 7 }, Total: time.Minute})
	w.begin = 1
	steps := []struct {
		e    *assay.Event
		want func(*State)
	}{
		{event(assay.EventInstanceCreated, 1, "instance", "w-1", "reason", "scale_from_zero"), func(s *State) { s.Starting = 1 }},
		{event(assay.EventInstanceStarted, 2, "instance", "w-1"), nil},
		{event(assay.EventScale, 3, "desired", "2", "ready", "0"), func(s *State) { s.Desired = 2 }},
		{event(assay.EventInstanceReady, 4, "instance", "w-1"), func(s *State) { s.Starting, s.Ready = 0, 1 }},
		{event(assay.EventInstanceStarted, 2, "instance", "w-1"), nil}, // told late
		{event(assay.EventPhaseBegin, 5, "phase", "steady", "role", "steady", "rate", "8"), func(s *State) { s.Phase, s.Role, s.Offered = "steady", "steady", 8 }},
		{event(assay.EventFaultArmed, 6, "fault", "f1", "kind", "kill", "target", "w-1"), nil},
		{event(assay.EventFaultApplied, 7, "fault", "f1"), func(s *State) {
			s.Faults = []Fault{{ID: "f1", Kind: "kill", Target: "w-1", State: FaultInjected, Since: 7}}
		}},
		{event(assay.EventInstanceEjected, 8, "instance", "w-1"), func(s *State) { s.Ready = 0 }},
		{event(assay.EventInstanceExited, 9, "instance", "w-1", "reason", "crash"), nil},
		{event(assay.EventFaultReverted, 10, "fault", "f1"), func(s *State) { s.Faults[0].State, s.Faults[0].Since = FaultRecovering, 10 }},
		{event(assay.EventFaultClear, 11, "fault", "f1"), nil}, // users are not known to be well
		{event(assay.EventFaultArmed, 12, "fault", "f2", "kind", "hang"), nil},
		{event(assay.EventFaultVoid, 13, "fault", "f2", "text", "no instance"), nil},
		{event(assay.EventWarning, 14, "text", "x"), func(s *State) { s.Warnings = 1 }},
		{event(assay.EventPhaseEnd, 15, "phase", "steady"), func(s *State) { s.Phase, s.Role, s.Offered = "", "", 0 }},
		{event(assay.EventLoadEnd, 16), func(s *State) { s.Ended, s.Faults = true, nil }},
	}
	want := State{Now: 100, Total: time.Minute, Over: Over, InFlight: 7, ErrorRatio: math.NaN(), TTFT: math.NaN(), Desired: -1}
	for _, step := range steps {
		w.Observe(step.e)
		if step.want != nil {
			step.want(&want)
		}
		nan := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		if d := cmp.Diff(want, w.State(100), nan); d != "" {
			t.Fatalf("after %s (-want +got):\n%s", step.e.Kind, d)
		}
	}
}

func TestNotes(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	for i := range 300 {
		w.Observe(event(assay.EventAnnotation, int64(i+1), "text", fmt.Sprint(i)))
		w.Observe(event(assay.EventInstanceProbe, int64(i+1)))
	}
	got, next := w.Notes(0)
	if len(got) != maxNotes || got[0].Text != "44" || next != 300 {
		t.Errorf("got %d notes from %q, next %d; want 256 from 44, 300", len(got), got[0].Text, next)
	}
	if got, next = w.Notes(298); len(got) != 2 || got[1].Text != "299" || next != 300 {
		t.Errorf("got %v, %d; want the last two", got, next)
	}
	if got, _ = w.Notes(300); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestWindowFromManyGoroutines(t *testing.T) {
	c := clock.New()
	w := New(Options{Clock: c})
	var wg sync.WaitGroup
	const each = 3000
	for g := range 4 {
		wg.Go(func() {
			for i := range each {
				now := c.Now()
				w.Observe(&assay.Request{Phase: "p", Due: now, Sent: now, FirstToken: now + 1, End: now + 2, Outcome: assay.OK, TraceID: assay.TraceID{byte(g), 1}})
				w.Observe(&assay.Span{})
				if i%500 == 0 {
					w.State(c.Now())
					w.Observe(event(assay.EventInstanceReady, now, "instance", "w"))
					w.Observe(&assay.Scrape{Target: "t", Error: "x"})
				}
			}
		})
	}
	wg.Wait()
	s := w.State(c.Now() + 10)
	if s.Requests != 4*each || s.Judged != 4*each || s.Spans != 4*each {
		t.Errorf("got %d requests, %d judged, %d spans; want %d of each", s.Requests, s.Judged, s.Spans, 4*each)
	}
	if got := w.Outcomes(); got["ok"] != 4*each || len(got) != 1 {
		t.Errorf("got outcomes %v", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	mk := func(tokens int) *assay.Request {
		r := &assay.Request{Phase: "steady", Due: 1e9, Sent: 1e9 + 1, FirstToken: 1e9 + 4e8, Outcome: assay.OK, TraceID: assay.TraceID{1}}
		for i := range tokens {
			r.Arrivals = append(r.Arrivals, r.FirstToken+int64(i)*2e7)
		}
		r.End = r.FirstToken + 1e9
		return r
	}
	for _, bb := range []struct {
		name string
		r    assay.Record
	}{{"request", mk(0)}, {"request with 100 tokens", mk(100)}, {"span", &assay.Span{}}, {"failed request", &assay.Request{Phase: "steady", Due: 1, Sent: 2, End: 3, Outcome: assay.Timeout}}} {
		b.Run(bb.name, func(b *testing.B) {
			w := New(Options{Clock: clock.New(), Horizon: time.Second})
			b.ReportAllocs()
			for b.Loop() {
				if r, ok := bb.r.(*assay.Request); ok {
					r.Due, r.Sent, r.End, r.FirstToken = r.Due+1e5, r.Sent+1e5, r.End+1e5, r.FirstToken+1e5
				}
				w.Observe(bb.r)
			}
		})
	}
	b.Run("parallel requests", func(b *testing.B) {
		w := New(Options{Clock: clock.New(), Horizon: time.Second})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			r := mk(0)
			for pb.Next() {
				r.Due, r.Sent, r.End, r.FirstToken = r.Due+1e5, r.Sent+1e5, r.End+1e5, r.FirstToken+1e5
				w.Observe(r)
			}
		})
	})
	b.Run("State of 10,000 requests", func(b *testing.B) {
		w := New(Options{Clock: clock.New()})
		r := mk(0)
		for range 10_000 {
			r.Due, r.Sent, r.End, r.FirstToken = r.Due+1e6, r.Sent+1e6, r.End+1e6, r.FirstToken+1e6
			w.Observe(r)
		}
		b.ReportAllocs()
		for b.Loop() {
			w.State(r.End)
		}
	})
}
