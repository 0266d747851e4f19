package analyzers

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/openslo"
	"github.com/assay-dev/assay/internal/promrules"
)

// sloSteps bounds how finely a promise on metrics is looked at.
const sloSteps = 500

// ask fills a count whose indicator is PromQL from the metrics of the run: a look at each step, over that step. What is bad within a fault or an overload is put
// down to it; of the rest metrics tell no cause.
func (c *sloCount) ask(f *assay.Facts) error {
	if c.slo.Good.Own() || c.slo.Unmapped != "" {
		return nil
	}
	looks, untold := c.looks(f)
	if untold != "" {
		c.untold = untold
		return nil
	}
	begin, end, _ := facts.MetricsSpan(f)
	causes, step, window := newCauses(f), looks.step, promrules.Span(time.Duration(looks.step))
	for t := begin + step; t <= end; t += step {
		n := looks.total[t]
		if n <= 0 {
			continue
		}
		bad := min(n, max(0, looks.bad(t, n)))
		ledger, fault := f.At(t - step/2)
		cause, how := firstOf(causes.ledger(ledger, fault), unexplained), ""
		if bad > 0 {
			how = "steps of " + window
		}
		c.add(t-step/2, n, bad, cause, how, ledger == assay.Natural)
	}
	c.doubts = append(c.doubts, looks.doubts...)
	c.doubts = append(c.doubts, fmt.Sprintf("from the run's metrics, a look each %s; what was bad is told by fault and overload alone", window))
	return nil
}

// looks asks the metrics at steps that are short, and yet long enough for most of them to tell something; or says why they tell nothing.
func (c *sloCount) looks(f *assay.Facts) (looks *sloLooks, untold string) {
	if f.Metrics == nil {
		return nil, "the run has no metrics that its PromQL could be asked of" + ownHint
	}
	begin, end, _ := facts.MetricsSpan(f)
	for _, step := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute} {
		step := max(int64(step), (end-begin)/sloSteps/int64(time.Second)*int64(time.Second))
		if step > end-begin {
			break
		}
		l, err := c.look(f, begin, end, step)
		if err != nil {
			return nil, "its PromQL cannot be asked: " + err.Error()
		}
		if looks == nil || len(l.total)*int(l.step/int64(time.Second)) > len(looks.total)*int(looks.step/int64(time.Second)) {
			looks = l
		}
		if int64(len(looks.total)) >= (end-begin)/step/2 {
			break
		}
	}
	if looks == nil || len(looks.total) == 0 {
		in := &c.slo.Good
		return nil, fmt.Sprintf("the run's metrics have nothing that %s gives", firstOf(in.Total, in.Raw, in.Query)) + ownHint
	}
	return looks, ""
}

// sloLooks are what metrics tell at each step.
type sloLooks struct {
	step   int64
	total  map[int64]float64
	bad    func(t int64, n float64) float64
	doubts []string
}

// look asks at each step what there was over it.
func (c *sloCount) look(f *assay.Facts, begin, end, step int64) (_ *sloLooks, err error) {
	l := &sloLooks{step: step}
	window := promrules.Span(time.Duration(step))
	query := func(q string) (map[int64]float64, error) {
		series, err := f.Metrics.Range(context.Background(), strings.ReplaceAll(q, assay.RangeMark, window), begin+step, end, step)
		if err != nil {
			return nil, err
		}
		if len(series) > 1 {
			l.doubts = append(l.doubts, fmt.Sprintf("%s gives %d series; they are added up", q, len(series)))
		}
		out := map[int64]float64{}
		for i := range series {
			for j, t := range series[i].Times {
				if v := float64(series[i].Values[j]); !math.IsNaN(v) && !math.IsInf(v, 0) {
					out[t] += v
				}
			}
		}
		return out, nil
	}
	l.total, l.bad, err = c.parts(query)
	return l, err
}

// ownHint says how the run's own requests can stand for what its metrics lack.
const ownHint = "; the annotation " + openslo.MetricAnnotation + " would judge it by the run's own requests"

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// parts asks for how much there was at each step, and gives how much of it was bad.
func (c *sloCount) parts(query func(string) (map[int64]float64, error)) (total map[int64]float64, bad func(t int64, n float64) float64, err error) {
	in := &c.slo.Good
	if in.Total != "" {
		if total, err = query(in.Total); err != nil {
			return nil, nil, err
		}
		some, err := query(firstOf(in.Good, in.Bad))
		if err != nil {
			return nil, nil, err
		}
		return total, func(t int64, n float64) float64 {
			if in.Good != "" {
				return n - some[t]
			}
			return some[t]
		}, nil
	}
	value, err := query(firstOf(in.Raw, in.Query))
	if err != nil {
		return nil, nil, err
	}
	total = map[int64]float64{}
	for t := range value {
		total[t] = 1
	}
	return total, func(t int64, _ float64) float64 {
		v := value[t]
		switch {
		case in.Raw != "" && in.Failed:
			return v
		case in.Raw != "":
			return 1 - v
		}
		return bit(!map[string]bool{"<": v < in.Value, "<=": v <= in.Value, ">": v > in.Value, ">=": v >= in.Value}[in.Op])
	}, nil
}
