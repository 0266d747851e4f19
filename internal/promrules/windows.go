package promrules

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/assay-dev/assay/internal/stat"
)

// A Pair is one condition of an alert: the budget burns more than Factor times too fast over both windows. The long one says that it matters, the
// short one that it still goes on.
type Pair struct {
	Severity    string // page or ticket
	Short, Long time.Duration
	Share       float64 // of the budget, spent within Long at Factor
	Factor      float64
}

const day = 24 * time.Hour

// The pairs of the SRE workbook, chapter 5, and those that Sloth has for a window of a week.
var (
	monthly = []Pair{
		{Severity: "page", Short: 5 * time.Minute, Long: time.Hour, Share: .02}, {Severity: "page", Short: 30 * time.Minute, Long: 6 * time.Hour, Share: .05},
		{Severity: "ticket", Short: 2 * time.Hour, Long: day, Share: .1}, {Severity: "ticket", Short: 6 * time.Hour, Long: 3 * day, Share: .1},
	}
	weekly = []float64{.08, .125, .2, .42}
)

// Pairs returns the pairs of windows for a budget of the given window, pages first. For 28 days and more the windows are those of the workbook and the factors
// follow from the shares of the budget; for a week the shares are larger; for any other window below 28 days the windows shrink
// with it from those of 30 days, and the factors are those of 30 days.
func Pairs(window time.Duration) []Pair {
	out := append([]Pair(nil), monthly...)
	for i := range out {
		p := &out[i]
		switch {
		case window >= 28*day:
		case window == 7*day:
			p.Share = weekly[i]
		default:
			p.Short, p.Long = shrink(p.Short, window), shrink(p.Long, window)
			p.Factor = round(stat.BurnFactor(p.Share, monthly[i].Long.Hours(), 30*24))
			continue
		}
		p.Factor = round(stat.BurnFactor(p.Share, p.Long.Hours(), window.Hours()))
	}
	return out
}

// round rids a factor of the dust of binary fractions.
func round(v float64) float64 { return float64(int64(v*1e9+.5)) / 1e9 }

func shrink(d, window time.Duration) time.Duration {
	return max(time.Second, (time.Duration(float64(d) * float64(window) / float64(30*day))).Round(time.Second))
}

// Windows returns the windows of the pairs, shortest first, each once.
func Windows(window time.Duration) (out []time.Duration) {
	for _, p := range Pairs(window) {
		out = append(out, p.Short, p.Long)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Span writes a length of time as rules write it: 5m, 1h, 30d.
func Span(d time.Duration) string { return model.Duration(d).String() }
