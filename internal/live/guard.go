package live

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Guard is a limit that must not be crossed while a run goes on. Use ±Inf for a side without a limit.
type Guard struct {
	Metric   string // error_ratio, canary_ratio, ttft/pNN, e2e/pNN, in_flight or burn
	Over     time.Duration
	Max, Min float64 // ratio or seconds
	N        int     // least number of requests to judge by; a number that fits the metric by default

	// Of burn alone.
	Objective float64       // ratio of requests that must be served
	Short     time.Duration // second window
}

// A Breach is a guard that does not hold.
type Breach struct {
	Guard Guard
	Value float64 // NaN for no data
	N     int
	Since int64  // when the limit was crossed, as far as can be told; of no data, when the last came
	Text  string // one sentence for people
}

// Guards watch a window. No data is a breach as well: a run that sees nothing protects nobody.
type Guards struct {
	w      *Window
	guards []Guard
	NoData time.Duration // how long no request may be judged while load is on; 30 s by default

	mu     sync.Mutex
	since  int64   // load has been on and Evaluate called since
	looked []int64 // by guard: when it was last seen to hold
}

// Bounds of what is watched by default.
const (
	guardOver   = 10 * time.Second
	guardNoData = 30 * time.Second
	guardLeast  = 10 // requests
	canaryLeast = 2  // canaries: one alone may be an accident
)

// NewGuards checks the guards and returns them bound to w.
func NewGuards(w *Window, guards []Guard) (*Guards, error) {
	g := &Guards{w: w}
	for _, one := range guards {
		one.Over = cmp.Or(one.Over, guardOver)
		if one.Over < 0 || one.Over > w.o.Horizon {
			return nil, fmt.Errorf("guard %s: over %s is not within 0 and %s", one.Metric, one.Over, w.o.Horizon)
		}
		if math.IsNaN(one.Max) || math.IsNaN(one.Min) || one.Min > one.Max {
			return nil, fmt.Errorf("guard %s: min %g is above max %g", one.Metric, one.Min, one.Max)
		}
		least := guardLeast
		if one.Metric == BurnRate {
			if !(one.Objective > 0 && one.Objective < 1) || one.Short <= 0 || one.Short >= one.Over {
				return nil, fmt.Errorf("guard %s: objective %g over %s and %s: want one between 0 and 1 and a second window that is shorter", one.Metric, one.Objective, one.Over, one.Short)
			}
		} else if one.Metric == "canary_ratio" {
			least = canaryLeast
		} else if one.Metric != "error_ratio" && one.Metric != "in_flight" {
			_, q, err := parseQuantile(one.Metric)
			if err != nil {
				return nil, fmt.Errorf("guard %s: %w", one.Metric, err)
			}
			least = max(least, int(math.Ceil(1/(1-q)-1e-9))) // fewer cannot show it
		}
		one.N = cmp.Or(one.N, least)
		g.guards = append(g.guards, one)
	}
	g.looked = make([]int64, len(g.guards))
	return g, nil
}

// parseQuantile reads ttft/p95 and the like.
func parseQuantile(metric string) (Latency, float64, error) {
	name, p, _ := strings.Cut(metric, "/p")
	digits, err := strconv.ParseFloat(p, 64)
	if l := Latency(name); (l != TTFT && l != E2E) || err != nil || !(digits > 0 && digits < 100) {
		return "", 0, fmt.Errorf("unknown metric; a guard can watch error_ratio, canary_ratio, in_flight, ttft/pNN and e2e/pNN")
	}
	return Latency(name), digits / 100, nil
}

// Evaluate returns the guards that do not hold now. A guard with too few requests to judge by holds.
func (g *Guards) Evaluate(now int64) []Breach {
	var out []Breach
	for i, one := range g.guards {
		b, breached := g.breach(one, now)
		g.mu.Lock()
		before := g.looked[i]
		if !breached {
			g.looked[i] = now
		}
		g.mu.Unlock()
		if !breached {
			continue
		}
		b.Since = now
		if before > 0 && one.Metric != "in_flight" { // only what requests say can be looked at afterwards
			b.Since = begun(func(at int64) bool { _, is := g.breach(one, at); return is }, before, now)
		}
		out = append(out, b)
	}
	if b, ok := g.silence(now); ok {
		out = append(out, b)
	}
	return out
}

// breach looks at one guard.
func (g *Guards) breach(one Guard, now int64) (Breach, bool) {
	if one.Metric == BurnRate {
		return g.burning(one, now)
	}
	v, n := g.value(one, now)
	if n < one.N || math.IsNaN(v) || v >= one.Min && v <= one.Max {
		return Breach{}, false
	}
	side, limit := "above its max", one.Max
	if v < one.Min {
		side, limit = "below its min", one.Min
	}
	b := Breach{Guard: one, Value: v, N: n}
	b.Text = fmt.Sprintf("%s over %s is %s, %s %s (n=%d)", one.Metric, one.Over, one.format(v), side, one.format(limit), n)
	if one.Metric == "in_flight" {
		b.Text = fmt.Sprintf("%s is %s, %s %s", one.Metric, one.format(v), side, one.format(limit))
	}
	return b, true
}

func (g *Guards) value(one Guard, now int64) (float64, int) {
	switch one.Metric {
	case "error_ratio":
		return g.w.ErrorRatio(one.Over, now)
	case "canary_ratio":
		return g.w.CanaryRatio(one.Over, now)
	case "in_flight":
		if g.w.o.InFlight == nil {
			return math.NaN(), 0
		}
		return float64(g.w.o.InFlight()), one.N
	}
	l, q, _ := parseQuantile(one.Metric)
	return g.w.Quantile(l, q, one.Over, now)
}

// silence reports a breach when load is on and nothing has been judged for too long. A phase with
// a rate so low that such a gap is ordinary gets five times its mean gap.
func (g *Guards) silence(now int64) (Breach, bool) {
	if len(g.guards) == 0 {
		return Breach{}, false
	}
	w := g.w
	w.mu.Lock()
	p, ended, last := w.current, w.ended, w.total.lastJudged
	w.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if p == nil || ended || p.role == "idle" || p.role == "cold" {
		g.since = 0
		return Breach{}, false
	}
	limit := cmp.Or(g.NoData, guardNoData)
	if p.rate > 0 {
		limit = max(limit, time.Duration(5/p.rate*1e9))
	}
	// Load counts as on from the first look during load: what came before a pause is no measure.
	if g.since == 0 {
		g.since = min(now, p.begin)
	}
	quiet := now - max(g.since, last)
	if quiet < int64(limit) {
		return Breach{}, false
	}
	return Breach{Value: math.NaN(), Since: max(g.since, last), Text: fmt.Sprintf("no data: no request has been answered or failed for %s", time.Duration(quiet).Round(time.Second))}, true
}

func (g Guard) format(v float64) string {
	switch g.Metric {
	case "error_ratio", "canary_ratio":
		return strconv.FormatFloat(v*100, 'f', 1, 64) + " %"
	case "in_flight":
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return seconds(v)
}
