package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// RaceSchema names the version of a race's settings.
const RaceSchema = "assay/race/v1"

// RaceSettings are what two targets raced by: with the records of both they give the verdict again. Intervals of a race are wider than those of as many
// runs, since they hold at every look.
type RaceSettings struct {
	Schema     string             `json:"schema"`
	Seed       uint64             `json:"seed"`       // of arrivals, and of which side is first in each pair
	Most       int                `json:"most_pairs"` // that the budget allows
	Block      int64              `json:"block_ns"`   // length of a block
	Rate       float64            `json:"rate_per_s"` // within a block
	Confidence float64            `json:"confidence"`
	Gates      []assay.Objective  `json:"gates,omitempty"` // metrics that must pass; none: latency at p50 and p95
	Margins    map[string]float64 `json:"margins,omitempty"`
	Pairs      int                `json:"pairs,omitempty"`   // that there were; 0 until it ended
	Stopped    string             `json:"stopped,omitempty"` // why it ended
}

// RaceMetrics are what a block gives, where NN is any quantile.
const RaceMetrics = "ttft/pNN, itl/pNN, tpot/pNN, e2e/pNN and error_ratio"

// raceGates are what must pass unless someone says otherwise; those that the blocks do not have are left out.
var raceGates = []string{"ttft/p50", "ttft/p95", "e2e/p50", "e2e/p95"}

// CheckRace says what is wrong with a metric that a race cannot judge.
func CheckRace(o assay.Objective) error {
	family, name, _ := strings.Cut(o.Metric, "/")
	_, quantile := raceQuantile(name)
	switch {
	case len(o.Labels) > 0:
		return fmt.Errorf("%s: a race has one phase and one class; leave out the braces", o.Metric)
	case o.Metric == "error_ratio", quantile && slices.Contains([]string{"ttft", "itl", "tpot", "e2e"}, family):
		return nil
	}
	return fmt.Errorf("%s: a block of requests gives no such metric; it gives %s", o.Metric, RaceMetrics)
}

func raceQuantile(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	v, err := strconv.ParseFloat(digits+"e-2", 64)
	return v, ok && err == nil && v > 0 && v < 1
}

// A Block is what the requests of one stretch of load on one side came to.
type Block struct {
	times          map[string][]float64 // by family, s, sorted by close
	judged, failed int
	Requests       int
}

// BlockOf reads the requests of a block.
func BlockOf(requests []assay.Request) Block {
	b := Block{times: map[string][]float64{}, Requests: len(requests)}
	add := func(family string, ns float64) { b.times[family] = append(b.times[family], ns/1e9) }
	for i := range requests {
		r := &requests[i]
		if !r.Outcome.Counts() {
			continue
		}
		if b.judged++; r.Outcome != assay.OK {
			b.failed++
			continue
		}
		if r.FirstToken != 0 {
			add("ttft", float64(r.FirstToken-r.Due))
		}
		for j := 1; j < len(r.Arrivals); j++ {
			add("itl", float64(r.Arrivals[j]-r.Arrivals[j-1]))
		}
		if t, ok := facts.TPOT(r); ok {
			add("tpot", t)
		}
		if r.End != 0 {
			add("e2e", float64(r.End-r.Due))
		}
	}
	for _, v := range b.times {
		slices.Sort(v)
	}
	return b
}

// value returns what a block says of a metric; NaN if nothing.
func (b *Block) value(metric string) float64 {
	if metric == "error_ratio" {
		if b.judged == 0 {
			return math.NaN()
		}
		return float64(b.failed) / float64(b.judged)
	}
	family, name, _ := strings.Cut(metric, "/")
	p, _ := raceQuantile(name)
	return stat.Quantile(b.times[family], p, stat.Type7)
}

// A lane is one metric of a race.
type lane struct {
	metric      string
	role        assay.ChangeRole
	scale       assay.Scale
	margin      float64
	limit       float64       // of a change for the worse, on the scale of the differences
	open        stat.Sequence // what passes, and what is shown
	strict      stat.Sequence // what fails: with the chance that this metric has among all that may
	among       int           // metrics that may fail
	losses      *losses       // of the error ratio alone
	base, other []float64     // by pair
	verdict     assay.Verdict
}

// A Race judges pairs of blocks as they come. Its verdicts stand from the first look at which they are reached, but for a pass of the error ratio, which losses
// that come later take away.
type Race struct {
	Settings RaceSettings
	lanes    []*lane
	pairs    int
	requests int
}

