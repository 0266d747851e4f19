package loadgen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// serve is a client that takes as long as its func says.
type serve func(ctx context.Context, r *assay.Request) assay.Outcome

// pretend makes a client of s on clk: one token at the end.
func pretend(clk *clock.Clock, s serve) assay.Client { return pretender{clk, s} }

type pretender struct {
	clk *clock.Clock
	s   serve
}

func (p pretender) Do(ctx context.Context, _ *assay.Call, r *assay.Request) {
	r.Sent = p.clk.Now()
	r.Outcome = p.s(ctx, r)
	r.End = p.clk.Now()
	if ctx.Err() == context.Canceled {
		r.Outcome = assay.Unfinished
	} else if ctx.Err() != nil {
		r.Outcome = assay.Timeout
	}
	if r.Outcome == assay.OK {
		r.FirstByte, r.FirstToken, r.Arrivals, r.TokensOut = r.End, r.End, append(r.Arrivals, r.End), 1
	}
}

// rest sleeps for d or until ctx is done.
func rest(ctx context.Context, d time.Duration) assay.Outcome {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return assay.OK
}

// sleeping is a wait that sleeps, for bubbles of synctest.
func sleeping(clk *clock.Clock) Wait {
	return func(stop <-chan struct{}, until int64) {
		if d := time.Duration(until - clk.Now()); d > 0 {
			select {
			case <-time.After(d):
			case <-stop:
			}
		}
	}
}

// tape keeps what was emitted, copied.
type tape struct {
	mu       sync.Mutex
	requests []assay.Request
	events   []assay.Event
}

func (l *tape) emit(rec assay.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v := rec.(type) {
	case *assay.Request:
		r := *v
		r.Arrivals = slices.Clone(r.Arrivals)
		l.requests = append(l.requests, r)
	case *assay.Event:
		l.events = append(l.events, *v)
	}
	return nil
}

// byID returns the requests in order of id.
func (l *tape) byID() []assay.Request {
	slices.SortFunc(l.requests, func(a, b assay.Request) int { return int(a.ID) - int(b.ID) })
	return l.requests
}

func (l *tape) outcomes() map[assay.Outcome]int {
	m := map[assay.Outcome]int{}
	for _, r := range l.requests {
		m[r.Outcome]++
	}
	return m
}

// story returns the events as text, times from the begin of the load.
func (l *tape) story(base int64) []string {
	var s []string
	for _, e := range l.events {
		s = append(s, fmt.Sprintf("%v %s %s %v", time.Duration(e.Time-base), e.Kind, e.Phase, e.Attrs))
	}
	return s
}

// bubble runs f with a clock in fake time.
func bubble(t *testing.T, f func(t *testing.T, clk *clock.Clock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, clock.New()) })
}

