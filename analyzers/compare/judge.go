package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// A value is what one run says of a metric, and when that was.
type value struct {
	at    int64 // Unix ns; 0 where nothing tells
	v     float64
	other bool // of the candidate
	n     int  // requests of which v is a share; 0 where it is none
}

// trialsOf puts the values of both sides in the order in which their runs were made; ordered is false where a run does not tell.
func trialsOf(vs []value) (trials []stat.Trial, ordered bool) {
	vs = slices.Clone(vs)
	slices.SortStableFunc(vs, func(a, b value) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	ordered = true
	for _, v := range vs {
		ordered = ordered && v.at != 0
		trials = append(trials, stat.Trial{Value: v.v, Candidate: v.other})
	}
	return trials, ordered
}

// scaleOf returns the scale of a change. Ratios of values that are not all above zero would be none: they become differences. So do recoveries, of which
// a tolerated fault has none.
func scaleOf(metric string, vs []value, unit assay.Unit) assay.Scale {
	if unit == assay.Ratio || strings.HasPrefix(metric, "recovery/") || slices.ContainsFunc(vs, func(v value) bool { return !(v.v > 0) }) {
		return assay.ScaleDifference
	}
	return assay.ScaleRatio
}

// judge fills in what the values of two sides come to by themselves: interval, chance and verdict. That other metrics may fail too is
// allowed for later.
func judge(c *assay.Change, vs []value, unit assay.Unit, confidence float64) {
	trials, ordered := trialsOf(vs)
	g := stat.Gate{HigherBetter: c.Better == "higher", Margin: c.Margin, Relative: c.Scale == assay.ScaleRatio, Alpha: (1 - confidence) / 2, Unordered: !ordered, Mean: ofLosses(c.Metric), Alike: alike(vs)}
	if g.Relative {
		unit = assay.Ratio
	}
	r := g.Decide(trials)
	n, of := r.N+r.M, fmt.Sprintf("runs, %d and %d", r.N, r.M)
	c.P, c.Verdict, c.Why, c.More = assay.Num(r.PBeyond), verdict(r.Verdict), r.Reason, max(r.More, 0)
	if len(trials) > 2 {
		c.Doubts = r.Doubts
	}
	c.Change = changed(r, g.Relative, unit, n, of)
	c.Smallest = assay.NotEstimable(unit, n, of, "so few runs would find no change, however large")
	if !math.IsInf(r.Detectable, 0) && !math.IsNaN(r.Detectable) {
		d := r.Detectable
		c.Smallest = assay.Quantity{Value: d, Lo: d, Hi: d, Confidence: 1, Unit: unit, N: n, Of: of, Method: "loss that as many runs find four times in five, by the width of the interval", Basis: assay.Measured}
	}
	self := g.CheckSelf(trials)
	if self.Reason != "" {
		c.Self = assay.NotEstimable(unit, r.N, "runs of the base", fmt.Sprintf("the base is compared with itself from %d runs on", 2*g.Least()))
		return
	}
	c.Self = changed(self.Alternate, g.Relative, unit, r.N, "runs of the base")
	if c.Verdict != assay.VerdictInconclusive && beyond(c) {
		c.Verdict, c.More = assay.VerdictInconclusive, 0
		c.Why = "the base differs from itself by more than the margin, its runs split by turns: they are not alike enough to show a change"
		c.Enough = "runs that are alike, on a quieter machine or longer"
	}
}

// beyond reports whether the base differs from itself by more than the margin, either way.
func beyond(c *assay.Change) bool {
	return c.Self.Bounded() && (c.Self.Lo > c.Margin || c.Self.Hi < -c.Margin)
}

func verdict(gate string) assay.Verdict {
	switch gate {
	case stat.GatePass:
		return assay.VerdictPass
	case stat.GateFail:
		return assay.VerdictFail
	}
	return assay.VerdictInconclusive
}

// changed dresses the change of a gate.
func changed(r stat.GateResult, relative bool, unit assay.Unit, n int, of string) assay.Quantity {
	value, lo, hi := r.Change, r.In.Lo, r.In.Hi
	if relative {
		value, lo, hi = value-1, lo-1, hi-1
	}
	open := math.IsNaN(value) || math.IsInf(hi, 1) || math.IsInf(lo, -1) || relative && lo == -1
	if open {
		why := r.Reason
		if why == "" {
			why = "they are too few for an interval"
		}
		return assay.NotEstimable(unit, n, of, why)
	}
	return assay.Quantity{Value: value, Lo: lo, Hi: hi, Confidence: r.In.Confidence, Unit: unit, N: n, Of: of, Method: r.Method, Basis: assay.Estimated}
}
