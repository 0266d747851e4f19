package live

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// BurnRate is the metric of a guard on how many times faster than allowed the budget of errors is used up. It is crossed when it is above Max
// over both windows, Over and Short: the long one says that it matters, the short one that it goes on.
const BurnRate = "burn"

// burnLeast is how many failures a burn rests on: one alone may be an accident.
const burnLeast = 2

// Burn returns the burn rate of the last over against an objective, a ratio of requests that must be served, and how many requests it rests on.
// With none it is NaN.
func (w *Window) Burn(objective float64, over time.Duration, now int64) (rate float64, n, failed int) {
	ratio, n := w.ErrorRatio(over, now)
	if n == 0 {
		return math.NaN(), 0, 0
	}
	return ratio / (1 - objective), n, int(math.Round(ratio * float64(n)))
}

// burning returns the breach of a guard on a burn rate, if it is one.
func (g *Guards) burning(one Guard, now int64) (Breach, bool) {
	long, n, failed := g.w.Burn(one.Objective, one.Over, now)
	short, _, _ := g.w.Burn(one.Objective, one.Short, now)
	if n < one.N || failed < burnLeast || !(long > one.Max && short > one.Max) {
		return Breach{}, false
	}
	return Breach{Guard: one, Value: long, N: n, Text: fmt.Sprintf("the error budget of %s burns %.3g times too fast over %s and %.3g times over %s, above %.3g (%d of %d failed)",
		share(one.Objective), long, one.Over, short, one.Short, one.Max, failed, n)}, true
}

// begun finds when a guard that is breached now and was not at before was crossed, to a millisecond. What it looks at may have crossed
// its limit more than once in between; then it is one of these instants.
func begun(breached func(int64) bool, before, now int64) int64 {
	for now-before > int64(time.Millisecond) {
		if middle := before + (now-before)/2; breached(middle) {
			now = middle
		} else {
			before = middle
		}
	}
	return now
}

// share writes a ratio with the digits that it needs.
func share(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e8)/1e6, 'f', -1, 64) + " %"
}