// run plays cfg with a sleeping wait and returns what it emitted.
func run(t *testing.T, ctx context.Context, clk *clock.Clock, cfg Config) (*Generator, *tape) {
	t.Helper()
	cfg.Clock = clk
	if cfg.Wait == nil {
		cfg.Wait = sleeping(clk)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &tape{}
	if err := g.Run(ctx, l.emit); err != nil {
		t.Fatal(err)
	}
	return g, l
}

func even(name string, rate float64, d time.Duration) Phase {
	return Phase{Name: name, Arrivals: Even{Profile{Rate: rate}}, For: d, Prompt: Fixed(3), Output: Fixed(5)}
}

func TestRunPlaysTheSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		start := clk.Now() + int64(time.Second)
		warm := even("warm", 2, 2*time.Second)
		warm.Role, warm.Class = assay.RoleWarmup, "gold"
		var calls []assay.Call
		var mu sync.Mutex
		client := clientFunc(func(ctx context.Context, c *assay.Call, r *assay.Request) {
			mu.Lock()
			call := *c
			call.Headers = slices.Clone(c.Headers)
			calls = append(calls, call)
			mu.Unlock()
			pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, 300*time.Millisecond) }).Do(ctx, c, r)
		})
		var observed atomic.Int64
		g, l := run(t, t.Context(), clk, Config{Client: client, Start: start, Seed: 9, RunID: "abc", Model: "m", Stream: true,
			Observe: func(*assay.Request) { observed.Add(1) },
			Phases:  []Phase{warm, {Name: "idle", For: 3 * time.Second}, even("steady", 4, time.Second)}})
		if d := cmp.Diff([]string{
			"0s phase.begin warm map[planned:4 rate:2 role:warmup]", "2s phase.end warm map[role:warmup]",
			"2s phase.begin idle map[rate:0 role:idle]", "5s phase.end idle map[role:idle]",
			"5s phase.begin steady map[planned:4 rate:4 role:steady]", "6s phase.end steady map[role:steady]",
			"6s load.end  map[]",
		}, l.story(start)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
		var want []assay.Request
		for i, at := range []time.Duration{0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 5000 * time.Millisecond, 5250 * time.Millisecond, 5500 * time.Millisecond, 5750 * time.Millisecond} {
			due := start + int64(at)
			end := due + int64(300*time.Millisecond)
			r := assay.Request{ID: uint64(i + 1), Phase: "warm", Class: "gold", Outcome: assay.OK, Due: due, Sent: due, FirstByte: end, FirstToken: end, End: end,
				Arrivals: []int64{end}, TokensIn: 3, TokensOut: 1, TokensAsked: 5}
			if i >= 4 {
				r.Phase, r.Class = "steady", ""
			}
			r.TraceID, r.SpanID = identify(9, r.ID)
			want = append(want, r)
		}
		if d := cmp.Diff(want, l.byID()); d != "" {
			t.Errorf("requests (-want +got):\n%s", d)
		}
		live := g.Live()
		if d := cmp.Diff(Live{Sent: 8, Done: 8}, live); d != "" || observed.Load() != 8 || g.Stopped() != "" {
			t.Errorf("live (-want +got):\n%s observed %d, stopped %q", d, observed.Load(), g.Stopped())
		}
		c := calls[0]
		if len(strings.Fields(c.Prompt)) != 3 || c.MaxTokens != 5 || c.Model != "m" || !c.Stream ||
			!cmp.Equal(c.Headers, [][2]string{{"traceparent", traceparent(want[0].TraceID, want[0].SpanID)}, {"X-Assay-Run", "abc"}}) {
			t.Errorf("call %+v", c)
		}
	})
}

type clientFunc func(context.Context, *assay.Call, *assay.Request)

func (f clientFunc) Do(ctx context.Context, c *assay.Call, r *assay.Request) { f(ctx, c, r) }

// TestLatencyCountsFromDue: a server that stalls for a second shows in every request due during the stall.
func TestLatencyCountsFromDue(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		stallEnd := base + int64(2*time.Second)
		_, l := run(t, t.Context(), clk, Config{Phases: []Phase{even("p", 10, 3*time.Second)}, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			if now := clk.Now(); now >= base+int64(time.Second) && now < stallEnd {
				return rest(ctx, time.Duration(stallEnd-now))
			}
			return rest(ctx, 10*time.Millisecond)
		})})
		for _, r := range l.byID() {
			want := 10 * time.Millisecond
			if at := time.Duration(r.Due - base); at >= time.Second && at < 2*time.Second {
				want = 2*time.Second - at
			}
			if got := time.Duration(r.End - r.Due); got != want {
				t.Errorf("request due at %v took %v, want %v", time.Duration(r.Due-base), got, want)
			}
		}
		if len(l.requests) != 30 {
			t.Errorf("%d requests, want 30", len(l.requests))
		}
	})
}

