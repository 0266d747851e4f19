package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
	"github.com/assay-dev/assay/internal/stat"
)

// Options are what a person asks for. The zero value compares by the plan's objectives, or by what always counts.
type Options struct {
	Confidence float64            // of the intervals; 0: [Confidence]
	Gates      []assay.Objective  // metrics that must pass, without bounds; nil: those of the plan's objectives
	Margins    map[string]float64 // by metric or by its family, above 0 and, of ratios, below 1; "" for all that are compared by ratio
	OtherPlans bool               // plans that differ are a doubt, not a problem
}

// Confidence is that of the intervals: 5 % on each side, as in tests of equivalence, of which each verdict needs one.
const Confidence = 0.90

func (o *Options) confidence() float64 { return cmp.Or(o.Confidence, Confidence) }

// named returns the margin that was given for a metric or its family.
func (o *Options) named(metric, family string) (float64, bool) {
	for _, name := range []string{metric, family} {
		if m, ok := o.Margins[name]; ok {
			return m, true
		}
	}
	return 0, false
}

// margin returns the margin of a metric on its scale. level is the median of the base.
func (o *Options) margin(metric string, scale assay.Scale, unit assay.Unit, level float64) float64 {
	family, _, _ := strings.Cut(metric, "/")
	least := 0.0
	if family == "recovery" {
		least = RecoveryFloor
	}
	if m, ok := o.named(metric, family); ok {
		if scale == assay.ScaleDifference && unit != assay.Ratio {
			return math.Max(m*math.Abs(level), least)
		}
		return m
	}
	ratio := RatioMargin
	if m, ok := o.Margins[""]; ok {
		ratio = m
	}
	switch {
	case scale == assay.ScaleRate:
		return RateMargin
	case scale == assay.ScaleRatio:
		return ratio
	case unit == assay.Ratio:
		return ShareMargin
	}
	return math.Max(ratio*math.Abs(level), least)
}

// Runs compares each of others with base.
func Runs(base Side, others []Side, opts Options) *assay.Comparison {
	c := &assay.Comparison{Schema: assay.ComparisonSchema, Kind: "runs", Confidence: opts.confidence(), Candidates: []assay.Side{}, Changes: []assay.Change{}}
	var baseRuns []Run
	c.Base, baseRuns = base.side()
	if len(baseRuns) == 0 {
		c.Problems = append(c.Problems, none(c.Base))
	}
	all := slices.Clone(baseRuns)
	for i := range others {
		side, runs := others[i].side()
		if len(baseRuns) > 0 && len(runs) > 0 && len(baseRuns)+len(runs) > 2 {
			side.Order, side.Turns = turns(baseRuns, runs)
		}
		c.Candidates = append(c.Candidates, side)
		if len(runs) == 0 {
			c.Problems = append(c.Problems, none(side))
			continue
		}
		all = append(all, runs...)
		if len(baseRuns) == 0 {
			continue
		}
		if s := orderDoubt(side.Name, side.Order, side.Turns); s != "" {
			c.Doubts = append(c.Doubts, s)
		}
		for _, k := range kindsOf(slices.Concat(baseRuns, runs), opts.Gates) {
			if ch, ok := changeOf(k, baseRuns, runs, &opts); ok {
				ch.Candidate = side.Name
				c.Changes = append(c.Changes, ch)
			}
		}
	}
	suspect(c, all, &opts)
	holm(c)
	decide(c)
	return c
}

func none(s assay.Side) string {
	for _, r := range s.Runs {
		if r.LeftOut != "" {
			return fmt.Sprintf("no run of %s counts; of %s: %s", s.Name, r.Dir, r.LeftOut)
		}
	}
	return fmt.Sprintf("there is no run of %s", s.Name)
}

