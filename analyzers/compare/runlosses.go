package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// ofLosses reports whether a metric is a share of what users lost or kept. Losses sit in few runs, so that medians over runs and ranks see the others alone: means
// are compared, by dealing the runs anew.
func ofLosses(metric string) bool {
	return metric == "error_ratio" || metric == "goodput/ratio" || metric == "recovery/rate" || strings.HasPrefix(metric, "availability/")
}

// alikeEnough is the chance of runs that differ as much as these within their sides from which on they are alike.
const alikeEnough = 0.05

// alike reports whether the shares of each side differ no more from run to run than requests that are lost one by one let expect. False where nothing was lost, or where they are no shares
// of requests.
func alike(vs []value) bool {
	var chi, free float64
	for _, other := range []bool{false, true} {
		var lost, of, runs float64
		for _, v := range vs {
			if v.n == 0 {
				return false
			}
			if v.other == other {
				lost, of, runs = lost+v.v*float64(v.n), of+float64(v.n), runs+1
			}
		}
		if lost == 0 || lost == of {
			continue
		}
		p := lost / of
		for _, v := range vs {
			if v.other == other {
				chi += (v.v - p) * (v.v - p) * float64(v.n) / (p * (1 - p))
			}
		}
		free += runs - 1
	}
	return free > 0 && stat.ChiSquareAbove(chi, free) >= alikeEnough
}

// holdsUp reports whether a watched metric stands in the way of a pass while it is not decided: errors, failures and recoveries do, unless the candidate's runs all
// tell of them and are free of them.
func holdsUp(c *assay.Change) bool {
	if c.Role != assay.ChangeWatch {
		return false
	}
	switch {
	case strings.HasPrefix(c.Metric, "recovery/") && c.Metric != "recovery/rate", c.Metric == "error_ratio":
		return len(c.OtherValues) == 0 || slices.ContainsFunc(c.OtherValues, func(v float64) bool { return v != 0 })
	case c.Metric == "recovery/rate":
		return len(c.OtherValues) == 0 || slices.ContainsFunc(c.OtherValues, func(v float64) bool { return v != 1 })
	case counted(c.Metric):
		return !c.Other.Known() || c.Other.N > 0
	}
	return false
}

// lost says in how many runs requests failed, where that leaves the change open.
func lost(c *assay.Change) {
	n := [2]int{}
	for i, vs := range [][]float64{c.BaseValues, c.OtherValues} {
		for _, v := range vs {
			if v > 0 {
				n[i]++
			}
		}
	}
	if c.Verdict == assay.VerdictInconclusive && n[0]+n[1] > 0 {
		c.Why = fmt.Sprintf("requests failed in %d of %d runs of the base and %d of %d of the candidate; %s", n[0], len(c.BaseValues), n[1], len(c.OtherValues), c.Why)
	}
}

// absent looks for runs that do not tell a metric. What is missing may be what was worst: where the sides differ in it nothing passes.
func absent(c *assay.Change, base, other []assay.Quantity) {
	missing := [2]int{}
	for i, qs := range [][]assay.Quantity{base, other} {
		why := ""
		for _, q := range qs {
			if !q.Known() {
				missing[i]++
				why = because(q.Reason)
			}
		}
		if n := missing[i]; n > 0 && n < len(qs) {
			c.Doubts = append(c.Doubts, fmt.Sprintf("%d of %s of the %s %s; %s", n, plural(len(qs), "run", "runs"), [2]string{"base", "candidate"}[i], notTelling, why))
		}
	}
	if missing[0]*len(other) == missing[1]*len(base) || missing[0] == len(base) || missing[1] == len(other) {
		return
	}
	c.Holds = c.Role == assay.ChangeWatch && (c.Metric == "error_ratio" || counted(c.Metric) || strings.HasPrefix(c.Metric, "recovery/"))
	if c.Verdict == assay.VerdictPass {
		c.Verdict, c.More = assay.VerdictInconclusive, 0
		c.Why = fmt.Sprintf("%d of %d runs of the base and %d of %d of the candidate do not tell it, and what is missing may be what was worst", missing[0], len(base), missing[1], len(other))
		c.Enough = "runs that all tell it"
	}
}

const notTelling = "do not tell it"

// because returns a reason without its kind.
func because(reason string) string {
	for _, kind := range []string{"not measured, because ", "not estimable, because ", "not measured: ", "not estimable: "} {
		reason = strings.TrimPrefix(reason, kind)
	}
	if reason == "" {
		return "the run does not say why"
	}
	return reason
}

// faultless bounds the difference of two shares of which nothing was seen: dealing zeros anew shows nothing. Requests do not fail one by one, so that it takes as many runs as any verdict does.
func faultless(c *assay.Change, base, other []assay.Quantity, confidence float64) {
	n := [2]int{}
	for i, qs := range [][]assay.Quantity{base, other} {
		for _, q := range qs {
			if q.Known() {
				n[i] += q.N
			}
		}
	}
	if n[0] == 0 || n[1] == 0 {
		return
	}
	runs := min(len(c.BaseValues), len(c.OtherValues))
	up := func(n int) float64 { return stat.ClopperPearson(0, n, confidence).Hi }
	c.Change = assay.Quantity{Value: 0, Lo: -up(n[0]), Hi: up(n[1]), Confidence: confidence, Unit: assay.Ratio, N: n[0] + n[1], Of: fmt.Sprintf("requests, %d and %d", n[0], n[1]),
		Method: "no request failed on either side; bounds as if requests failed one by one", Basis: assay.Estimated}
	c.P, c.Verdict, c.Why, c.More, c.Doubts = assay.Num(math.NaN()), assay.VerdictPass, "", 0, nil
	c.Self = assay.NotEstimable(assay.Ratio, n[0], "requests", "none of them failed")
	c.Smallest = assay.NotEstimable(assay.Ratio, n[0]+n[1], "requests", "none of them failed")
	least := (stat.Gate{Alpha: (1 - confidence) / 2}).Least()
	switch {
	case runs < least:
		c.Verdict, c.Why, c.More = assay.VerdictInconclusive, fmt.Sprintf("no request failed, but in %s a side: requests fail together, and so few runs may miss when they do", plural(runs, "run", "runs")), least-runs
	case c.Change.Hi > c.Margin:
		c.Verdict, c.Why = assay.VerdictInconclusive, fmt.Sprintf("no request failed, and %d show that no better", n[1])
		c.Enough = fmt.Sprintf("about %d requests a side without a failure", stat.Trials(c.Margin, 0, 1-(1-confidence)/2))
	}
}

// clean says what runs without any loss leave open, or "".
func clean(c *assay.Comparison) string {
	for i := range c.Changes {
		ch := &c.Changes[i]
		n := len(ch.OtherValues)
		if ch.Metric != "error_ratio" || ch.Role == assay.ChangeShow || n == 0 || c.Race != nil || slices.ContainsFunc(ch.OtherValues, func(v float64) bool { return v != 0 }) {
			continue
		}
		return fmt.Sprintf("no request of the candidate failed in %s, which leaves up to %.2g %% of its runs to lose some", plural(n, "run", "runs"), 100*stat.ClopperPearson(0, n, c.Confidence).Hi)
	}
	return ""
}
