package loadgen

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// queue is a server that does one request at a time, each in the time that work says.
type queue struct {
	slot chan struct{}
	work func() time.Duration
}

func newQueue(d time.Duration) *queue {
	return &queue{make(chan struct{}, 1), func() time.Duration { return d }}
}

func (q *queue) serve(ctx context.Context, _ *assay.Request) assay.Outcome {
	select {
	case q.slot <- struct{}{}:
		defer func() { <-q.slot }()
		return rest(ctx, q.work())
	case <-ctx.Done():
	}
	return assay.Timeout
}

// result returns the attributes of the annotation that ends a search.
func result(t *testing.T, l *tape) map[string]string {
	t.Helper()
	i := slices.IndexFunc(l.events, func(e assay.Event) bool { return e.Kind == assay.EventAnnotation })
	if i < 0 {
		t.Fatalf("no annotation among %+v", l.events)
	}
	return l.events[i].Attrs
}

func rate(t *testing.T, v string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSearchFindsCapacity: a queue with a service time of 50 ms can do 20/s. With even arrivals a step of 10 s above
// that breaks a p95 of 500 ms from 21/s on; with Poisson arrivals the limit is where the
// 95th percentile of an M/D/1 queue's wait is the limit less the service: a load of about 0.87.
func TestSearchFindsCapacity(t *testing.T) {
	for _, c := range []struct {
		name         string
		even         bool
		lowest, most float64 // bounds of held and broke
		gap          float64 // a rate near the limit of a queue with random arrivals stays undecided
	}{{"D/D/1", true, 18.5, 22.5, 1.05}, {"M/D/1", false, 12, 22.5, 1.5}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				q := newQueue(50 * time.Millisecond)
				begin := clk.Now()
				g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, q.serve), Seed: 3, Phases: []Phase{{Name: "stress", Search: &Search{
					Start: 4, SLO: map[string]float64{"ttft/p95": 0.5}, Step: 10 * time.Second, For: 12 * time.Minute, Even: c.even, Within: 1.05}}}})
				got := result(t, l)
				held, broke := rate(t, got["held"]), rate(t, got["broke"])
				if held < c.lowest || broke > c.most || broke <= held || broke/held > c.gap || got["metric"] != "ttft/p95" {
					t.Errorf("held %g/s, broke %g/s on %s; want between %g and %g, within %g:\n%s", held, broke, got["metric"], c.lowest, c.most, c.gap, strings.Join(g.SearchPath(), "\n"))
				}
				if took := time.Duration(clk.Now() - begin); took > 12*time.Minute+10*time.Second {
					t.Errorf("took %v", took)
				}
				// Between steps the target is left alone: each step begins with nothing in flight.
				end := map[string]int64{}
				for _, r := range l.requests {
					end[r.Phase] = max(end[r.Phase], r.End)
				}
				for i := 1; ; i++ {
					begin := slices.IndexFunc(l.events, func(e assay.Event) bool {
						return e.Kind == assay.EventPhaseBegin && e.Phase == "stress/"+strconv.Itoa(i)
					})
					if begin < 0 {
						if i < 6 || len(g.SearchPath()) != i-1 {
							t.Errorf("%d steps, path of %d", i-1, len(g.SearchPath()))
						}
						break
					}
					e := l.events[begin]
					if e.Attrs["of"] != "stress" || e.Attrs["step"] != strconv.Itoa(i) || e.Attrs["role"] != "stress" || e.Attrs["tightest"] != "0.5" || rate(t, e.Attrs["rate"]) <= 0 {
						t.Errorf("step %d began with %v", i, e.Attrs)
					}
					if before := end["stress/"+strconv.Itoa(i-1)]; e.Time < before {
						t.Errorf("step %d began at %d, before the last of the step before it ended at %d", i, e.Time, before)
					}
				}
			})
		})
	}
}

func TestSearchIsRepeatable(t *testing.T) {
	path := func(seed uint64) (p []string) {
		bubble(t, func(t *testing.T, clk *clock.Clock) {
			g, _ := run(t, t.Context(), clk, Config{Client: pretend(clk, newQueue(50*time.Millisecond).serve), Seed: seed,
				Phases: []Phase{{Name: "s", Search: &Search{Start: 6, SLO: map[string]float64{"e2e/p90": 0.4}}}}})
			p = g.SearchPath()
		})
		return p
	}
	one := path(1)
	if d := cmp.Diff(one, path(1)); d != "" || len(one) < 3 {
		t.Errorf("same seed, other path:\n%s", d)
	}
	if cmp.Equal(one, path(2)) {
		t.Error("another seed, same path")
	}
}