// changeOf compares one metric; ok is false where neither side has it and nobody asked for it.
func changeOf(k kind, base, other []Run, opts *Options) (assay.Change, bool) {
	d, _ := analyzers.Lookup(k.metric)
	c := assay.Change{Metric: k.metric, Labels: k.labels, Title: titleOf(k), Better: d.Better, Role: k.role}
	if counted(k.metric) {
		c.Margin = opts.margin(k.metric, assay.ScaleRate, d.Unit, 0)
		a, bq := tallyOf(k, base)
		b, oq := tallyOf(k, other)
		rates(&c, a, b, opts.confidence())
		c.Holds = holdsUp(&c)
		absent(&c, bq, oq)
		if n := a.trends() + b.trends(); n > 0 {
			c.Doubts = append(c.Doubts, fmt.Sprintf("in %s failures came at no constant rate: %s", plural(n, "run", "runs"), meanRate))
		}
		return c, c.Base.Known() || c.Other.Known() || len(opts.Gates) > 0 && k.role == assay.ChangeGate
	}
	bq, oq := quantitiesOf(k, base), quantitiesOf(k, other)
	var open [2]int
	if strings.HasPrefix(k.metric, "recovery/") && d.Unit == assay.Seconds {
		bq, oq, open = ranked(bq, oq)
	}
	c.BaseValues, c.OtherValues = valuesOf(bq), valuesOf(oq)
	if len(c.BaseValues)+len(c.OtherValues) == 0 && !(len(opts.Gates) > 0 && k.role == assay.ChangeGate) {
		return c, false
	}
	c.Base, c.Other = middle(bq, d.Unit, opts.confidence()), middle(oq, d.Unit, opts.confidence())
	if ofLosses(k.metric) {
		c.Base, c.Other = average(c.Base, c.BaseValues), average(c.Other, c.OtherValues)
	}
	vs := append(timed(bq, base, false), timed(oq, other, true)...)
	c.Scale = scaleOf(k.metric, vs, d.Unit)
	c.Margin = opts.margin(k.metric, c.Scale, d.Unit, c.Base.Value)
	if len(c.BaseValues) == 0 || len(c.OtherValues) == 0 {
		c.Verdict, c.P, c.Adjusted = assay.VerdictInconclusive, assay.Num(math.NaN()), assay.Num(math.NaN())
		c.Change = assay.NotMeasured(d.Unit, "one side does not tell it")
		c.Smallest, c.Self = c.Change, c.Change
		c.Why = "the base: " + because(c.Base.Reason)
		if len(c.BaseValues) > 0 {
			c.Why = "the candidate: " + because(c.Other.Reason)
		}
		c.Holds = holdsUp(&c)
		return c, true
	}
	c.Adjusted = assay.Num(math.NaN())
	judge(&c, vs, d.Unit, opts.confidence())
	if k.metric == "error_ratio" && !slices.ContainsFunc(slices.Concat(c.BaseValues, c.OtherValues), func(v float64) bool { return v != 0 }) {
		faultless(&c, bq, oq, opts.confidence())
	}
	if k.metric == "error_ratio" {
		lost(&c)
	}
	censored(&c, open, [2]int{len(c.BaseValues), len(c.OtherValues)})
	c.Holds = holdsUp(&c)
	absent(&c, bq, oq)
	return c, true
}

// meanRate is in what is said of rates that were not constant.
const meanRate = "their mean over the watch is compared"

// average is what runs come to together in what they lose: their mean.
func average(q assay.Quantity, values []float64) assay.Quantity {
	if len(values) < 2 {
		return q
	}
	q.Value = 0
	for _, v := range values {
		q.Value += v / float64(len(values))
	}
	q.Lo, q.Hi, q.Confidence, q.Method, q.Basis = slices.Min(values), slices.Max(values), 1, "mean of the runs, from the lowest to the highest", assay.Measured
	return q
}

func quantitiesOf(k kind, runs []Run) []assay.Quantity {
	out := make([]assay.Quantity, len(runs))
	for i := range runs {
		out[i] = valueOf(&runs[i], k)
	}
	return out
}

// timed returns the values of the runs that have one, with their time.
func timed(qs []assay.Quantity, runs []Run, other bool) []value {
	var out []value
	for i, q := range qs {
		if q.Known() && !math.IsNaN(q.Value) {
			v := value{at: runs[i].begin(), v: q.Value, other: other}
			if q.Unit == assay.Ratio && strings.HasSuffix(q.Of, "requests") {
				v.n = q.N
			}
			out = append(out, v)
		}
	}
	return out
}

// valuesOf returns the values of those that have one.
func valuesOf(qs []assay.Quantity) []float64 {
	var out []float64
	for _, q := range qs {
		if q.Known() && !math.IsNaN(q.Value) {
			out = append(out, q.Value)
		}
	}
	return out
}

// middle is what runs come to together: their median, with order statistics. One run speaks for itself.
func middle(qs []assay.Quantity, unit assay.Unit, confidence float64) assay.Quantity {
	v := valuesOf(qs)
	switch len(v) {
	case 0:
		for _, q := range qs {
			if q.Reason != "" {
				q.Unit = unit
				return q
			}
		}
		return assay.NotMeasured(unit, "no run tells it")
	case 1:
		for _, q := range qs {
			if q.Known() && !math.IsNaN(q.Value) {
				q.Unit = unit
				q.Method = "of the one run, within it: " + q.Method
				return q
			}
		}
	}
	slices.Sort(v)
	q := assay.Quantity{Value: stat.Quantile(v, 0.5, stat.Type7), Lo: v[0], Hi: v[len(v)-1], Confidence: 1 - math.Pow(2, float64(1-len(v))), Unit: unit, N: len(v), Of: "runs",
		Method: "median of the runs, order statistics", Basis: assay.Estimated}
	if lo, hi, attained, ok := stat.Ranks(len(v), 0.5, confidence); ok {
		q.Lo, q.Hi, q.Confidence = v[lo-1], v[hi-1], attained
	}
	return q
}