// NewRace begins a race; settings are those of [CheckRace].
func NewRace(s RaceSettings) *Race {
	s.Schema, s.Confidence = RaceSchema, cmp.Or(s.Confidence, Confidence)
	return &Race{Settings: s}
}

// begin makes the lanes, once the first pair shows which metrics there are.
func (r *Race) begin(base, other *Block) {
	opts := Options{Margins: r.Settings.Margins}
	add := func(metric string, role assay.ChangeRole) {
		l := &lane{metric: metric, role: role, scale: assay.ScaleRatio, verdict: assay.VerdictInconclusive}
		unit := assay.Seconds
		if metric == "error_ratio" {
			l.scale, unit = assay.ScaleDifference, assay.Ratio
		}
		l.margin = opts.margin(metric, l.scale, unit, 0)
		if l.limit = l.margin; l.scale == assay.ScaleRatio {
			l.limit = math.Log1p(l.margin)
		}
		r.lanes = append(r.lanes, l)
	}
	for _, g := range r.Settings.Gates {
		add(g.Metric, assay.ChangeGate)
	}
	if len(r.Settings.Gates) == 0 {
		for _, m := range raceGates {
			if !math.IsNaN(base.value(m)) || !math.IsNaN(other.value(m)) {
				add(m, assay.ChangeGate)
			}
		}
	}
	named := slices.ContainsFunc(r.lanes, func(l *lane) bool { return l.metric == "error_ratio" })
	if !named { // what is fast because it refuses is no better
		add("error_ratio", assay.ChangeGate)
	}
	alpha := (1 - r.Settings.Confidence) / 2
	for _, l := range r.lanes {
		// Half of the chance of a false failure is for the error ratio, whose bounds are the slowest.
		part := alpha / 2 / math.Max(float64(len(r.lanes)-1), 1)
		if l.metric == "error_ratio" {
			l.losses, part = newLosses(&r.Settings, l.margin, named), alpha/2
		}
		if len(r.lanes) == 1 {
			part = alpha
		}
		l.among = len(r.lanes)
		l.open = stat.Sequence{Alpha: alpha, Bounded: l.losses != nil}
		l.strict = stat.Sequence{Alpha: part, Bounded: l.losses != nil}
	}
}

// Pair takes the next two blocks.
func (r *Race) Pair(base, other Block) {
	if r.pairs == 0 {
		r.begin(&base, &other)
	}
	r.pairs++
	r.requests += base.Requests + other.Requests
	for _, l := range r.lanes {
		x, y := base.value(l.metric), other.value(l.metric)
		d := y - x
		if l.scale == assay.ScaleRatio {
			d = math.Log(y / x)
		}
		if math.IsNaN(d) || math.IsInf(d, 0) {
			continue
		}
		l.base, l.other = append(l.base, x), append(l.other, y)
		l.open.Add(d)
		l.strict.Add(d)
		if l.losses != nil {
			l.losses.add(&base, &other)
			if l.verdict != assay.VerdictFail {
				l.verdict = l.losses.verdict(l)
			}
			continue
		}
		if l.verdict != assay.VerdictInconclusive {
			continue
		}
		switch {
		case l.strict.Evidence(l.limit, false) >= -math.Log(l.strict.Alpha):
			l.verdict = assay.VerdictFail
		case l.open.Evidence(l.limit, true) >= -math.Log(l.open.Alpha):
			l.verdict = assay.VerdictPass
		}
	}
}

// Decided reports whether the race has its answer: something failed, or all that must pass has.
func (r *Race) Decided() bool {
	is := func(v assay.Verdict) func(*lane) bool { return func(l *lane) bool { return l.verdict == v } }
	return slices.ContainsFunc(r.lanes, is(assay.VerdictFail)) || len(r.lanes) > 0 && !slices.ContainsFunc(r.lanes, is(assay.VerdictInconclusive))
}

// Pairs returns how many pairs there were.
func (r *Race) Pairs() int { return r.pairs }

// Changes returns what each metric came to so far.
func (r *Race) Changes() []assay.Change {
	out := []assay.Change{}
	for _, l := range r.lanes {
		out = append(out, l.change(&r.Settings))
	}
	return out
}

