package live

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A budget burns when both windows say so: what is over, and what one failure alone shows, does not count.
func TestBurn(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	g, err := NewGuards(w, []Guard{{Metric: BurnRate, Objective: 0.999, Max: 14.4, Min: math.Inf(-1), Over: 60 * time.Second, Short: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	at := int64(100e9)
	add := func(n int, o assay.Outcome) {
		for range n {
			w.Observe(&assay.Request{Due: at, Sent: at, FirstToken: at, End: at, Outcome: o})
		}
	}
	for i, s := range []struct {
		do   func()
		want []string
	}{
		{func() { add(20, assay.OK) }, nil},
		{func() { add(1, assay.Timeout) }, nil},                                           // one failure: 47 times too fast, and an accident
		{func() { at += 10e9; add(1, assay.Timeout); at += 6e9; add(30, assay.OK) }, nil}, // the short window is well again
		{func() { at += 6e9; add(1, assay.Timeout); add(97, assay.OK) }, nil},             // 3 of 150 in the long window, 1 of 98 in the short one
		{func() { add(1, assay.Timeout) }, []string{"the error budget of 99.9 % burns 26.5 times too fast over 1m0s and 20.2 times over 5s, above 14.4 (4 of 151 failed)"}},
		{func() { at += 5e9 }, nil},
	} {
		s.do()
		if d := cmp.Diff(s.want, texts(g.Evaluate(at))); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
}

func TestBurnSettings(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	for _, g := range []Guard{
		{Metric: BurnRate, Objective: 1, Max: 2, Over: time.Minute, Short: time.Second},
		{Metric: BurnRate, Objective: 0, Max: 2, Over: time.Minute, Short: time.Second},
		{Metric: BurnRate, Objective: 0.9, Max: 2, Over: time.Minute, Short: time.Minute},
		{Metric: BurnRate, Objective: 0.9, Max: 2, Over: time.Minute},
		{Metric: BurnRate, Objective: 0.9, Max: 2, Over: 2 * time.Minute, Short: time.Second}, // beyond the horizon
	} {
		if _, err := NewGuards(w, []Guard{g}); err == nil {
			t.Errorf("%+v was taken", g)
		}
	}
}

// A breach is dated back to the request that made it, although guards are looked at four times a second.
func TestBreachIsDated(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	g, err := NewGuards(w, []Guard{{Metric: "error_ratio", Over: 10 * time.Second, Max: 0.5, Min: math.Inf(-1)}})
	if err != nil {
		t.Fatal(err)
	}
	const ms = int64(time.Millisecond)
	for i := range int64(10) {
		w.Observe(&assay.Request{Due: 1, Sent: 1, End: (10000 + i) * ms, Outcome: assay.OK})
	}
	if got := g.Evaluate(10250 * ms); got != nil {
		t.Fatalf("breached: %+v", got)
	}
	for i := range int64(11) { // the eleventh is the one too many
		w.Observe(&assay.Request{Due: 1, Sent: 1, End: (10300 + 10*i) * ms, Outcome: assay.Timeout})
	}
	got := g.Evaluate(10500 * ms)
	if len(got) != 1 || got[0].Since < 10400*ms || got[0].Since > 10401*ms {
		t.Errorf("got %+v, want one that began at %d", got, 10400*ms)
	}
}
