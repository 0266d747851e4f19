package loadgen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/assay-dev/assay"
)

// limit is one entry of a search's SLO.
type limit struct {
	metric string
	what   string  // ttft, e2e, tpot, error_ratio
	stat   string  // quantile, mean, max; "" for error_ratio
	q      float64 // of the quantile
	max    float64
}

func parseSLO(slo map[string]float64) ([]limit, error) {
	var list []limit
	for _, metric := range metrics(slo) {
		l := limit{metric: metric, max: slo[metric]}
		var stat string
		l.what, stat, _ = strings.Cut(metric, "/")
		known := false
		switch l.what {
		case "error_ratio":
			known = stat == ""
		case "ttft", "e2e", "tpot":
			switch {
			case stat == "mean" || stat == "max":
				l.stat, known = stat, true
			case strings.HasPrefix(stat, "p"):
				v, err := strconv.ParseFloat(stat[1:], 64)
				l.stat, l.q, known = "quantile", v/100, err == nil && v > 0 && v < 100
			}
		}
		if !known {
			return nil, fmt.Errorf("search slo %q: want error_ratio, or ttft, e2e or tpot with /p50 to /p99.9, /mean or /max", metric)
		}
		if !(l.max >= 0) || l.max == 0 && l.what != "error_ratio" {
			return nil, fmt.Errorf("search slo %s: limit %g: want more than 0", metric, l.max)
		}
		list = append(list, l)
	}
	return list, nil
}

// need returns how many requests make the statistic more than the largest value.
func (l limit) need() int {
	if l.stat == "quantile" {
		return min(100, int(math.Ceil(1/(1-l.q)-1e-9)))
	}
	return 20
}

// misses returns how many of n requests may miss the limit for it to hold.
func (l limit) misses(n int) int {
	switch {
	case l.what == "error_ratio":
		return int(l.max*float64(n) + 1e-9)
	case l.stat == "quantile":
		return int((1-l.q)*float64(n) + 1e-9)
	}
	return 0
}

// value returns what the limit is about for one request, in seconds: infinite where it was not delivered, NaN where it was but the
// client cannot tell.
func (l limit) value(r *assay.Request) float64 {
	if r.Outcome != assay.OK {
		return math.Inf(1)
	}
	switch l.what {
	case "ttft":
		if r.FirstToken == 0 {
			return math.NaN()
		}
		return float64(r.FirstToken-r.Due) / 1e9
	case "tpot":
		if r.FirstToken == 0 || r.TokensOut < 1 {
			return math.NaN()
		}
		return float64(r.End-r.FirstToken) / 1e9 / float64(max(1, r.TokensOut-1))
	case "e2e":
		return float64(r.End-r.Due) / 1e9
	}
	return 0 // error_ratio: only failures count
}

// A step gathers the requests of one step of a search while it runs. Workers add to it; the pacer asks it.
type step struct {
	limits  []limit
	planned int
	careful bool
	rate    float64
	served  float64 // longest p95 of the end-to-end time in a step that held, seconds; 0 if none did

	mu     sync.Mutex
	due    int // handed out or refused
	ended  int
	values [4][]float64 // by ttft, tpot, e2e
	missed []int        // by limit
	failed bool
}

// begin counts a request in. It is called by the pacer only.
func (s *step) begin() {
	s.mu.Lock()
	s.due++
	s.mu.Unlock()
}

// end takes a request that has ended.
func (s *step) end(r *assay.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	if s.missed == nil {
		s.missed = make([]int, len(s.limits))
	}
	for i, l := range s.limits {
		if l.value(r) > l.max {
			s.missed[i]++
		}
	}
	for i, l := range [...]limit{{what: "ttft"}, {what: "tpot"}, {what: "e2e"}} {
		s.values[i] = append(s.values[i], l.value(r))
	}
	s.failed = s.failed || shed(r.Outcome)
}

// settled reports whether every request that was due has ended.
func (s *step) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == s.due
}

// over reports whether the step can no longer hold, so that sending more would only hurt: more requests have
// missed a limit than may among all those planned, or three times as many are in flight as at
// this rate could be if each took as long as in a step that held. A careful step is over at the first failure.
func (s *step) over(inFlight int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.careful && s.failed {
		return true
	}
	for i, l := range s.limits {
		if s.missed != nil && (l.what == "error_ratio" || l.stat == "quantile" || l.stat == "max") && s.missed[i] > l.misses(s.planned) {
			return true
		}
	}
	longest := s.served
	for _, l := range s.limits {
		if l.what == "e2e" {
			longest = max(longest, l.max)
		}
	}
	return longest > 0 && float64(inFlight) > 16+3*s.rate*longest
}

// A verdict is what one step showed.
type verdict struct {
	held       bool
	failed     bool
	n          int
	worst      string  // metric furthest above its limit, relative to it
	unmeasured string  // metric that no delivered request could tell
	e2e        float64 // p95, seconds
	text       string
}

// judge decides the step. A step that was cut short broke: that it could not hold is why it was cut.
func (s *step) judge(planned int) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := verdict{held: s.due == planned && planned > 0, failed: s.failed, n: s.due}
	var parts []string
	far := 0.0
	for _, l := range s.limits {
		got, ok := s.measure(l)
		if !ok {
			v.unmeasured = l.metric
			parts = append(parts, l.metric+" not measured")
			continue
		}
		if got > l.max {
			v.held = false
		}
		if ratio := got / max(l.max, 1e-9); ratio > far {
			far, v.worst = ratio, l.metric
		}
		parts = append(parts, l.metric+" "+shown(l, got))
	}
	if v.failed && s.careful {
		v.held = false
	}
	text := strings.Join(parts, ", ")
	if s.due < planned {
		text += ", cut short"
	}
	v.text = fmt.Sprintf("%s (n=%d)", text, v.n)
	v.e2e, _ = s.measure(limit{what: "e2e", stat: "quantile", q: 0.95})
	return v
}

func shown(l limit, v float64) string {
	switch {
	case math.IsInf(v, 0):
		return "not delivered"
	case l.what == "error_ratio":
		return number(100*v) + " %"
	}
	return number(v) + " s"
}

// measure computes one statistic over the requests due in the step; false where the client cannot tell. The quantile
// is the smallest value that at least the share q does not exceed.
func (s *step) measure(l limit) (float64, bool) {
	if l.what == "error_ratio" {
		bad := 0
		for _, v := range s.values[2] {
			if math.IsInf(v, 1) {
				bad++
			}
		}
		return float64(bad) / float64(max(1, s.due)), true
	}
	column := s.values[map[string]int{"ttft": 0, "tpot": 1, "e2e": 2}[l.what]]
	values := make([]float64, 0, s.due)
	for _, v := range column {
		if math.IsNaN(v) {
			return 0, false
		}
		values = append(values, v)
	}
	for len(values) < s.due { // still open when the step was judged
		values = append(values, math.Inf(1))
	}
	if len(values) == 0 {
		return math.Inf(1), true
	}
	slices.Sort(values)
	n := len(values)
	switch l.stat {
	case "max":
		return values[n-1], true
	case "mean":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(n), true
	}
	return values[max(0, n-l.misses(n)-1)], true
}
