package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// wallet pays for so many requests and notes what was reserved and used.
type wallet struct {
	mu     sync.Mutex
	left   int
	open   int
	paid   []string
	booked []string
}

func (w *wallet) Pay(prompt, answer int32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 {
		return errors.New("the wallet is empty")
	}
	w.left--
	w.open++
	w.paid = append(w.paid, fmt.Sprint(prompt, "+", answer))
	return nil
}

func (w *wallet) Book(r *assay.Request) error {
	if w.Pay(r.TokensIn, r.TokensOut) != nil {
		return errors.New("the wallet is empty")
	}
	w.Settle(r.TokensIn, r.TokensOut, r)
	return nil
}

func (w *wallet) Settle(prompt, answer int32, r *assay.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open--
	w.booked = append(w.booked, fmt.Sprint(prompt, "+", answer, " ", r.Outcome))
}

// Whatever sends a request pays for it first, and once it cannot, nothing more is sent.
func TestEveryKindOfLoadPays(t *testing.T) {
	bad := assay.Unavailable
	for name, cfg := range map[string]Config{
		"arrivals": {Phases: []Phase{even("a", 10, time.Minute)}},
		"closed":   {Phases: []Phase{{Name: "c", Closed: &Closed{N: 3}, For: time.Minute, Prompt: Fixed(3), Output: Fixed(5)}}},
		"search":   {Phases: []Phase{{Name: "s", Search: &Search{Start: 10, SLO: map[string]float64{"e2e/p50": 10}}, Prompt: Fixed(3), Output: Fixed(5)}}},
		"cold":     {Phases: []Phase{{Name: "c", Cold: &Cold{Force: 50}, Prompt: Fixed(3), Output: Fixed(5)}}, Chill: func(context.Context) error { return nil }},
		"session":  {Phases: []Phase{{Name: "a", Arrivals: Even{Profile{Rate: 1}}, For: time.Minute, Prompt: Fixed(3), Output: Fixed(5), Session: &Session{Turns: Fixed(4), Think: Think{Mean: time.Second}}}}},
		"retries":  {Phases: []Phase{even("a", 1, time.Minute)}, Retry: &Retry{Attempts: 4}},
		"canary":   {Phases: []Phase{even("a", 0.01, time.Minute)}, Canary: &Canary{Every: time.Second, Prompt: "one two three", Output: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				w := &wallet{left: 7}
				client := pretend(clk, func(ctx context.Context, r *assay.Request) assay.Outcome {
					rest(ctx, 50*time.Millisecond)
					if name == "retries" {
						return bad
					}
					return assay.OK
				})
				cfg.Client, cfg.Purse = client, w
				if cfg.Canary != nil {
					cfg.Canary.Client = client
				}
				g, l := run(t, t.Context(), clk, cfg)
				if len(l.requests) != 7 || len(w.paid) != 7 || len(w.booked) != 7 || w.open != 0 || g.Live().Sent != 7 {
					t.Errorf("%d requests, %d paid, %d booked, %d open, %d sent", len(l.requests), len(w.paid), len(w.booked), w.open, g.Live().Sent)
				}
				if w.paid[0] != "3+5" || name != "session" && w.paid[6] != "3+5" {
					t.Errorf("paid %v", w.paid)
				}
				if g.Stopped() != "budget" || g.Said() != "the wallet is empty" {
					t.Errorf("stopped by %q: %q", g.Stopped(), g.Said())
				}
			})
		})
	}
}

func TestNeeds(t *testing.T) {
	s, err := NewSchedule([]Phase{
		even("a", 10, 2*time.Second),
		{Name: "quiet", For: time.Second},
		{Name: "talk", Arrivals: Even{Profile{Rate: 1}}, For: 2 * time.Second, Prompt: Fixed(10), Output: Fixed(4), Session: &Session{Turns: Fixed(3), Message: Fixed(2)}},
		{Name: "s", Search: &Search{Start: 10, Factor: 2, Max: 30, Step: time.Second, For: 5 * time.Second, SLO: map[string]float64{"e2e/p50": 1}}, Prompt: Fixed(3), Output: Fixed(5)},
		{Name: "h", Hold: &Hold{Of: "s", Share: 0.5}, For: 10 * time.Second, Prompt: Fixed(3)},
		{Name: "few", Hold: &Hold{Of: "s", Share: 0.5}, For: 10 * time.Second, Max: 40},
		{Name: "c", Closed: &Closed{N: 2}, For: time.Second, Prompt: Fixed(6), Output: Fixed(7)},
		{Name: "cold", Cold: &Cold{Force: 4}, For: time.Minute, Prompt: Fixed(8), Output: Fixed(9)},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []Need{
		{Phase: "a", For: 2 * time.Second, Requests: 20, Most: 20, Prompt: 3, Answer: 5},
		{Phase: "quiet", For: time.Second},
		// 10+4, then 10+4+2 and 4, then 10+4+2+4+2 and 4
		{Phase: "talk", For: 2 * time.Second, Requests: 6, Most: 6, Prompt: (10.0 + 16 + 22) / 3, Answer: 4},
		{Phase: "s", For: 5 * time.Second, Requests: 50, Most: 10 + 20 + 30 + 30 + 30, Prompt: 3, Answer: 5},
		{Phase: "h", For: 10 * time.Second, Requests: 150, Most: 150, Prompt: 3},
		{Phase: "few", For: 10 * time.Second, Requests: 40, Most: 40},
		{Phase: "c", For: time.Second, Most: math.Inf(1), Prompt: 6, Answer: 7},
		{Phase: "cold", For: time.Minute, Requests: 4, Most: 4, Prompt: 8, Answer: 9},
	}
	if d := cmp.Diff(want, s.Needs(), cmpopts.EquateApprox(0, 1e-9)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A larger job would be allocated for each request: see its comment.
func TestJobIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(job{}); n > 128 {
		t.Errorf("a job takes %d bytes, want at most 128", n)
	}
}
