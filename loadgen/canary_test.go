package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// The canary keeps its own time and places, whatever the load does, and rests where silence is the point.
func TestCanaryRides(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		base := clk.Now()
		var mu sync.Mutex
		calls := map[string]int{}
		own := clientFunc(func(ctx context.Context, c *assay.Call, r *assay.Request) {
			mu.Lock()
			calls[fmt.Sprint(c.Prompt, c.MaxTokens, c.Greedy, c.Seed)]++
			mu.Unlock()
			pretender{clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }}.Do(ctx, c, r)
		})
		hung := pretend(clk, func(ctx context.Context, _ *assay.Request) assay.Outcome { return rest(ctx, time.Hour) })
		g, l := run(t, t.Context(), clk, Config{Cap: 1, Deadline: 30 * time.Second, Seed: 3, Client: hung, Phases: []Phase{
			even("a", 10, 7*time.Second),
			{Name: "quiet", For: 5 * time.Second},
			{Name: "gaps", Arrivals: Ladder{Start: time.Second, Max: 2 * time.Second}},
			even("b", 10, 4*time.Second),
		}, Canary: &Canary{Client: own, Prompt: "say it", Every: 2 * time.Second}})
		var got []string
		for _, r := range l.byID() {
			if !r.Canary {
				continue
			}
			got = append(got, fmt.Sprintf("%v %s %s %v in %d asked %d schedule %v", time.Duration(r.Due-base), r.Phase, r.Class, r.Outcome, r.TokensIn, r.TokensAsked, !r.NoSchedule))
			if r.Sent != r.Due || r.ID <= uint64(g.Schedule().fixed) || r.TraceID.IsZero() {
				t.Errorf("%+v", r)
			}
		}
		// Phases: a to 7 s, quiet to 12 s, gaps from 12 s to 16.5 s, b from there to 20.5 s.
		want := []string{"0s a canary ok in 2 asked 16 schedule true", "2s a canary ok in 2 asked 16 schedule true", "4s a canary ok in 2 asked 16 schedule true",
			"6s a canary ok in 2 asked 16 schedule true"}
		for at := 18; at < 21; at += 2 {
			want = append(want, fmt.Sprintf("%ds b canary ok in 2 asked 16 schedule true", at))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("canaries (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[string]int{"say it16 true 3": len(want)}, calls); d != "" {
			t.Errorf("calls (-want +got):\n%s", d)
		}
	})
}

func TestCanaryTakesFromTheBudget(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		ok := pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK })
		g, l := run(t, t.Context(), clk, Config{Client: ok, MaxRequests: 5, Phases: []Phase{even("a", 1, time.Minute)}, Canary: &Canary{Client: ok, Every: 700 * time.Millisecond}})
		if len(l.requests) != 5 || g.Stopped() != "budget" {
			t.Errorf("%d requests, stopped by %q; want 5 by the budget", len(l.requests), g.Stopped())
		}
	})
}

func TestCanaryRefusesWhatMakesNone(t *testing.T) {
	c := pretend(clock.New(), nil)
	for want, k := range map[string]Canary{"canary: no client": {}, "canary every 1ms: want at least 10ms": {Client: c, Every: time.Millisecond}, "canary with an answer of -1 tokens: want 1 or more": {Client: c, Output: -1}} {
		if _, err := New(Config{Clock: clock.New(), Client: c, Phases: []Phase{even("a", 1, time.Second)}, Canary: &k}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The first good answer sets the fingerprint, if it may; each later answer is held against it.
func TestStableAnswers(t *testing.T) {
	var text, body atomic.Value
	text.Store("good news")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body.Store(b)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range strings.SplitAfter(text.Load().(string), " ") {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word)
		}
		io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	defer srv.Close()
	may := false
	var told []string
	client, err := NewOpenAI(Endpoint{URL: srv.URL, Clock: clock.New(), Expect: &Expect{Contains: "news", Stable: true, Learn: func(d string) bool { told = append(told, d[:8]); return may }}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, s := range []struct {
		say  string
		may  bool
		want string
	}{
		{"no answer", true, "wrong_content answer lacks the expected text"}, // nothing to learn from
		{"old news", false, "ok "},
		{"good news", true, "ok "},
		{"old news", true, "wrong_content answer is not the one that was given at first"},
		{"good news", false, "ok "},
	} {
		text.Store(s.say)
		may = s.may
		var r assay.Request
		client.Do(t.Context(), &assay.Call{Stream: true, Greedy: true}, &r)
		if got := r.Outcome.String() + " " + r.Error; got != s.want {
			t.Errorf("%d %q: got %q, want %q", i, s.say, got, s.want)
		}
		if !bytes.Contains(body.Load().([]byte), []byte(`"temperature":0`)) {
			t.Errorf("a greedy call asks %s", body.Load())
		}
	}
	if len(told) != 2 || told[0] == told[1] {
		t.Errorf("told of %v, want of two digests", told)
	}
}