// TestSearchAbortsClearOverload: once a step is lost, no more is sent in it.
func TestSearchAbortsClearOverload(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		q := newQueue(50 * time.Millisecond)
		_, l := run(t, t.Context(), clk, Config{Client: pretend(clk, q.serve), Phases: []Phase{{Name: "s", Search: &Search{
			Start: 10, SLO: map[string]float64{"e2e/p95": 0.3}, Factor: 10, Step: 10 * time.Second, For: time.Minute, Tries: 1, Within: 20, Even: true}}}})
		n := 0
		for _, r := range l.requests {
			if r.Phase == "s/2" { // 100/s, five times what it can do
				n++
			}
		}
		if n < 16 || n > 150 {
			t.Errorf("%d requests in a step that was lost early, of 1000 planned", n)
		}
		got := result(t, l)
		if got["held"] != "10" || got["broke"] != "100" {
			t.Errorf("result %v, want held 10, broke 100", got)
		}
	})
}

func TestSearchGoesDown(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		_, l := run(t, t.Context(), clk, Config{Client: pretend(clk, newQueue(50*time.Millisecond).serve), Phases: []Phase{{Name: "s", Search: &Search{
			Start: 60, SLO: map[string]float64{"e2e/p95": 0.3}, Factor: 2, For: 2 * time.Minute, Even: true}}}})
		got := result(t, l)
		if held, broke := rate(t, got["held"]), rate(t, got["broke"]); held < 15 || broke > 24 {
			t.Errorf("held %g, broke %g: want about 20", held, broke)
		}
	})
}

// TestSecondTry: a target that scales out while it is overloaded gets the time to do so.
func TestSecondTry(t *testing.T) {
	for tries, want := range map[int]string{1: "20", 2: ""} {
		bubble(t, func(t *testing.T, clk *clock.Clock) {
			scaled := atomic.Bool{}
			q := newQueue(0)
			q.work = func() time.Duration {
				if scaled.Load() {
					return time.Millisecond
				}
				if len(q.slot) == 1 && clk.Now() > int64(9*time.Second) {
					time.AfterFunc(2500*time.Millisecond, func() { scaled.Store(true) })
				}
				return 60 * time.Millisecond
			}
			g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, q.serve), Phases: []Phase{{Name: "s", Search: &Search{
				Start: 10, SLO: map[string]float64{"e2e/p95": 0.3}, Factor: 2, Step: 8 * time.Second, Max: 80, For: 90 * time.Second, Tries: tries, Within: 1.99, Even: true}}}})
			if got := result(t, l)["broke"]; got != want {
				t.Errorf("%d tries: broke %q, want %q\n%s", tries, got, want, strings.Join(g.SearchPath(), "\n"))
			}
		})
	}
}

func TestFailuresAndRefusalsAreMisses(t *testing.T) {
	for name, c := range map[string]struct {
		cap     int
		slo     map[string]float64
		outcome func(id uint64) assay.Outcome
		held    string
		metric  string
	}{
		"one in five fails":          {0, map[string]float64{"e2e/p95": 1}, func(id uint64) assay.Outcome { return pick(id%5 == 0, assay.ServerError) }, "", "e2e/p95"},
		"one in forty fails":         {0, map[string]float64{"e2e/p95": 1}, func(id uint64) assay.Outcome { return pick(id%40 == 20, assay.ServerError) }, "20", ""},
		"the error ratio is its own": {0, map[string]float64{"e2e/p95": 1, "error_ratio": 0.01}, func(id uint64) assay.Outcome { return pick(id%40 == 20, assay.Throttled) }, "", "error_ratio"},
		"the cap refuses":            {1, map[string]float64{"e2e/p50": 1}, func(uint64) assay.Outcome { return assay.OK }, "", "e2e/p50"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				_, l := run(t, t.Context(), clk, Config{Cap: c.cap, Client: pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
					rest(ctx, 300*time.Millisecond)
					return c.outcome(r.ID)
				}), Phases: []Phase{{Name: "s", Search: &Search{Start: 20, Max: 20, SLO: c.slo, Even: true, For: 40 * time.Second, Tries: 1}}}})
				got := result(t, l)
				if got["held"] != c.held || got["metric"] != c.metric {
					t.Errorf("%v, want held %q, broke %q", got, c.held, c.metric)
				}
			})
		})
	}
}

func pick(bad bool, o assay.Outcome) assay.Outcome {
	if bad {
		return o
	}
	return assay.OK
}

