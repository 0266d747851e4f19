package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
)

// recoveryOf returns how long users took to be well again in one run: of several faults the mean. A run in which one did not end has a lower bound alone.
func recoveryOf(r *Run, name, fault string) assay.Quantity {
	sum, n, open, reason := 0.0, 0, 0, "no such fault was felt"
	var one assay.Quantity
	for i := range r.Report.Faults {
		f := &r.Report.Faults[i]
		q := f.User
		if name == "capacity" {
			q = f.Capacity
		}
		switch {
		case fault != "" && f.Window.Kind != fault:
			continue
		case !q.Known():
			reason = because(q.Reason)
			continue
		case math.IsNaN(q.Value):
			if math.IsNaN(q.Lo) || math.IsInf(q.Lo, 0) {
				reason = "the run tells neither when it ended nor how long it went on"
				continue
			}
			open++
			sum += q.Lo
		default:
			sum += q.Value
		}
		n, one = n+1, q
	}
	switch {
	case n == 0:
		return assay.NotMeasured(assay.Seconds, reason)
	case n == 1:
		return one
	case open > 0:
		return assay.Quantity{Value: math.NaN(), Lo: sum / float64(n), Hi: math.Inf(1), Confidence: 1, Unit: assay.Seconds, N: n, Of: "faults",
			Method: fmt.Sprintf("mean of the faults of one run, of which %d did not end", open), Basis: assay.Measured}
	}
	return assay.Quantity{Value: sum / float64(n), Lo: math.Inf(-1), Hi: math.Inf(1), Unit: assay.Seconds, N: n, Of: "faults", Method: "mean of the faults of one run", Basis: assay.Measured}
}

// unended reports whether a quantity has a lower bound alone.
func unended(q assay.Quantity) bool {
	return q.Known() && math.IsNaN(q.Value) && !math.IsNaN(q.Lo) && !math.IsInf(q.Lo, 0) && q.Unit == assay.Seconds
}

// ranked gives what did not end the largest value that was seen on either side, which is the least that ranks it behind all that did, and returns how many
// there are of each side.
func ranked(base, other []assay.Quantity) (b, o []assay.Quantity, open [2]int) {
	out := [2][]assay.Quantity{slices.Clone(base), slices.Clone(other)}
	top, ended := 0.0, 0.0
	for _, qs := range out {
		for _, q := range qs {
			switch {
			case unended(q):
				top = math.Max(top, q.Lo)
			case q.Known() && !math.IsNaN(q.Value):
				ended = math.Max(ended, q.Value)
			}
		}
	}
	if top <= ended {
		top = math.Nextafter(ended, math.Inf(1))
	}
	for i, qs := range out {
		for j := range qs {
			if unended(qs[j]) {
				qs[j].Value = top
				open[i]++
			}
		}
	}
	return out[0], out[1], open
}

// censored says of a change what recoveries that did not end make of it.
func censored(c *assay.Change, open [2]int, n [2]int) {
	if open[0]+open[1] == 0 {
		return
	}
	said := fmt.Sprintf("%d of %d runs of the base and %d of %d of the candidate did not recover", open[0], n[0], open[1], n[1])
	c.Change.Method += "; what did not end ranks behind all that did"
	if c.Change.Known() && open[1] > 0 {
		c.Change.Hi = math.Inf(1)
	}
	if c.Change.Known() && open[0] > 0 {
		c.Change.Lo = math.Inf(-1)
	}
	for i, q := range []*assay.Quantity{&c.Base, &c.Other} {
		if open[i] > 0 && q.Known() && n[i] > 0 {
			*q = openMiddle([2][]float64{c.BaseValues, c.OtherValues}[i], open[i], *q)
		}
	}
	if c.Verdict == assay.VerdictPass && open[1]*n[0] > open[0]*n[1] {
		c.Verdict, c.More = assay.VerdictInconclusive, 0
		c.Enough = "runs that go on until it recovered"
	}
	switch {
	case c.Verdict == assay.VerdictPass:
	case c.Why == "":
		c.Why = said
	default:
		c.Why = said + "; " + c.Why
	}
}

// openMiddle is the median of runs of which the largest did not end.
func openMiddle(values []float64, open int, q assay.Quantity) assay.Quantity {
	v := slices.Sorted(slices.Values(values))
	q.Hi = math.Inf(1)
	q.Method = fmt.Sprintf("median of the runs, of which %d did not end", open)
	if len(v)/2 >= len(v)-open { // the upper one of the two in the middle
		q.Value, q.Lo = math.NaN(), v[(len(v)-1)/2]
	}
	return q
}
