package loadgen

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func TestClosedLoop(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		var most atomic.Int64
		var now atomic.Int64
		g, l := run(t, t.Context(), clk, Config{Cap: 4, Seed: 5, Phases: []Phase{
			{Name: "c", Closed: &Closed{N: 3, Think: Think{Mean: 150 * time.Millisecond}}, For: time.Second, Prompt: Fixed(4), Output: Fixed(2)},
			even("after", 2, time.Second),
		}, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer now.Add(-1)
			return rest(ctx, 100*time.Millisecond)
		})})
		// Each slot sends at 0, 250, 500 and 750 ms: the next would be due at the end.
		var got []time.Duration
		ids := map[uint64]bool{}
		for _, r := range l.requests {
			if ids[r.ID] {
				t.Errorf("id %d twice", r.ID)
			}
			ids[r.ID] = true
			if r.Phase != "c" {
				if r.NoSchedule {
					t.Errorf("request %d of an open phase has no schedule", r.ID)
				}
				continue
			}
			if !r.NoSchedule || r.Sent != r.Due || r.TokensIn != 4 || r.TokensAsked != 2 || r.TraceID.IsZero() {
				t.Errorf("%+v", r)
			}
			if at := time.Duration(r.Due-base) % (250 * time.Millisecond); at != 0 {
				t.Errorf("request %d is due at %v", r.ID, time.Duration(r.Due-base))
			}
			got = append(got, time.Duration(r.Due-base))
		}
		if len(got) != 12 || len(l.requests) != 14 || most.Load() != 3 {
			t.Errorf("%d requests of %d, at most %d at once; want 12 of 14, 3 at once", len(got), len(l.requests), most.Load())
		}
		if d := cmp.Diff([]string{
			"0s phase.begin c map[closed:3 rate:0 role:steady]", "1s phase.end c map[role:steady]",
			"1s phase.begin after map[planned:2 rate:2 role:steady]", "2s phase.end after map[role:steady]", "2s load.end  map[]",
		}, l.story(base)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
		if fixed, more := g.Schedule().Requests(); fixed != 2 || more != -1 {
			t.Errorf("%d requests and %d more, want 2 and no limit", fixed, more)
		}
	})
}

