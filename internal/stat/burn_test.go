package stat

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Google SRE Workbook, chapter 5, tables 5-2 and 5-8: which burn rate spends what of a budget of 30 days, and how long a total outage at
// 99.9 % takes to show in each window.
func TestBurn(t *testing.T) {
	const hour, month = 3600.0, 30 * 24 * 3600.0
	round := func(v float64) float64 { return math.Round(v*1e9) / 1e9 }
	type row struct{ Factor, Spent, Crosses float64 }
	var got []row
	for _, w := range []struct{ share, window float64 }{{.02, hour}, {.05, 6 * hour}, {.1, 24 * hour}, {.1, 72 * hour}} {
		f := BurnFactor(w.share, w.window, month)
		got = append(got, row{round(f), round(BudgetSpent(f, w.window, month)), round(BurnCrosses(1, .999, f, w.window))})
	}
	want := []row{{14.4, .02, 51.84}, {6, .05, 129.6}, {3, .1, 259.2}, {1, .1, 259.2}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var minutes []float64 // of a month
	for _, objective := range []float64{.99, .995, .999, .9995, .9999} {
		minutes = append(minutes, round(Budget(objective)*month/60))
	}
	if d := cmp.Diff([]float64{432, 216, 43.2, 21.6, 4.32}, minutes); d != "" {
		t.Errorf("budgets in minutes (-want +got):\n%s", d)
	}
	if got := BurnCrosses(.01, .999, 14.4, hour); !math.IsInf(got, 1) {
		t.Errorf("a burn of 10 crosses 14.4 after %g s", got)
	}
	if got := BurnRate(.5, .9); round(got) != 5 {
		t.Errorf("burn rate %g, want 5", got)
	}
}
