package loadgen

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// failing is a client whose attempts end as listed, each after 10 ms, and well after that.
func failing(clk *clock.Clock, after time.Duration, outcomes ...assay.Outcome) assay.Client {
	return pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
		rest(ctx, 10*time.Millisecond)
		if int(r.Attempt) < len(outcomes) {
			r.RetryAfter = int64(after)
			return outcomes[r.Attempt]
		}
		return assay.OK
	})
}

func TestRetries(t *testing.T) {
	const ms = time.Millisecond
	attempts := func(l *tape, base int64) (out []string) {
		for _, r := range l.requests {
			out = append(out, fmt.Sprintf("%d.%d due %v %v schedule %v", r.ID, r.Attempt, time.Duration(r.Due-base), r.Outcome, !r.NoSchedule))
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		retry *Retry
		cap   int
		max   int
		after time.Duration
		fails []assay.Outcome
		want  []string
	}{
		{"none by default", nil, 0, 0, 0, []assay.Outcome{assay.Unavailable}, []string{"1.0 due 0s unavailable schedule true"}},
		{"until it is served", &Retry{Attempts: 5, Backoff: 100 * ms}, 0, 0, 0, []assay.Outcome{assay.Unavailable, assay.Reset},
			[]string{"1.0 due 0s unavailable schedule true", "1.1 due 110ms reset schedule false", "1.2 due 320ms ok schedule false"}},
		{"until the attempts are used up", &Retry{Attempts: 2}, 0, 0, 0, []assay.Outcome{assay.Throttled, assay.Throttled},
			[]string{"1.0 due 0s throttled schedule true", "1.1 due 210ms throttled schedule false"}},
		{"only what it is for", &Retry{Attempts: 5, On: []assay.Outcome{assay.Throttled}}, 0, 0, 0, []assay.Outcome{assay.Throttled, assay.ServerError},
			[]string{"1.0 due 0s throttled schedule true", "1.1 due 210ms server_error schedule false"}},
		{"no longer than max", &Retry{Attempts: 4, Backoff: 100 * ms, Factor: 10, Max: 300 * ms}, 0, 0, 0, []assay.Outcome{assay.Refused, assay.Refused, assay.Refused},
			[]string{"1.0 due 0s refused schedule true", "1.1 due 110ms refused schedule false", "1.2 due 420ms refused schedule false", "1.3 due 730ms ok schedule false"}},
		{"as long as it is asked to", &Retry{Attempts: 3, RetryAfter: true}, 0, 0, time.Second, []assay.Outcome{assay.Throttled},
			[]string{"1.0 due 0s throttled schedule true", "1.1 due 1.01s ok schedule false"}},
		{"not when asked to wait too long", &Retry{Attempts: 3, RetryAfter: true}, 0, 0, time.Minute, []assay.Outcome{assay.Throttled}, []string{"1.0 due 0s throttled schedule true"}},
		{"not by default as long as asked", &Retry{Attempts: 3}, 0, 0, time.Minute, []assay.Outcome{assay.Throttled},
			[]string{"1.0 due 0s throttled schedule true", "1.1 due 210ms ok schedule false"}},
		{"within the budget", &Retry{Attempts: 9}, 0, 2, 0, []assay.Outcome{assay.Reset, assay.Reset, assay.Reset},
			[]string{"1.0 due 0s reset schedule true", "1.1 due 210ms reset schedule false"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				base := clk.Now()
				_, l := run(t, t.Context(), clk, Config{Cap: tt.cap, MaxRequests: tt.max, Retry: tt.retry, Client: failing(clk, tt.after, tt.fails...), Phases: []Phase{even("a", 1, time.Second)}})
				if d := cmp.Diff(tt.want, attempts(l, base)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				traces := map[assay.TraceID]bool{}
				for _, r := range l.requests {
					if traces[r.TraceID] {
						t.Errorf("attempt %d has the trace of another", r.Attempt)
					}
					traces[r.TraceID] = true
				}
			})
		})
	}
}

// A retry takes its place like any other request, and one without is recorded as ours.
func TestRetriesRespectTheCap(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		client := pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			if r.ID == 1 {
				return assay.Reset // at once; the next attempt is due at 200 ms
			}
			return rest(ctx, time.Second) // from 100 ms on
		})
		_, l := run(t, t.Context(), clk, Config{Cap: 1, Retry: &Retry{Attempts: 3}, Client: client, Phases: []Phase{even("a", 10, 200*time.Millisecond)}})
		var got []string
		for _, r := range l.byID() {
			got = append(got, fmt.Sprintf("%d.%d %v %v", r.ID, r.Attempt, time.Duration(r.Due-base), r.Outcome))
		}
		if d := cmp.Diff([]string{"1.0 0s reset", "1.1 200ms refused_by_cap", "2.0 100ms ok"}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// A search sees whole chains: what was served after a retry was served, as late as that was.
func TestRetriesInASearch(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		g, l := run(t, t.Context(), clk, Config{Retry: &Retry{Attempts: 3, Backoff: 100 * time.Millisecond}, Client: failing(clk, 0, assay.Unavailable),
			Phases: []Phase{{Name: "s", Search: &Search{Start: 10, Max: 10, SLO: map[string]float64{"e2e/p50": 0.125, "error_ratio": 0.1}, Step: 4 * time.Second}, Prompt: Fixed(1), Output: Fixed(1)}}})
		path := g.SearchPath()
		if len(path) != 2 || !cmp.Equal(path[0][:17], "s/1 10/s held: e2") {
			t.Errorf("path %v", path)
		}
		n := map[int32]int{}
		for _, r := range l.requests {
			n[r.Attempt]++
		}
		if n[0] == 0 || n[0] != n[1] || len(n) != 2 {
			t.Errorf("attempts %v", n)
		}
	})
}

// A stop, and the end of the run's patience, end a chain that waits for its next attempt.
func TestRetriesEndWithTheRun(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		_, l := run(t, t.Context(), clk, Config{Deadline: time.Second, Retry: &Retry{Attempts: 3, Backoff: time.Hour, Max: time.Hour}, Client: failing(clk, 0, assay.Reset), Phases: []Phase{even("a", 1, time.Second)}})
		if took := time.Duration(clk.Now() - base); len(l.requests) != 1 || took > 3*time.Second {
			t.Errorf("%d attempts, %v; want one, and an end soon after the drain", len(l.requests), took)
		}
	})
}

func TestRetryRefusesWhatMakesNone(t *testing.T) {
	for want, r := range map[string]Retry{
		"retry with 1 attempts: want 2 to 100":                           {Attempts: 1},
		"retry on ok: want outcomes that speak of the target":            {Attempts: 2, On: []assay.Outcome{assay.OK}},
		"retry on nothing: want at least one outcome":                    {Attempts: 2, On: []assay.Outcome{}},
		"retry with factor 0.5: want 1 or more":                          {Attempts: 2, Factor: 0.5},
		"retry after 1m0s, at most 1s: want 0s or more, and at most max": {Attempts: 2, Backoff: time.Minute, Max: time.Second},
	} {
		if _, err := New(Config{Clock: clock.New(), Client: pretend(clock.New(), nil), Phases: []Phase{even("a", 1, time.Second)}, Retry: &r}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