func TestClosedLimits(t *testing.T) {
	slow := func(clk *clock.Clock, o assay.Outcome, d time.Duration) assay.Client {
		return pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { rest(ctx, d); return o })
	}
	closed := func(n int) Phase { return Phase{Name: "c", Closed: &Closed{N: n}, For: 2 * time.Second} }
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the most requests
		p := closed(3)
		p.Max = 7
		if _, l := run(t, t.Context(), clk, Config{Phases: []Phase{p}, Client: slow(clk, assay.OK, 100*time.Millisecond)}); len(l.requests) != 7 {
			t.Errorf("%d requests, want 7", len(l.requests))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the budget
		g, l := run(t, t.Context(), clk, Config{MaxRequests: 5, Phases: []Phase{closed(3)}, Client: slow(clk, assay.OK, 100*time.Millisecond)})
		if len(l.requests) != 5 || g.Stopped() != "budget" {
			t.Errorf("%d requests, stopped %q; want 5 for the budget", len(l.requests), g.Stopped())
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // a dead target is not hammered
		_, l := run(t, t.Context(), clk, Config{Phases: []Phase{closed(2)}, Client: slow(clk, assay.Refused, 0)})
		if len(l.requests) != 40 {
			t.Errorf("%d requests in 2s of 2 slots, want 40", len(l.requests))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // requests that are still open take places: a slot waits and refuses nothing
		hog := even("hog", 4, time.Second)
		g, l := run(t, t.Context(), clk, Config{Cap: 4, Phases: []Phase{hog, closed(3)}, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			if r.Phase == "hog" {
				return rest(ctx, 2*time.Second)
			}
			return rest(ctx, 500*time.Millisecond)
		})})
		if o := l.outcomes(); o[assay.RefusedByCap] != 0 || o[assay.OK] != len(l.requests) || g.Live().Refused != 0 {
			t.Errorf("outcomes %v, want no refusal", o)
		}
		for _, r := range l.requests {
			if r.Phase == "c" && r.Sent-r.Due > int64(time.Millisecond) {
				t.Errorf("request %d was %v late: want it due when it had a place", r.ID, time.Duration(r.Sent-r.Due))
			}
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // a stop
		base := clk.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 350*time.Millisecond)
		defer cancel()
		_, l := run(t, ctx, clk, Config{Phases: []Phase{closed(1)}, Client: slow(clk, assay.OK, 100*time.Millisecond)})
		if took := time.Duration(clk.Now() - base); took > 500*time.Millisecond || len(l.requests) != 4 {
			t.Errorf("ended after %v with %d requests, want 4", took, len(l.requests))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the slots begin one after another
		base := clk.Now()
		p := closed(4)
		p.Closed.Ramp = time.Second
		var mu sync.Mutex
		first := map[time.Duration]bool{}
		run(t, t.Context(), clk, Config{Phases: []Phase{p}, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			mu.Lock()
			first[time.Duration(r.Due-base)] = true
			mu.Unlock()
			return rest(ctx, time.Hour)
		}), Deadline: time.Minute, Drain: time.Second})
		if d := cmp.Diff(map[time.Duration]bool{0: true, 250e6: true, 500e6: true, 750e6: true}, first); d != "" {
			t.Error(d)
		}
	})
	clk := clock.New()
	client := pretend(clk, nil)
	for want, cfg := range map[string]Config{
		"0 slots":                {Phases: []Phase{closed(0)}},
		"more than the cap":      {Phases: []Phase{closed(9)}, Cap: 8},
		"a think time of -1s":    {Phases: []Phase{{Name: "c", For: 1, Closed: &Closed{N: 1, Think: Think{Mean: -time.Second}}}}},
		"a think time with cv 9": {Phases: []Phase{{Name: "c", For: 1, Closed: &Closed{N: 1, Think: Think{CV: 99}}}}},
		"only one of arrivals":   {Phases: []Phase{{Name: "c", For: 1, Closed: &Closed{N: 1}, Arrivals: Even{Profile{Rate: 1}}}}},
		"lasts 0s":               {Phases: []Phase{{Name: "c", Closed: &Closed{N: 1}}}},
	} {
		cfg.Clock, cfg.Client = clk, client
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestClosedDrawsAreSeeded: what each slot asks for depends on the seed, not on how fast the target is.
func TestClosedDrawsAreSeeded(t *testing.T) {
	phases := []Phase{{Name: "c", Closed: &Closed{N: 2}, For: time.Second, Prompt: Uniform{1, 1000}, Output: Uniform{1, 1000}}}
	asked := func(seed uint64, d time.Duration) (list map[int32]bool) {
		bubble(t, func(t *testing.T, clk *clock.Clock) {
			_, l := run(t, t.Context(), clk, Config{Seed: seed, Phases: phases, Client: pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, d) })})
			list = map[int32]bool{}
			for _, r := range l.requests {
				list[r.TokensIn] = true
			}
		})
		return list
	}
	fast, slow, other := asked(1, 50*time.Millisecond), asked(1, 100*time.Millisecond), asked(2, 100*time.Millisecond)
	for n := range slow {
		if !fast[n] {
			t.Errorf("a prompt of %d tokens was drawn for the slow target only", n)
		}
	}
	if cmp.Equal(slow, other) {
		t.Error("another seed, same draws")
	}
	phases[0].Prompt = Uniform{1, 999}
	a := mustSchedule(t, 1, phases...)
	phases[0].Closed = &Closed{N: 3}
	b := mustSchedule(t, 1, phases...)
	phases[0].Prompt = Uniform{1, 1000}
	if c := mustSchedule(t, 1, phases...); a.Hash() == b.Hash() || b.Hash() == c.Hash() {
		t.Error("a change of the settings left the hash as it was")
	}
}
