package loadgen

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
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

// allowed returns the share of the requests that may miss the limit for it to hold.
func (l limit) allowed() float64 {
	switch {
	case l.what == "error_ratio":
		return l.max
	case l.stat == "quantile":
		return 1 - l.q
	}
	return 0
}

// misses returns how many of n requests may miss the limit for the value that they show to hold.
func (l limit) misses(n int) int { return int(l.allowed()*float64(n) + 1e-9) }

// tolerates returns how many of n requests may miss the limit before it is clear, at one-sided level alpha, that it does not hold.
func (l limit) tolerates(n int, alpha float64) int {
	if alpha <= 0 {
		return l.misses(n)
	}
	return sort.Search(n+1, func(k int) bool { return stat.AtLeast(float64(k), float64(n), l.allowed()) <= alpha }) - 1
}

// counts reports whether the limit is about how many requests miss it.
func (l limit) counts() bool {
	return l.what == "error_ratio" || l.stat == "quantile" || l.stat == "max"
}

// side says whether the interval of what requests showed, in order of due, lies wholly on the good side of the limit or
// wholly on the bad one. A largest value, and a limit of no errors at all, are measured and have no interval.
// What the values of long steps say of how misses would cluster is taken into account where strict is set.
func (l limit) side(missed []bool, values []float64, confidence float64, strict bool) (good, bad bool) {
	n, k, p := float64(len(missed)), float64(count(missed)), l.allowed()
	switch {
	case n == 0:
		return false, false
	case l.stat == "mean":
		if slices.ContainsFunc(values, func(v float64) bool { return math.IsInf(v, 1) }) {
			return false, true
		}
		_, in := stat.MeanInterval(values, confidence)
		return in.Hi <= l.max, in.Lo > l.max
	case p == 0:
		return k == 0, k > 0
	}
	alpha := (1 - confidence) / 2
	worth := effective(missed, confidence)
	if strict && l.stat == "quantile" {
		// Few miss where a rate holds, and too few show how they cluster: values above the sample's own quintile do, in the same way.
		worth = math.Min(worth, effective(upper(values, math.Min(l.q, 0.8)), confidence))
	}
	return stat.AtMost(k*worth/n, worth, p) <= alpha, stat.AtLeast(k*worth/n, worth, p) <= alpha
}

// effective returns how many independent requests these are worth, since those that miss come in clusters.
func effective(missed []bool, confidence float64) float64 {
	n := len(missed)
	m := stat.NumBlocks(n)
	ones, sizes := make([]float64, m), make([]float64, m)
	for i := range m {
		lo, hi := stat.Split(n, m, i)
		ones[i], sizes[i] = float64(count(missed[lo:hi])), float64(hi-lo)
	}
	return stat.Effective(n, stat.DesignEffect(ones, sizes), m, confidence)
}

// upper marks the values above their own q-quantile.
func upper(values []float64, q float64) []bool {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	level := sorted[int(q*float64(len(sorted)-1))]
	out := make([]bool, len(values))
	for i, v := range values {
		out[i] = v > level
	}
	return out
}

// within reports whether the value that requests showed lies within the limit.
func (l limit) within(missed []bool, values []float64) bool {
	if l.stat == "mean" {
		return mean(values) <= l.max
	}
	return count(missed) <= l.misses(len(missed))
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
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
	name    string
	limits  []limit
	planned int
	careful bool
	alpha   float64 // one-sided level at which the step is lost; 0: by the value alone
	rate    float64
	served  float64 // longest p95 of the end-to-end time in a step that held, seconds; 0 if none did
	begin   int64
	length  int64 // as planned
	ended   int64 // when its last request had

	mu     sync.Mutex
	due    int // handed out or refused
	seen   []judged
	sorted bool
	most   []int // by limit: how many may miss it
	missed []int // by limit
	failed bool
	cut    string // why it was ended early
}

// judged is what a step keeps of one request.
type judged struct {
	due   int64
	late  int64 // sent less due, 0 where it was not sent
	end   int64
	value [4]float64 // by ttft, tpot, e2e, error_ratio
	sent  bool
	ok    bool
}

var kinds = [...]limit{{what: "ttft"}, {what: "tpot"}, {what: "e2e"}, {what: "error_ratio"}}

// newStep returns a step that expects so many requests.
func newStep(limits []limit, planned int, alpha float64) *step {
	s := &step{limits: limits, planned: planned, alpha: alpha, missed: make([]int, len(limits))}
	for _, l := range limits {
		s.most = append(s.most, l.tolerates(planned, alpha))
	}
	return s
}

// enter counts a request in. It is called by the pacer only.
func (s *step) enter() {
	s.mu.Lock()
	s.due++
	s.mu.Unlock()
}

// forgo takes back enter, for a request that the budget no longer allows.
func (s *step) forgo() {
	s.mu.Lock()
	s.due--
	s.mu.Unlock()
}