// change tells of a lane.
func (l *lane) change(s *RaceSettings) assay.Change {
	d, _ := analyzers.Lookup(l.metric)
	c := assay.Change{Metric: l.metric, Title: titleOf(kind{metric: l.metric}), Better: d.Better, Role: l.role, Scale: l.scale, Margin: l.margin, Verdict: l.verdict,
		P: assay.Num(math.NaN()), Adjusted: assay.Num(math.NaN()), BaseValues: l.base, OtherValues: l.other}
	n := l.open.N()
	c.Base, c.Other = blocksOf(l.base, d.Unit, s.Confidence), blocksOf(l.other, d.Unit, s.Confidence)
	if l.losses != nil {
		c.Base, c.Other = lossesOf(l.base, s.Confidence), lossesOf(l.other, s.Confidence)
	}
	none := assay.NotEstimable(assay.Ratio, n, "pairs", "a race goes on until it can tell")
	c.Smallest, c.Self = none, assay.NotEstimable(assay.Ratio, n, "pairs", "the sides take turns in random order, so that equal ones differ by chance alone")
	in, value := l.open.Bounds(), l.open.Centre()
	method := "mean of the differences of blocks; bounds by betting, differences within -1 and 1"
	if l.scale == assay.ScaleRatio {
		in.Lo, in.Hi, value = math.Expm1(in.Lo), math.Expm1(in.Hi), math.Expm1(value)
		method = "Hodges-Lehmann of the log ratios of blocks; bounds by betting on their symmetry"
	}
	switch {
	case n == 0:
		c.Change = assay.NotMeasured(assay.Ratio, "no pair of blocks has it on both sides")
		c.Why = "no pair of blocks has it on both sides"
	case math.IsInf(in.Hi, 1) || in.Lo == -1 && (l.scale == assay.ScaleRatio || in.Hi == 1):
		c.Change = assay.NotEstimable(assay.Ratio, n, "pairs", fmt.Sprintf("%s are too few for bounds that hold at every look", plural(n, "pair", "pairs")))
		c.Why = "too few pairs"
	default:
		c.Change = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Ratio, N: n, Of: "pairs", Method: method, Basis: assay.Estimated}
	}
	l.explain(&c, s)
	if l.losses != nil && c.Change.Bounded() { // what bursts may come to is in words: the interval is that by which a race passes
		if hi := l.losses.requests.Bound(l.open.Alpha); hi < c.Change.Hi {
			c.Change.Hi = hi
			c.Change.Method += "; upper bound by requests, where these fail one by one"
		}
	}
	return c
}

// explain says why a lane is where it is, and how many pairs would do if the evidence goes on to grow as it did.
func (l *lane) explain(c *assay.Change, s *RaceSettings) {
	n := l.open.N()
	switch {
	case l.verdict == assay.VerdictFail:
		c.Why = fmt.Sprintf("beyond the margin: a change as large as the margin itself would look so in at most %.3g %% of races, over all %d metrics that may fail and all looks", 50*(1-s.Confidence), l.among)
		return
	case n == 0:
		return
	case l.losses != nil:
		l.losses.explain(c, l, s)
		return
	case l.verdict == assay.VerdictPass:
		return
	}
	switch {
	case c.Why != "":
	case c.Change.Lo > l.margin:
		c.Why = fmt.Sprintf("beyond the margin by itself, which is not enough among %d metrics that may fail", l.among)
	default:
		c.Why = "the bounds hold the margin"
	}
	grown, goal := l.open.Evidence(l.limit, true), -math.Log(l.open.Alpha)
	if v := l.strict.Evidence(l.limit, false); v/-math.Log(l.strict.Alpha) > grown/goal {
		grown, goal = v, -math.Log(l.strict.Alpha)
	}
	l.grow(c, grown, goal, n)
}

// grow says how many pairs would do if what n of them won goes on to grow as it did.
func (l *lane) grow(c *assay.Change, grown, goal float64, n int) {
	if grown > 0.5 {
		if more := int(math.Ceil(float64(n)*goal/grown)) - n; more <= 10000 {
			c.More = max(more, 1)
			c.Enough = fmt.Sprintf("about %s, if the change stays as it is", plural(c.More, "more pair", "more pairs"))
			return
		}
	}
	c.Enough = "many more pairs: so far the change is as good as the margin, or lost in noise"
}

// blocksOf is what blocks come to together: their median.
func blocksOf(v []float64, unit assay.Unit, confidence float64) assay.Quantity {
	qs := make([]assay.Quantity, len(v))
	for i := range v {
		qs[i] = assay.Quantity{Value: v[i], Lo: math.Inf(-1), Hi: math.Inf(1), Unit: unit, N: 1, Of: "blocks"}
	}
	q := middle(qs, unit, confidence)
	if q.Of == "runs" {
		q.Of, q.Method = "blocks", "median of the blocks, order statistics"
	}
	return q
}

