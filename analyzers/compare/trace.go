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

// TraceOptions are what a person asks of a history.
type TraceOptions struct {
	Options         // margins are the least changes that count
	Window  int     // runs that are looked at together; 0: 50
	MaxP    float64 // a change counts below this; 0: 0.001
}

// minTrace is the least number of runs in which a level can change: two before and two after.
const minTrace = 4

// Trace finds where the level of each metric changes over runs of one plan in order of time, by E-divisive means. Runs of other plans
// than the latest run's are left out. Metrics are those that Runs compares by.
func Trace(runs []Run, o TraceOptions) (*assay.History, error) {
	h := &assay.History{Schema: assay.HistorySchema, Window: cmp.Or(o.Window, 50), MaxP: cmp.Or(o.MaxP, 0.001), Sure: o.confidence(), Runs: []assay.ComparedRun{}, Points: []assay.LevelChange{}}
	h.Least = RatioMargin
	if m, ok := o.Margins[""]; ok {
		h.Least = m
	}
	all := sorted(runs)
	var used []Run
	if len(all) > 0 {
		latest := &all[len(all)-1]
		h.Plan, h.Name = latest.Manifest.PlanHash, latest.Manifest.Name
		others := 0
		for i := range all {
			t := all[i].told()
			if t.LeftOut == "" && planDiffers(&all[i], latest) != "" {
				t.LeftOut = "its plan differs from the latest run's in load or faults"
				others++
			}
			h.Runs = append(h.Runs, t)
			if t.LeftOut == "" {
				used = append(used, all[i])
			}
		}
		if out := len(all) - len(used); out > 0 {
			h.Doubts = append(h.Doubts, fmt.Sprintf("%s left out, %d for another plan", plural(out, "run is", "runs are"), others))
		}
	}
	if len(used) < minTrace {
		return nil, fmt.Errorf("a change of level needs at least %d runs of one plan, and %d of %d count", minTrace, len(used), len(all))
	}
	if slices.ContainsFunc(used, func(r Run) bool { return len(r.Manifest.Plan) == 0 }) {
		h.Doubts = append(h.Doubts, noPlan)
	}
	if v := distinct(used, func(r *Run) string { return r.Manifest.Version }); len(v) > 1 {
		h.Doubts = append(h.Doubts, fmt.Sprintf("the runs were recorded by %d versions of assay", len(v)))
	}
	if v := distinct(used, func(r *Run) string {
		return fmt.Sprint(r.Manifest.Host.OS, r.Manifest.Host.Arch, r.Manifest.Host.CPUs, r.Manifest.Host.Kernel)
	}); len(v) > 1 {
		h.Doubts = append(h.Doubts, fmt.Sprintf("the runs were made on %d different machines: a change of machine looks like one of release", len(v)))
	}
	for _, k := range kindsOf(used, o.Gates) {
		if len(o.Gates) > 0 && k.role != assay.ChangeGate {
			continue
		}
		look(h, used, k, &o)
	}
	if len(h.Points) > 0 {
		h.Doubts = append(h.Doubts, fmt.Sprintf("levels are cut where the runs say, so that their intervals are too narrow, and of %s each was tested by itself", plural(len(h.Looked), "metric", "metrics")))
	}
	slices.SortStableFunc(h.Points, func(a, b assay.LevelChange) int { return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.P, b.P)) })
	return h, nil
}

// look looks for changes of one metric.
func look(h *assay.History, runs []Run, k kind, o *TraceOptions) {
	d, _ := analyzers.Lookup(k.metric)
	var at []int // runs that tell the metric
	var values []float64
	for i := range runs {
		if q := valueOf(&runs[i], k); q.Known() && !math.IsNaN(q.Value) {
			at, values = append(at, i), append(values, q.Value)
		}
	}
	title := titleOf(k)
	if len(values) < minTrace {
		if len(values) > 0 {
			h.Short = append(h.Short, fmt.Sprintf("%s: only %s it", title, plural(len(values), "run tells", "runs tell")))
		}
		return
	}
	h.Looked = append(h.Looked, title)
	family, _, _ := strings.Cut(k.metric, "/")
	least, scale := h.Least, assay.ScaleRatio
	if d.Unit == assay.Ratio {
		least, scale = ShareMargin, assay.ScaleDifference
	}
	if m, ok := o.named(k.metric, family); ok {
		least = m
	}
	h.LeastOf, h.Shares = append(h.LeastOf, least), append(h.Shares, scale == assay.ScaleDifference)
	var points []stat.ChangePoint
	if scale == assay.ScaleRatio {
		points = stat.ChangePoints(values, h.Window, h.MaxP, least)
	} else {
		points = slices.DeleteFunc(stat.ChangePoints(values, h.Window, h.MaxP, 0), func(p stat.ChangePoint) bool { return math.Abs(p.After-p.Before) < least })
	}
	for i, p := range points {
		from, to := 0, len(values)
		if i > 0 {
			from = points[i-1].Index
		}
		if i+1 < len(points) {
			to = points[i+1].Index
		}
		first, before := &runs[at[p.Index]], &runs[at[p.Index-1]]
		c := assay.LevelChange{Metric: k.metric, Labels: k.labels, Title: title, Better: d.Better, Scale: scale, Index: at[p.Index], Run: first.told(), P: p.P,
			From: before.Manifest.Target.Release, To: first.Manifest.Target.Release,
			Before: level(values[from:p.Index], d.Unit, o.confidence()), After: level(values[p.Index:to], d.Unit, o.confidence())}
		was, is := c.Before.Value, c.After.Value
		if c.Change = assay.Num(is/was - 1); scale == assay.ScaleDifference {
			c.Change = assay.Num(is - was)
		}
		c.Worse = d.Better == "lower" && is > was || d.Better == "higher" && is < was
		h.Points = append(h.Points, c)
	}
}

// level is the mean of a stretch of runs.
func level(v []float64, unit assay.Unit, confidence float64) assay.Quantity {
	n := float64(len(v))
	m, ss := 0.0, 0.0
	for _, x := range v {
		m += x / n
	}
	for _, x := range v {
		ss += (x - m) * (x - m)
	}
	q := assay.Quantity{Value: m, Lo: math.Inf(-1), Hi: math.Inf(1), Confidence: confidence, Unit: unit, N: len(v), Of: "runs", Method: "mean, Student's t", Basis: assay.Estimated}
	if len(v) > 1 {
		half := stat.StudentT(1-(1-confidence)/2, n-1) * math.Sqrt(ss/(n-1)/n)
		q.Lo, q.Hi = m-half, m+half
	}
	return q
}