func TestCap(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		g, l := run(t, t.Context(), clk, Config{Cap: 3, Phases: []Phase{even("p", 10, time.Second)},
			Client: pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, 450*time.Millisecond) })})
		var got []assay.Outcome
		for _, r := range l.byID() {
			got = append(got, r.Outcome)
			if (r.Outcome == assay.RefusedByCap) != (r.Sent == 0) || r.End < r.Due || r.Due == 0 {
				t.Errorf("request %+v: want it sent unless refused", r)
			}
		}
		ok, no := assay.OK, assay.RefusedByCap
		if d := cmp.Diff([]assay.Outcome{ok, ok, ok, no, no, ok, ok, ok, no, no}, got); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
		if live := g.Live(); live.Refused != 4 || live.Sent != 6 || live.Done != 10 {
			t.Errorf("live %+v, want 4 refused, 6 sent, 10 done", live)
		}
	})
}

func TestDrainLeavesUnfinished(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		_, l := run(t, t.Context(), clk, Config{Drain: 2 * time.Second, Deadline: time.Minute, Phases: []Phase{even("p", 1, 3*time.Second)},
			Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
				if r.ID == 2 {
					return rest(ctx, time.Hour)
				}
				return rest(ctx, 2500*time.Millisecond)
			})})
		want := map[assay.Outcome]int{assay.OK: 2, assay.Unfinished: 1}
		if d := cmp.Diff(want, l.outcomes()); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
		if took := time.Duration(clk.Now() - base); took != 5*time.Second {
			t.Errorf("ran for %v, want 5s", took)
		}
	})
}

func TestDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		_, l := run(t, t.Context(), clk, Config{Deadline: 700 * time.Millisecond, Phases: []Phase{even("p", 1, time.Second)},
			Client: pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, time.Hour) })})
		if r := l.requests[0]; r.Outcome != assay.Timeout || r.End-r.Due != int64(700*time.Millisecond) {
			t.Errorf("%v after %v, want timeout after 700ms", r.Outcome, time.Duration(r.End-r.Due))
		}
	})
}

func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 1250*time.Millisecond)
		defer cancel()
		g, l := run(t, ctx, clk, Config{Grace: 300 * time.Millisecond, Phases: []Phase{even("p", 2, time.Minute), even("never", 2, time.Minute)},
			Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
				if r.ID == 3 { // due at 1 s
					return rest(ctx, 400*time.Millisecond)
				}
				return rest(ctx, time.Hour)
			})})
		if d := cmp.Diff(map[assay.Outcome]int{assay.OK: 1, assay.Unfinished: 2}, l.outcomes()); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"0s phase.begin p map[planned:120 rate:2 role:steady]", "1.25s phase.end p map[role:steady]", "1.25s load.end  map[]"}, l.story(base)); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
		if took := time.Duration(clk.Now() - base); took != 1550*time.Millisecond || g.Stopped() != "interrupted" {
			t.Errorf("ended after %v, %q; want 1.55s, interrupted", took, g.Stopped())
		}
	})
}

func TestStopsThatDrain(t *testing.T) {
	quick := func(clk *clock.Clock) assay.Client {
		return pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, 600*time.Millisecond) })
	}
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the budget
		g, l := run(t, t.Context(), clk, Config{MaxRequests: 5, Phases: []Phase{even("p", 10, time.Minute)}, Client: quick(clk)})
		if d := cmp.Diff(map[assay.Outcome]int{assay.OK: 5}, l.outcomes()); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
		if i := slices.IndexFunc(l.events, func(e assay.Event) bool { return e.Kind == assay.EventStop }); i < 0 || l.events[i].Attrs["reason"] != "budget" || g.Stopped() != "budget" {
			t.Errorf("events %+v, stopped %q: want a stop for the budget", l.events, g.Stopped())
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the gate
		n := 0
		g, l := run(t, t.Context(), clk, Config{Phases: []Phase{even("p", 10, time.Minute)}, Client: quick(clk), Gate: func() error {
			if n++; n > 3 {
				return errors.New("error_ratio above 50 %")
			}
			return nil
		}})
		if l.outcomes()[assay.OK] != 3 || g.Stopped() != "error_ratio above 50 %" {
			t.Errorf("%v, stopped %q: want 3 and the gate's reason", l.outcomes(), g.Stopped())
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // a stop from outside, in the middle of an idle phase
		base := clk.Now()
		g, err := New(Config{Clock: clk, Wait: sleeping(clk), Client: quick(clk), Phases: []Phase{even("p", 1, time.Second), {Name: "idle", For: time.Hour}}})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() { g.Stop("guard"); g.Stop("again") })
		l := &tape{}
		if err := g.Run(t.Context(), l.emit); err != nil {
			t.Fatal(err)
		}
		if took := time.Duration(clk.Now() - base); took != 10*time.Second || g.Stopped() != "guard" {
			t.Errorf("ended after %v, %q; want 10s, guard", took, g.Stopped())
		}
		if err := g.Run(t.Context(), l.emit); err == nil {
			t.Error("a second Run was taken")
		}
	})
}