// TestClustersDecideNothingAlone: misses that came in one cluster are worth little, whichever way they point.
func TestClustersDecideNothingAlone(t *testing.T) {
	p95 := limit{metric: "e2e/p95", what: "e2e", stat: "quantile", q: .95, max: 1}
	for _, c := range []struct {
		name      string
		miss      func(i int) bool
		good, bad bool
	}{
		{"one in ten, each alone", func(i int) bool { return i%10 == 9 }, false, true},
		{"as many at once", func(i int) bool { return i >= 100 && i < 140 }, false, false},
		{"half", func(i int) bool { return i%2 == 0 }, false, true},
		{"one in a hundred", func(i int) bool { return i%100 == 50 }, true, false},
	} {
		missed, values := make([]bool, 400), make([]float64, 400)
		for i := range missed {
			if values[i] = .5; c.miss(i) {
				missed[i], values[i] = true, 2
			}
		}
		if good, bad := p95.side(missed, values, .9, false); good != c.good || bad != c.bad {
			t.Errorf("%s: good %v, bad %v, want %v and %v", c.name, good, bad, c.good, c.bad)
		}
	}
}

// TestLateSendsAreNotHeldAgainstTheTarget: a step that a stall of our own spoiled is tried again.
func TestLateSendsAreNotHeldAgainstTheTarget(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		stalls := 1
		wait := func(stop <-chan struct{}, until int64) {
			late := time.Duration(0)
			if now := clk.Now(); stalls > 0 && now > int64(6*time.Second) { // in the second step
				stalls--
				late = 2 * time.Second
			}
			if d := time.Duration(until-clk.Now()) + late; d > 0 {
				time.Sleep(d)
			}
		}
		q := newQueue(time.Millisecond)
		g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, q.serve), Wait: wait, Phases: []Phase{{Name: "s", Search: &Search{
			Start: 20, Max: 30, SLO: map[string]float64{"e2e/p95": 0.1}, Even: true, Tries: 1}}}})
		if got := result(t, l); got["held"] != "30" || got["broke"] != "" || !strings.Contains(strings.Join(g.SearchPath(), "\n"), "30/s is void") {
			t.Errorf("%v\n%s", got, strings.Join(g.SearchPath(), "\n"))
		}
	})
}

// TestOurOwnLimitIsNotTheTargets: a rate that we never sent on time is left undecided, for that reason, and the limit sought below it.
func TestOurOwnLimitIsNotTheTargets(t *testing.T) {
	for name, c := range map[string]struct {
		set               Search
		held, broke, late string
	}{
		"search":  {Search{Start: 20, Max: 30, SLO: map[string]float64{"e2e/p95": 0.1}, Even: true}, "27.11", "", "30"},
		"careful": {Search{Start: 20, Max: 30, SLO: map[string]float64{"e2e/p95": 0.1}, Even: true, Careful: true}, "20", "", "30"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				var fast atomic.Bool // a step of 30/s is under way, in which nothing is yet late
				q := newQueue(time.Millisecond)
				wait := func(stop <-chan struct{}, until int64) {
					late := time.Duration(0)
					if fast.CompareAndSwap(true, false) {
						late = 2 * time.Second
					}
					if d := time.Duration(until-clk.Now()) + late; d > 0 {
						time.Sleep(d)
					}
				}
				g, err := New(Config{Client: pretend(clk, q.serve), Clock: clk, Wait: wait, Phases: []Phase{{Name: "s", Search: &c.set}}})
				if err != nil {
					t.Fatal(err)
				}
				l := &tape{}
				err = g.Run(t.Context(), func(rec assay.Record) error {
					if e, ok := rec.(*assay.Event); ok && e.Kind == assay.EventPhaseBegin && e.Attrs["rate"] == "30" {
						fast.Store(true)
					}
					return l.emit(rec)
				})
				if err != nil {
					t.Fatal(err)
				}
				got := result(t, l)
				if got["held"] != c.held || got["broke"] != c.broke || got["late"] != c.late || got["undecided"] != "" {
					t.Errorf("%v\n%s", got, strings.Join(g.SearchPath(), "\n"))
				}
			})
		})
	}
}

func TestUnmeasuredMetricEndsTheSearch(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		client := clientFunc(func(_ context.Context, _ *assay.Call, r *assay.Request) {
			r.Sent, r.End, r.Outcome = clk.Now(), clk.Now(), assay.OK
		})
		g, l := run(t, t.Context(), clk, Config{Client: client, Phases: []Phase{{Name: "s", Search: &Search{Start: 10, SLO: map[string]float64{"ttft/p95": 1}}}}})
		if got := result(t, l); got["ended"] != "ttft/p95 is not measured by this client" || got["held"] != "" || len(g.SearchPath()) != 1 {
			t.Errorf("%v after %q, want it ended for want of a measurement", got, g.SearchPath())
		}
	})
}