// end takes a request that has ended.
func (s *step) end(r *assay.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.limits {
		if l.value(r) > l.max {
			s.missed[i]++
		}
	}
	x := judged{due: r.Due, end: r.End, sent: r.Sent != 0, ok: r.Outcome == assay.OK}
	if x.sent && !r.NoSchedule {
		x.late = r.Sent - r.Due
	}
	for i, l := range kinds {
		x.value[i] = l.value(r)
	}
	s.seen = append(s.seen, x)
	s.failed = s.failed || r.Outcome.Bad()
}

// settled reports whether every request that was due has ended.
func (s *step) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen) == s.due
}

// over reports whether the step can no longer hold, so that sending more would only hurt: more requests have
// missed a limit than may among all those planned, or three times as many are in flight as at
// this rate could be if each took as long as in a step that held. A careful step is over at the first failure.
func (s *step) over(inFlight int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := s.served
	for i, l := range s.limits {
		if l.counts() && s.missed[i] > s.most[i] {
			s.cut = fmt.Sprintf("%d missed %s", s.missed[i], l.metric)
		}
		if l.what == "e2e" {
			longest = max(longest, l.max)
		}
	}
	switch {
	case s.careful && s.failed:
		s.cut = "a request failed"
	case longest > 0 && float64(inFlight) > 16+3*s.rate*longest:
		s.cut = fmt.Sprintf("%d in flight", inFlight)
	}
	return s.cut != ""
}

// order puts what was seen in the order of due, with what is still open at the end.
func (s *step) order() {
	if s.sorted {
		return
	}
	s.sorted = true
	slices.SortStableFunc(s.seen, func(a, b judged) int { return cmp.Compare(a.due, b.due) })
	inf := math.Inf(1)
	for len(s.seen) < s.due {
		s.seen = append(s.seen, judged{due: math.MaxInt64, sent: true, value: [4]float64{inf, inf, inf, inf}})
	}
}

// column returns the values that a limit is about, in order of due, of the requests due at from or later: infinite where one was not served.
func (s *step) column(l limit, from int64) []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order()
	at := slices.IndexFunc(kinds[:], func(k limit) bool { return k.what == l.what })
	out := make([]float64, 0, len(s.seen))
	for i := range s.seen {
		if s.seen[i].due >= from {
			out = append(out, s.seen[i].value[at])
		}
	}
	return out
}

// A verdict is what one step showed.
type verdict struct {
	good       bool // every value that it showed lies within its limit
	cut        bool
	late       time.Duration // p99 of the lateness of our own sends, where it was too much to blame the target
	failed     bool
	worst      string  // metric furthest above its limit, relative to it
	unmeasured string  // metric that no delivered request could tell
	e2e        float64 // p95, seconds
	text       string
}

// judge says what the step showed. A step that was cut short broke: that it could not hold is why it was cut.
func (s *step) judge() verdict {
	v := verdict{cut: s.due < s.planned || s.planned == 0, failed: s.failed}
	v.good = !v.cut
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
			v.good = false
		}
		if ratio := got / max(l.max, 1e-9); ratio > far {
			far, v.worst = ratio, l.metric
		}
		parts = append(parts, l.metric+" "+shown(l, got))
	}
	if v.failed && s.careful {
		v.good = false
	}
	text := strings.Join(parts, ", ")
	if v.cut {
		text += ", cut short"
		if s.cut != "" {
			text += " (" + s.cut + ")"
		}
	}
	if late := s.late(); late > s.lateness() {
		v.late = late
		text += fmt.Sprintf(", sent %v late at p99", late.Round(time.Millisecond/10))
	}
	v.text = fmt.Sprintf("%s (n=%d)", text, s.due)
	v.e2e, _ = s.measure(limit{what: "e2e", stat: "quantile", q: 0.95})
	return v
}

// late returns p99 of the lateness of the step's sends.
func (s *step) late() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []int64
	for i := range s.seen {
		if s.seen[i].sent {
			list = append(list, s.seen[i].late)
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return time.Duration(list[(len(list)-1)*99/100])
}

// lateness returns how late sends may be at p99: 1 ms, or one percent of the tightest time among the limits, as in reports.
func (s *step) lateness() time.Duration {
	t := tightest(s.limits)
	if math.IsInf(t, 1) {
		return time.Millisecond
	}
	return max(time.Millisecond, time.Duration(t*1e9/100))
}

// tightest returns the tightest time among limits, in seconds; infinite if there is none.
func tightest(limits []limit) float64 {
	t := math.Inf(1)
	for _, l := range limits {
		if l.what != "error_ratio" {
			t = math.Min(t, l.max)
		}
	}
	return t
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
	values := s.column(l, 0)
	if l.what == "error_ratio" {
		bad := 0
		for _, v := range values {
			if math.IsInf(v, 1) {
				bad++
			}
		}
		return float64(bad) / float64(max(1, len(values))), true
	}
	if slices.ContainsFunc(values, math.IsNaN) {
		return 0, false
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
		return mean(values), true
	}
	return values[max(0, n-l.misses(n)-1)], true
}