func TestUnrecorded(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		g, err := New(Config{Clock: clk, Wait: sleeping(clk), Phases: []Phase{even("p", 10, time.Second)}, Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK })})
		if err != nil {
			t.Fatal(err)
		}
		err = g.Run(t.Context(), func(rec assay.Record) error {
			if r, ok := rec.(*assay.Request); ok && r.ID%2 == 0 {
				return errors.New("disk full")
			}
			return nil
		})
		if err != nil || g.Unrecorded() != 5 || g.Live().Done != 10 {
			t.Errorf("error %v, %d unrecorded of %d; want 5 of 10", err, g.Unrecorded(), g.Live().Done)
		}
	})
}

// TestBacklogIsPaced: after the generator was held up for a second, what was due goes out at four times the rate.
func TestBacklogIsPaced(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		plain := sleeping(clk)
		wait := func(stop <-chan struct{}, until int64) {
			if at := until - base; at == int64(time.Second) {
				until += int64(time.Second) // the thread was not scheduled
			}
			plain(stop, until)
		}
		g, l := run(t, t.Context(), clk, Config{Wait: wait, Phases: []Phase{even("p", 10, 4*time.Second)},
			Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK })})
		reqs := l.byID()
		last := int64(0)
		caught := false
		for _, r := range reqs {
			late := time.Duration(r.Sent - r.Due)
			if gap := r.Sent - last; late > lag && last != 0 && gap < int64(25*time.Millisecond) {
				t.Errorf("request %d went %v after the one before it, want at least 25ms", r.ID, time.Duration(gap))
			}
			last = r.Sent
			caught = caught || r.Due-base > int64(3*time.Second) && late == 0
		}
		if len(reqs) != 40 || !caught || g.Live().LateMax != time.Second {
			t.Errorf("%d requests, caught up %v, latest %v; want 40, true, 1s", len(reqs), caught, g.Live().LateMax)
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // later than the deadline: refused
		base := clk.Now()
		plain := sleeping(clk)
		_, l := run(t, t.Context(), clk, Config{Deadline: 500 * time.Millisecond, Phases: []Phase{even("p", 10, 3*time.Second)},
			Wait: func(stop <-chan struct{}, until int64) {
				if until-base == int64(time.Second) {
					until += int64(time.Second)
				}
				plain(stop, until)
			},
			Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK })})
		r := l.byID()[10]
		if r.Outcome != assay.RefusedByCap || r.Error != "generator was 1.0 s late" || r.Sent != 0 {
			t.Errorf("%v %q sent %d, want a refusal that names the lateness", r.Outcome, r.Error, r.Sent)
		}
		if n := l.outcomes()[assay.OK]; n < 20 || n == 30 {
			t.Errorf("%d sent of 30, want only those refused that were later than their deadline", n)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	clk := clock.New()
	client := pretend(clk, nil)
	phases := []Phase{{Name: "a", For: time.Second}}
	for want, cfg := range map[string]Config{
		"no clock":           {Client: client, Phases: phases},
		"no client":          {Clock: clk, Phases: phases},
		"no phases":          {Clock: clk, Client: client},
		"a limit below zero": {Clock: clk, Client: client, Phases: phases, Cap: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