func TestGentleRamp(t *testing.T) {
	slo := map[string]float64{"ttft/p95": 2}
	for name, c := range map[string]struct {
		serve   serve
		most    int // requests
		least   int
		held    string
		maxRate float64
	}{
		"healthy": {func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, 200*time.Millisecond) }, 300, 200, "8", 8},
		"slow beyond 2/s": {func(ctx context.Context, r *assay.Request) assay.Outcome {
			if r.Phase == "ramp/4" {
				return rest(ctx, 3*time.Second)
			}
			return rest(ctx, 200*time.Millisecond)
		}, 160, 90, "2", 4},
		"dead": {func(ctx context.Context, _ *assay.Request) assay.Outcome { return assay.ServerError }, 2, 2, "", 0.5},
		"sheds at 1/s": {func(_ context.Context, r *assay.Request) assay.Outcome {
			return pick(r.Phase == "ramp/2", assay.Throttled)
		}, 40, 20, "0.5", 1},
		"slow cold start": {func(ctx context.Context, r *assay.Request) assay.Outcome {
			return rest(ctx, time.Duration(1+20*int(1/r.ID))*time.Second)
		}, 300, 200, "8", 8},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, c.serve), Phases: Ramp(slo, 0, Fixed(8), Fixed(8))})
				n := len(l.requests)
				if n > c.most || n < c.least || n > GentleRequests {
					t.Errorf("%d requests, want %d to %d\n%s", n, c.least, c.most, strings.Join(g.SearchPath(), "\n"))
				}
				if got := result(t, l)["held"]; got != c.held {
					t.Errorf("held %q, want %q\n%s", got, c.held, strings.Join(g.SearchPath(), "\n"))
				}
				first := l.byID()
				canary := l.requests[slices.IndexFunc(l.requests, func(r assay.Request) bool { return r.Phase == "canary" })]
				for _, r := range first {
					if r.Phase != "canary" && r.Due < canary.End {
						t.Errorf("request %d of %s was due before the canary had ended", r.ID, r.Phase)
					}
				}
				for _, e := range l.events {
					if v := e.Attrs["rate"]; v != "" && rate(t, v) > c.maxRate {
						t.Errorf("phase %s at %s/s, want at most %g/s", e.Phase, v, c.maxRate)
					}
				}
			})
		})
	}
	s := mustSchedule(t, 1, Ramp(slo, 50, nil, nil)...)
	if fixed, more := s.Requests(); fixed+more != 50 {
		t.Errorf("%d requests and %d more, want 50", fixed, more)
	}
	if s := mustSchedule(t, 1, Ramp(slo, 1, nil, nil)...); s.fixed != 1 || len(s.phases) != 1 {
		t.Errorf("one request allowed: %d in %d phases", s.fixed, len(s.phases))
	}
}

func TestSearchStopsWithTheLoad(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		_, l := run(t, ctx, clk, Config{Client: pretend(clk, newQueue(50*time.Millisecond).serve), Phases: []Phase{{Name: "s", Search: &Search{Start: 5, SLO: map[string]float64{"e2e/p95": 1}}}, even("after", 1, time.Second)}})
		if took := time.Duration(clk.Now() - base); took > 7*time.Second {
			t.Errorf("ended after %v, want about 6s", took)
		}
		if got := result(t, l); got["ended"] != "the load was stopped" || got["held"] != "" || got["undecided"] != "5" { // 20 requests cannot show a p95
			t.Errorf("result %v", got)
		}
		for _, r := range l.requests {
			if r.Phase == "after" {
				t.Error("a later phase was sent")
			}
		}
	})
}

func TestMeasure(t *testing.T) {
	step := func(open int) *step {
		s := newStep(nil, 20, 0)
		s.due = 20 + open
		for i := range 20 {
			s.end(&assay.Request{Due: int64(i + 1), End: int64(i+1) + int64(i+1)*1e9, Outcome: assay.OK})
		}
		return s
	}
	for stat, want := range map[string]float64{"e2e/p95": 19, "e2e/p50": 10, "e2e/p99": 20, "e2e/max": 20, "e2e/mean": 10.5} {
		l, err := parseSLO(map[string]float64{stat: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := step(0).measure(l[0]); !ok || got != want {
			t.Errorf("%s: %g, want %g", stat, got, want)
		}
	}
	if got, _ := step(1).measure(limit{what: "e2e", stat: "max"}); !math.IsInf(got, 1) {
		t.Errorf("max with an open request: %g, want infinity", got)
	}
}
