package live

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func texts(bs []Breach) (out []string) {
	for _, b := range bs {
		out = append(out, b.Text)
	}
	return out
}

func TestGuards(t *testing.T) {
	open := 5
	w := New(Options{Clock: clock.New(), InFlight: func() int { return open }})
	g, err := NewGuards(w, []Guard{{Metric: "error_ratio", Over: 10 * time.Second, Max: 0.5}, {Metric: "ttft/p95", Max: 2, Min: math.Inf(-1)}, {Metric: "in_flight", Max: 100}})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(100e9)
	add := func(n int, o assay.Outcome, ttft float64) {
		for range n {
			w.Observe(&assay.Request{Due: at - int64(ttft*1e9), Sent: at, FirstToken: at, End: at, Outcome: o})
		}
	}
	steps := []struct {
		do   func()
		want []string
	}{
		{func() { add(9, assay.Timeout, 0) }, nil}, // too few to judge by
		{func() { add(1, assay.Timeout, 0) }, []string{"error_ratio over 10s is 100.0 %, above its max 50.0 % (n=10)"}},
		{func() { add(10, assay.OK, 1) }, nil}, // at its max, not above
		{func() { add(9, assay.OK, 3) }, nil},
		{func() { add(1, assay.OK, 3) }, []string{"ttft/p95 over 10s is 3.00 s, above its max 2.00 s (n=20)"}},
		{func() { at += 11e9 }, nil},
		{func() { add(10, assay.OK, 1); add(6, assay.Throttled, 0); add(6, assay.ClientError, 0) }, []string{"error_ratio over 10s is 54.5 %, above its max 50.0 % (n=22)"}}, // turned away, or gone
		{func() { at += 11e9 }, nil},
		{func() { open = 101 }, []string{"in_flight is 101, above its max 100"}},
	}
	for i, s := range steps {
		s.do()
		if d := cmp.Diff(s.want, texts(g.Evaluate(at))); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
}

// Canaries count against their own guard, and tell nothing of the load: of its errors, latency or rate.
func TestGuardsSeeTheCanary(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	g, err := NewGuards(w, []Guard{{Metric: "canary_ratio", Over: 10 * time.Second, Max: 0.4}, {Metric: "error_ratio", Max: 0.15}})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(100e9)
	add := func(n int, o assay.Outcome, canary bool) {
		for range n {
			w.Observe(&assay.Request{Due: at - 1e9, Sent: at - 1e9, FirstToken: at, End: at, Outcome: o, Canary: canary})
		}
	}
	for i, s := range []struct {
		do   func()
		want []string
	}{
		{func() { add(8, assay.OK, false); add(1, assay.WrongContent, true) }, nil}, // one canary judges nothing
		{func() { add(1, assay.OK, true); add(1, assay.Throttled, true) }, []string{"canary_ratio over 10s is 50.0 %, above its max 40.0 % (n=2)"}},
		{func() { add(1, assay.OK, true) }, nil},
		{func() { add(2, assay.WrongContent, true) }, []string{"canary_ratio over 10s is 60.0 %, above its max 40.0 % (n=5)"}},
	} {
		s.do()
		if d := cmp.Diff(s.want, texts(g.Evaluate(at))); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
	if _, n := w.Quantile(TTFT, 0.5, 10*time.Second, at); n != 8 {
		t.Errorf("%d requests tell of TTFT, want the 8 of the load", n)
	}
}

func TestGuardsNoData(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	g, err := NewGuards(w, []Guard{{Metric: "error_ratio", Max: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	s := func(n float64) int64 { return int64(n * 1e9) }
	for i, step := range []struct {
		e    assay.Record
		at   float64
		want []string
	}{
		{nil, 100, nil}, // no load yet
		{event(assay.EventPhaseBegin, s(100), "phase", "a", "role", "steady", "rate", "8"), 129.9, nil},
		{nil, 130, []string{"no data: no request has been answered or failed for 30s"}},
		{&assay.Request{Due: s(130), End: s(131), Outcome: assay.RefusedByCap}, 131, []string{"no data: no request has been answered or failed for 31s"}},
		{&assay.Request{Due: s(130), End: s(132), Outcome: assay.Timeout}, 133, nil},
		{nil, 162, []string{"no data: no request has been answered or failed for 30s"}},
		{event(assay.EventPhaseBegin, s(163), "phase", "b", "role", "idle"), 300, nil},
		{event(assay.EventPhaseBegin, s(300), "phase", "c", "role", "steady", "rate", "0.1"), 349, nil}, // 50 s at so low a rate
		{nil, 350, []string{"no data: no request has been answered or failed for 50s"}},
		{event(assay.EventLoadEnd, s(351)), 500, nil},
	} {
		if step.e != nil {
			w.Observe(step.e)
		}
		if d := cmp.Diff(step.want, texts(g.Evaluate(s(step.at)))); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
}

func TestGuardSettings(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	for _, tt := range []struct {
		g    Guard
		says string
	}{
		{Guard{Metric: "mtbf"}, "guard mtbf: unknown metric; a guard can watch error_ratio, canary_ratio, in_flight, ttft/pNN and e2e/pNN"},
		{Guard{Metric: "ttft/p100", Max: 1}, "unknown metric"},
		{Guard{Metric: "error_ratio", Over: time.Hour}, "over 1h0m0s is not within 0 and 1m0s"},
		{Guard{Metric: "error_ratio", Min: 1}, "min 1 is above max 0"},
	} {
		if _, err := NewGuards(w, []Guard{tt.g}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: got %v, want %q", tt.g, err, tt.says)
		}
	}
}
