package loadgen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// told returns the requests as text.
func told(l *tape, base int64) (out []string) {
	slices.SortFunc(l.requests, func(a, b assay.Request) int { return int(a.Due - b.Due) })
	for _, r := range l.requests {
		out = append(out, fmt.Sprintf("%d.%d %s due %v %v forced %v schedule %v", r.ID, r.Attempt, r.Phase, time.Duration(r.Due-base), r.Outcome, r.Forced, !r.NoSchedule))
	}
	return out
}

// texts returns what the events of a kind say.
func texts(l *tape, kind string) (out []string) {
	for _, e := range l.events {
		if e.Kind == kind {
			out = append(out, e.Text)
		}
	}
	return out
}

func TestColdStarts(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		cold, chilled := false, 0
		client := pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			if r.Forced {
				if !cold {
					t.Errorf("request %d was sent to a warm target", r.ID)
				}
				cold = false
				return rest(ctx, 300*time.Millisecond)
			}
			return assay.OK
		})
		g, l := run(t, t.Context(), clk, Config{Client: client, Phases: []Phase{
			even("a", 1, time.Second),
			{Name: "c", Cold: &Cold{Force: 3, Every: time.Second, Settle: 50 * time.Millisecond}, Prompt: Fixed(3), Output: Fixed(4)},
			even("b", 1, time.Second),
		}, Chill: func(context.Context) error {
			time.Sleep(100 * time.Millisecond)
			cold = true
			chilled++
			return nil
		}})
		want := []string{
			"1.0 a due 0s ok forced false schedule true",
			"3.0 c due 1.15s ok forced true schedule false",
			"4.0 c due 2.3s ok forced true schedule false", // a second after the last was due, and cold again
			"5.0 c due 3.45s ok forced true schedule false",
			"2.0 b due 3.75s ok forced false schedule true", // at once after the last was served
		}
		if d := cmp.Diff(want, told(l, base)); d != "" || chilled != 3 {
			t.Errorf("chilled %d times (-want +got):\n%s", chilled, d)
		}
		if d := cmp.Diff([]string{"c: 3 cold starts were forced"}, texts(l, assay.EventAnnotation)); d != "" {
			t.Error(d)
		}
		if fixed, more := g.Schedule().Requests(); fixed != 2 || more != 3 {
			t.Errorf("%d requests and %d more, want 2 and 3", fixed, more)
		}
		if d := g.Schedule().Duration(); d != 2*time.Second+3*(time.Minute+50*time.Millisecond) {
			t.Errorf("lasts at most %v", d)
		}
	})
}

// A platform that holds no request while an instance starts refuses it: it is sent again until it is served.
func TestColdStartsOfAPlatformThatRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		client := pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
			rest(ctx, 50*time.Millisecond)
			switch {
			case r.ID == 2: // never comes up
				return assay.Refused
			case r.Attempt < 2:
				return assay.Loading
			}
			return assay.OK
		})
		_, l := run(t, t.Context(), clk, Config{Client: client, Deadline: time.Second, Chill: func(context.Context) error { return nil },
			Phases: []Phase{{Name: "c", Cold: &Cold{Force: 2}, For: time.Minute}}})
		want := []string{
			"1.0 c due 0s loading forced true schedule false", "1.1 c due 300ms loading forced true schedule false", "1.2 c due 600ms ok forced true schedule false",
			"2.0 c due 650ms refused forced true schedule false", "2.1 c due 950ms refused forced true schedule false", "2.2 c due 1.25s refused forced true schedule false",
			"2.3 c due 1.55s refused forced true schedule false",
		}
		if d := cmp.Diff(want, told(l, base)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

func TestColdStartsThatEndEarly(t *testing.T) {
	cold := func(n int, d time.Duration) []Phase { return []Phase{{Name: "c", Cold: &Cold{Force: n}, For: d}} }
	bubble(t, func(t *testing.T, clk *clock.Clock) { // three failures in a row end it
		base := clk.Now()
		_, l := run(t, t.Context(), clk, Config{Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }), Phases: cold(5, time.Minute),
			Chill: func(context.Context) error { return errors.New("forbidden") }})
		if got := texts(l, assay.EventWarning); len(got) != 4 || got[0] != "c: the deployment was not made cold: forbidden" || got[3] != "c: 0 of 5 cold starts were forced before it ended" ||
			clk.Now()-base != int64(2*time.Second) || len(l.requests) != 0 {
			t.Errorf("%q after %v, %d requests", got, time.Duration(clk.Now()-base), len(l.requests))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // its time is over
		_, l := run(t, t.Context(), clk, Config{Client: pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, time.Second) }),
			Phases: cold(50, 3*time.Second), Chill: func(context.Context) error { return nil }})
		if len(l.requests) != 3 || !strings.HasPrefix(texts(l, assay.EventWarning)[0], "c: 3 of 50 cold starts") {
			t.Errorf("%d requests, %q", len(l.requests), texts(l, assay.EventWarning))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // a stop ends a chill that hangs
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		base := clk.Now()
		hung := false
		_, l := run(t, ctx, clk, Config{Client: pretend(clk, nil), Phases: cold(5, time.Hour), Chill: func(ctx context.Context) error {
			<-ctx.Done()
			hung = true
			return ctx.Err()
		}})
		if took := time.Duration(clk.Now() - base); took != 5*time.Second || !hung || len(l.requests) != 0 || len(texts(l, assay.EventWarning)) != 0 {
			t.Errorf("ended after %v, %q", took, texts(l, assay.EventWarning))
		}
	})
	bubble(t, func(t *testing.T, clk *clock.Clock) { // the budget is spent
		g, l := run(t, t.Context(), clk, Config{MaxRequests: 2, Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }),
			Phases: cold(5, time.Hour), Chill: func(context.Context) error { return nil }})
		if len(l.requests) != 2 || g.Stopped() != "budget" {
			t.Errorf("%d requests, stopped by %q", len(l.requests), g.Stopped())
		}
	})
}

func TestColdRefusesWhatMakesNone(t *testing.T) {
	for want, p := range map[string]Phase{
		`load phase "c" forces cold starts, and nothing makes the target cold`: {Name: "c", Cold: &Cold{Force: 1}},
		`load phase 1 "c": cold with 0 starts: want 1 to 100000`:               {Name: "c", Cold: &Cold{}},
		`load phase 1 "c": want only one of`:                                   {Name: "c", Cold: &Cold{Force: 1}, Closed: &Closed{N: 1}, For: time.Second},
	} {
		_, err := New(Config{Clock: clock.New(), Client: pretend(clock.New(), nil), Phases: []Phase{p}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