// Comparison tells what the race came to, with the runs that its records are.
func (r *Race) Comparison(base, other Side) *assay.Comparison {
	s := &r.Settings
	c := &assay.Comparison{Schema: assay.ComparisonSchema, Kind: "race", Confidence: s.Confidence, Changes: r.Changes()}
	c.Base, _ = base.side()
	side, _ := other.side()
	for _, x := range []*assay.Side{&c.Base, &side} {
		for i := range x.Runs {
			if why := x.Runs[i].LeftOut; why != "" && !strings.HasPrefix(why, "it ended early: "+assay.EndInterrupted) { // an interrupted race counts as far as it went: every look does
				c.Problems = append(c.Problems, fmt.Sprintf("%s: %s", x.Name, why))
			}
			x.Runs[i].LeftOut = ""
		}
	}
	if r.pairs < s.Pairs {
		c.Problems = append(c.Problems, fmt.Sprintf("the records hold %d of %d pairs of blocks", r.pairs, s.Pairs))
	}
	c.Candidates = []assay.Side{side}
	gates := []string{}
	for i := range c.Changes {
		c.Changes[i].Candidate = side.Name
		if c.Changes[i].Role == assay.ChangeGate {
			gates = append(gates, c.Changes[i].Metric)
		}
	}
	c.Race = &assay.Race{Seed: s.Seed, Pairs: r.pairs, Most: s.Most, Block: float64(s.Block) / 1e9, Rate: s.Rate, Requests: r.requests, Stopped: s.Stopped, Gates: gates}
	if len(base.Runs) == 1 && len(other.Runs) == 1 {
		a, b := &base.Runs[0], &other.Runs[0]
		c.Race.Took = float64(max(a.Report.End, b.Report.End)-min(a.Report.Begin, b.Report.Begin)) / 1e9
		if a.Manifest.Target.Name == b.Manifest.Target.Name {
			c.Doubts = append(c.Doubts, "both sides are one target: no change is to be expected")
		}
	}
	decide(c)
	for _, l := range r.lanes {
		if x := l.losses; x != nil && c.Verdict == assay.VerdictPass && x.bound > l.margin {
			c.Why += fmt.Sprintf("; of losses at most %.3g points more are shown, where requests fail one by one", 100*x.requests.Bound(l.open.Alpha))
		}
	}
	if c.Verdict == assay.VerdictInconclusive && len(c.Problems) == 0 {
		c.Next = "race on with a larger --budget, or allow a wider --margin"
		for i := range c.Changes {
			if ch := &c.Changes[i]; ch.Role == assay.ChangeGate && ch.More > 0 && ch.Verdict == assay.VerdictInconclusive {
				c.Next = fmt.Sprintf("race again with a budget of %d pairs or so", r.pairs+ch.More)
			}
		}
	}
	return c
}

// Blocks sorts the requests of one side of a race into its blocks, by the number of their pair, as its events tell of them.
func Blocks(events []assay.Event, requests []assay.Request) map[int]Block {
	type span struct {
		pair       int
		begin, end int64
	}
	var spans []span
	for i := range events {
		if e := &events[i]; e.Kind == assay.EventBlock {
			pair, err := strconv.Atoi(e.Attrs["pair"])
			length, bad := strconv.ParseInt(e.Attrs["length_ns"], 10, 64)
			if err == nil && bad == nil {
				spans = append(spans, span{pair, e.Time, e.Time + length})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.begin, b.begin) })
	in := map[int][]assay.Request{}
	for i := range requests {
		due := requests[i].Due
		at, found := slices.BinarySearchFunc(spans, due, func(s span, t int64) int { return cmp.Compare(s.begin, t) })
		if !found {
			at--
		}
		if at >= 0 && due <= spans[at].end {
			in[spans[at].pair] = append(in[spans[at].pair], requests[i])
		}
	}
	out := map[int]Block{}
	for _, s := range spans {
		out[s.pair] = BlockOf(in[s.pair])
	}
	return out
}

// Rerun judges a race anew from the blocks of both sides. A pair of which one block is missing ends it.
func Rerun(s RaceSettings, base, other map[int]Block) *Race {
	r := NewRace(s)
	for pair := 1; ; pair++ {
		a, okA := base[pair]
		b, okB := other[pair]
		if !okA || !okB {
			return r
		}
		r.Pair(a, b)
	}
}
