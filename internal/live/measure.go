package live

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// A Tally is what ended in a stretch of time, canaries left out.
type Tally struct {
	Ended  int
	Served int
	Shed   int // refused by the target on purpose, or by our own cap
}

// Tally counts what ended in the last over.
func (w *Window) Tally(over time.Duration, now int64) (t Tally) {
	w.each(over, now, func(e *entry) {
		if e.canary {
			return
		}
		t.Ended++
		switch e.outcome {
		case assay.OK:
			t.Served++
		case assay.Throttled, assay.RefusedByCap:
			t.Shed++
		}
	})
	return t
}

// Delivered returns the answer tokens of the last over that came, of those that were promised, and how many requests that rests on. An answer that was
// complete has kept its promise, however short; one that failed promised what was asked for. Requests that ask for no tokens do not count; with none it is
// NaN.
func (w *Window) Delivered(over time.Duration, now int64) (ratio float64, n int) {
	var came, promised int64
	w.each(over, now, func(e *entry) {
		if e.promised > 0 {
			n++
			came += int64(e.came)
			promised += int64(e.promised)
		}
	})
	if n == 0 {
		return math.NaN(), 0
	}
	return float64(came) / float64(promised), n
}

// tokens returns what a request promised and what of it came; zero for one that says nothing.
func tokens(r *assay.Request) (promised, came int32) {
	switch {
	case r.Outcome == assay.OK:
		return r.TokensOut, r.TokensOut
	case r.Outcome.Failed() && r.TokensAsked > 0:
		return r.TokensAsked, min(r.TokensAsked, max(r.TokensOut, 0))
	}
	return 0, 0
}

// Measures names what Measure can look at.
const Measures = "ttft/pNN, e2e/pNN, error_ratio, canary_ratio, tokens/delivered and rate"

// UnitOf returns the unit of what Measure gives, or why it knows no such metric.
func UnitOf(metric string) (assay.Unit, error) {
	switch metric {
	case "error_ratio", "canary_ratio", "tokens/delivered":
		return assay.Ratio, nil
	case "rate":
		return assay.PerSecond, nil
	}
	if _, _, err := parseQuantile(metric); err != nil {
		return "", fmt.Errorf("%q is nothing that is measured while the run goes on; one of %s", metric, Measures)
	}
	return assay.Seconds, nil
}

// Least returns how many requests a look at a metric needs to say anything.
func Least(metric string) int {
	switch metric {
	case "canary_ratio":
		return canaryLeast
	case "rate":
		return 0
	}
	least := guardLeast
	if _, q, err := parseQuantile(metric); err == nil {
		least = max(least, int(math.Ceil(1/(1-q)-1e-9)))
	}
	return least
}

// Measure returns a metric over the last over, in its base unit, and how many requests it rests on: NaN where it has no value. rate is
// requests served per second.
func (w *Window) Measure(metric string, over time.Duration, now int64) (v float64, n int) {
	switch metric {
	case "error_ratio":
		return w.ErrorRatio(over, now)
	case "canary_ratio":
		return w.CanaryRatio(over, now)
	case "tokens/delivered":
		return w.Delivered(over, now)
	case "rate":
		t := w.Tally(over, now)
		return float64(t.Served) / (float64(min(int64(over), max(1, now-w.begin))) / 1e9), t.Ended
	}
	l, q, err := parseQuantile(metric)
	if err != nil {
		return math.NaN(), 0
	}
	return w.Quantile(l, q, over, now)
}

// Format writes a value of a metric for people.
func Format(metric string, v float64) string {
	switch {
	case metric == "rate":
		return fmt.Sprintf("%.3g/s", v)
	case strings.HasPrefix(metric, "ttft/"), strings.HasPrefix(metric, "e2e/"):
		return seconds(v)
	}
	return percent(v)
}
