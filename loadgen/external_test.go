package loadgen

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// foreignLoad returns an external load that sends n requests and waits for its end if it is to.
func foreignLoad(n int, wait bool, err error) External {
	return func(ctx context.Context, begin int64, emit func(assay.Record) error) error {
		_ = emit(&assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Source: "k6", Phase: "other/s"})
		for i := range n {
			r := assay.Request{ID: uint64(i + 1), Phase: "other/s", Due: begin + int64(i), Sent: begin + int64(i) + 1, End: begin + int64(i) + 2, Outcome: assay.OK}
			if i == 1 {
				r.Outcome, r.Sent = assay.RefusedByCap, 0
			}
			_ = emit(&r)
		}
		if wait {
			<-ctx.Done()
		}
		return err
	}
}

// TestExternal has a phase that another program sends stand between two of ours.
func TestExternal(t *testing.T) {
	for name, tt := range map[string]struct {
		external External
		limit    time.Duration
		budget   int
		sent     int64
		texts    []string // of warnings and annotations
		stopped  string
	}{
		"ends":     {external: foreignLoad(4, false, nil), limit: time.Minute, sent: 9},
		"too long": {external: foreignLoad(4, true, nil), limit: 50 * time.Millisecond, sent: 9, texts: []string{"other was ended after 50ms, the longest it may last"}},
		"fails":    {external: foreignLoad(1, false, errors.New("k6 died")), limit: time.Minute, sent: 7, texts: []string{"k6 died"}},
		"budget": {external: foreignLoad(9, true, nil), limit: time.Minute, budget: 5, sent: 11, stopped: "budget",
			texts: []string{"5 requests were sent, all that the budget allows"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, clk *clock.Clock) {
				g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }), MaxRequests: tt.budget, Phases: []Phase{
					{Name: "before", Arrivals: Even{Profile{Rate: 100}}, For: 30 * time.Millisecond},
					{Name: "other", External: tt.external, For: tt.limit},
					{Name: "after", Arrivals: Even{Profile{Rate: 100}}, For: 30 * time.Millisecond},
				}})
				if fixed, more := g.Schedule().Requests(); fixed != 6 || more != -1 {
					t.Errorf("%d fixed requests and %d more, want 6 and any number", fixed, more)
				}
				if got := g.Live(); got.Sent != tt.sent || g.Stopped() != tt.stopped {
					t.Errorf("%d sent, stopped by %q; want %d, %q", got.Sent, g.Stopped(), tt.sent, tt.stopped)
				}
				ids, phases := map[uint64]bool{}, map[string]int{}
				for _, r := range l.requests {
					ids[r.ID] = true
					phases[r.Phase]++
				}
				if len(ids) != len(l.requests) {
					t.Errorf("%d ids for %d requests", len(ids), len(l.requests))
				}
				var texts []string
				for _, e := range l.events {
					if e.Kind == assay.EventWarning || e.Kind == assay.EventAnnotation || e.Kind == assay.EventStop {
						texts = append(texts, e.Text)
					}
				}
				if diff := cmp.Diff(tt.texts, texts); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
				if phases["before"] != 3 || tt.stopped == "" && phases["after"] != 3 {
					t.Errorf("requests by phase: %v", phases)
				}
			})
		})
	}
	_, err := NewSchedule([]Phase{{Name: "x", For: time.Second, External: foreignLoad(0, false, nil), Arrivals: Even{Profile{Rate: 1}}}}, 1)
	if err == nil || !strings.Contains(err.Error(), "only one of arrivals, closed, search, hold, cold and external") {
		t.Errorf("got %v", err)
	}
}
