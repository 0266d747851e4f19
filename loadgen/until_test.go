package loadgen

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A phase with Until goes on while its end is not known, ends within a period of being told, and never lasts longer than For; the next phase
// begins there.
func TestPhaseUntil(t *testing.T) {
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		s := int64(time.Second)
		var told atomic.Int64
		told.Store(math.MaxInt64)
		go func() {
			time.Sleep(7 * time.Second)
			told.Store(9 * s)
		}()
		held := func(int64) int64 { return told.Load() }
		log := &tape{}
		g, err := New(Config{Clock: clk, Seed: 1, Wait: sleeping(clk), Client: pretend(clk, func(context.Context, *assay.Request) assay.Outcome { return assay.OK }), Phases: []Phase{
			{Name: "held", For: time.Hour, Arrivals: Even{Profile{Rate: 0.5}}, Until: held},
			{Name: "silent", For: time.Hour, Until: func(begin int64) int64 { return begin + 3*s }},
			{Name: "longest", For: 2 * time.Second, Arrivals: Even{Profile{Rate: 10}}, Until: func(int64) int64 { return math.MaxInt64 }},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Run(context.Background(), log.emit); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range log.events {
			if e.Kind == assay.EventPhaseBegin || e.Kind == assay.EventPhaseEnd {
				got = append(got, fmt.Sprintf("%s %s %v %q", e.Kind, e.Phase, time.Duration(e.Time).Round(100*time.Millisecond), e.Attrs["planned"]))
			}
		}
		want := []string{`phase.begin held 0s ""`, `phase.end held 9s ""`, `phase.begin silent 9s ""`, `phase.end silent 12s ""`, `phase.begin longest 12s ""`, `phase.end longest 14s ""`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		sent := map[string]int{}
		for _, r := range log.requests {
			sent[r.Phase]++
		}
		if diff := cmp.Diff(map[string]int{"held": 5, "longest": 20}, sent); diff != "" {
			t.Errorf("requests (-want +got)\n%s", diff)
		}
	})
}
