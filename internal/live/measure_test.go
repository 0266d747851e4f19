package live

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func TestMeasures(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	w.begin = 0
	s := int64(time.Second)
	for i, r := range []assay.Request{
		{Outcome: assay.OK, TokensAsked: 32, TokensOut: 20, FirstToken: 2 * s}, // shorter than asked for, and complete
		{Outcome: assay.CutRST, TokensAsked: 32, TokensOut: 12},
		{Outcome: assay.CutFIN, TokensAsked: 32},
		{Outcome: assay.Throttled, TokensAsked: 32},
		{Outcome: assay.RefusedByCap},
		{Outcome: assay.OK, FirstToken: 4 * s}, // asked for no tokens
		{Outcome: assay.ServerError, Canary: true},
	} {
		r.Due, r.End = s, int64(5+i)*s
		w.Observe(&r)
	}
	now := 11 * s
	for _, tc := range []struct {
		metric string
		over   time.Duration
		want   float64
		n      int
	}{
		{"tokens/delivered", 20 * time.Second, 32.0 / 84, 3},
		{"tokens/delivered", 4 * time.Second, math.NaN(), 0},
		{"error_ratio", 20 * time.Second, 3.0 / 5, 5},
		{"canary_ratio", 20 * time.Second, 1, 1},
		{"rate", 5 * time.Second, 1.0 / 5, 4}, // at 7, 8, 9 and 10 s, of which one was served
		{"rate", 20 * time.Second, 2.0 / 11, 6},
		{"ttft/p50", 20 * time.Second, 2, 2},
	} {
		v, n := w.Measure(tc.metric, tc.over, now)
		if n != tc.n || !(v == tc.want || math.IsNaN(v) && math.IsNaN(tc.want)) {
			t.Errorf("%s over %v is %v of %d, want %v of %d", tc.metric, tc.over, v, n, tc.want, tc.n)
		}
	}
	if diff := cmp.Diff(Tally{Ended: 6, Served: 2, Shed: 2}, w.Tally(20*time.Second, now)); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	for metric, want := range map[string]assay.Unit{"ttft/p95": assay.Seconds, "e2e/p99.9": assay.Seconds, "rate": assay.PerSecond, "tokens/delivered": assay.Ratio} {
		if u, err := UnitOf(metric); u != want || err != nil {
			t.Errorf("the unit of %s is %s, %v; want %s", metric, u, err, want)
		}
	}
	if _, err := UnitOf("itl/p95"); err == nil {
		t.Error("itl/p95: accepted")
	}
	for metric, want := range map[string]int{"rate": 0, "error_ratio": 10, "ttft/p50": 10, "ttft/p95": 20, "e2e/p99": 100, "canary_ratio": 2} {
		if n := Least(metric); n != want {
			t.Errorf("%s needs %d requests, want %d", metric, n, want)
		}
	}
}
