package analyzers

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/promrules"
	"github.com/assay-dev/assay/internal/stat"
)

// SLOs reports what the run did to the budget of each promise to users: how much of the window's budget it spent, on what, how fast at worst, and how long a budget
// lasts if the service goes on as it did by itself.
//
// A user who was turned away was not served: throttled requests are bad here, unlike in availability/natural. What our own cap refused and what the run cut short says nothing. A latency's promise also breaks with each request that failed.
//
// slo/good, which is judged, is of the natural ledger. A budget is one, whoever spends it, and so do alerts see it: burn rates and what was spent are of all requests, with
// each ledger's part told apart as a cause. The share that a run spends of a window's budget is its burn rate times its length over the window's: it takes the
// traffic of the rest of the window to be like the run's.
type SLOs struct{}

// Describe returns the metrics.
func (SLOs) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "slo/good", Unit: assay.Ratio, Better: "higher", Help: "Share of good events of a promise to users, by slo, in the natural ledger; the interval counts what was bad by the cluster."},
		{Metric: "slo/burn", Unit: assay.Count, Better: "lower", Help: "How many times faster than allowed the run used up the budget of a promise, by slo, all ledgers together; at 1 a budget lasts just its window."},
		{Metric: "slo/burn/worst", Unit: assay.Count, Better: "lower", Help: "Highest burn rate over any stretch of the run as long as a standard window, by slo and window."},
		{Metric: "slo/spent", Unit: assay.Ratio, Better: "lower", Help: "Share of the budget of the promise's window that the run spent, by slo, in all or by cause; more than 1 is more than all of it."},
		{Metric: "slo/lasts", Unit: assay.Seconds, Better: "higher", Help: "How long a whole budget lasts if the service goes on as it did in the natural ledger, by slo."},
	}
}

// Begin starts a pass.
func (SLOs) Begin(f *assay.Facts) assay.Pass {
	p := &sloPass{f: f, causes: newCauses(f)}
	for i := range f.Manifest.SLOs {
		c := newSLOCount(f, &f.Manifest.SLOs[i])
		p.all = append(p.all, c)
		if c.slo.Good.Own() && c.slo.Unmapped == "" {
			p.own = append(p.own, c)
		}
	}
	return p
}

type sloPass struct {
	f      *assay.Facts
	causes causes
	all    []*sloCount
	own    []*sloCount
	phase  string // of the request before
	warm   bool
}

func (p *sloPass) Requests(block []assay.Request) {
	if len(p.own) == 0 {
		return
	}
	for i := range block {
		r := &block[i]
		if !r.Outcome.Counts() {
			continue
		}
		ledger, fault := facts.LedgerOf(p.f, r)
		cause := ""
		for _, c := range p.own {
			counts, good := goodFor(&c.slo.Good, r)
			if !counts {
				continue
			}
			if !good && cause == "" {
				cause = p.causes.of(r, ledger, fault)
			}
			how := ""
			if !good {
				how = r.Outcome.String()
			}
			natural := ledger == assay.Natural && !(c.slo.Good.Metric != "availability" && p.warming(r.Phase))
			c.add(max(r.Due, r.End), 1, bit(!good), cause, how, natural)
		}
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// warming reports whether a phase warms the target up: its latencies are not judged.
func (p *sloPass) warming(phase string) bool {
	if p.phase != phase {
		ph := p.f.PhaseOf(phase)
		p.phase, p.warm = phase, ph != nil && ph.Role == assay.RoleWarmup
	}
	return p.warm
}

// goodFor reports whether an indicator counts a request, and as a good one.
func goodFor(in *assay.Indicator, r *assay.Request) (counts, good bool) {
	if !r.Outcome.Counts() || in.Phase != "" && in.Phase != r.Phase || in.Class != "" && in.Class != r.Class {
		return false, false
	}
	if r.Outcome != assay.OK || in.Metric == "availability" {
		return true, r.Outcome == assay.OK
	}
	took, known := latencyOf(in.Metric, r)
	return known, took <= float64(in.Max)
}

// latencyOf returns a latency of a served request, in ns.
func latencyOf(family string, r *assay.Request) (ns float64, known bool) {
	switch family {
	case "ttft":
		return float64(r.FirstToken - r.Due), r.FirstToken != 0
	case "tpot":
		return facts.TPOT(r)
	}
	return float64(r.End - r.Due), r.End != 0
}

func (p *sloPass) Finish(r *assay.Report) error {
	for _, c := range p.all {
		if err := c.ask(p.f); err != nil {
			return err
		}
		x := c.result(p.f)
		r.SLOs = append(r.SLOs, x)
		r.Findings = append(r.Findings, sloFindings(&x)...)
	}
	return nil
}

// sloFindings returns what a result holds as findings.
func sloFindings(x *assay.SLOResult) []assay.Finding {
	labels := func(pairs ...string) map[string]string {
		out := map[string]string{"slo": x.SLO.Name}
		for i := 0; i+1 < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	out := []assay.Finding{
		{Metric: "slo/good", Labels: labels(), Ledger: assay.Natural, Quantity: x.Good, Evidence: []string{promiseText(&x.SLO)}},
		{Metric: "slo/burn", Labels: labels(), Quantity: x.Burn, Warnings: x.Doubts},
	}
	for _, b := range x.Worst {
		out = append(out, assay.Finding{Metric: "slo/burn/worst", Labels: labels("window", sloSpan(b.Window)), Quantity: b.Rate})
	}
	out = append(out, assay.Finding{Metric: "slo/spent", Labels: labels(), Quantity: x.Spent, Warnings: x.Doubts})
	for _, c := range x.Causes {
		out = append(out, assay.Finding{Metric: "slo/spent", Labels: labels("cause", c.Name), Quantity: c.Ratio, Evidence: c.Evidence})
	}
	return append(out, assay.Finding{Metric: "slo/lasts", Labels: labels(), Ledger: assay.Natural, Quantity: x.Lasts})
}

// promiseText says what is promised.
func promiseText(s *assay.SLO) string {
	what := "of events by PromQL"
	switch {
	case s.Good.Metric == "availability":
		what = "of requests served"
	case s.Good.Own():
		what = fmt.Sprintf("of requests with %s ≤ %s", s.Good.Metric, duration(seconds(s.Good.Max)))
	}
	switch s.Method {
	case assay.Timeslices:
		what = fmt.Sprintf("of slices of %s with at least %g %% %s", sloSpan(s.Slice), 100*s.SliceTarget, what)
	case assay.RatioTimeslices:
		what += ", as the mean of slices of " + sloSpan(s.Slice)
	}
	kind := "rolling"
	if s.Calendar {
		kind = "by the calendar"
	}
	return fmt.Sprintf("promised: %g %% %s, over %s %s", 100*s.Target, what, sloSpan(s.Window), kind)
}

// result says what became of the budget.
func (c *sloCount) result(f *assay.Facts) assay.SLOResult {
	s := c.slo
	x := assay.SLOResult{SLO: *s}
	none := func(reason func(assay.Unit) assay.Quantity) assay.SLOResult {
		x.Good, x.Burn, x.Spent, x.Lasts = reason(assay.Ratio), reason(assay.Count), reason(assay.Ratio), reason(assay.Seconds)
		return x
	}
	switch {
	case s.Unmapped != "":
		return none(func(u assay.Unit) assay.Quantity { return assay.NotMeasured(u, s.Unmapped) })
	case c.untold != "":
		return none(func(u assay.Unit) assay.Quantity { return assay.NotMeasured(u, c.untold) })
	case c.all.n == 0:
		return none(func(u assay.Unit) assay.Quantity { return assay.NotMeasured(u, "no event of it was seen") })
	}
	budget, length := stat.Budget(s.Target), seconds(f.End-f.Begin)
	part := length / seconds(s.Window)
	x.Good = c.natural.good(s.Method)
	bad := c.all.bad(s.Method)
	scale := func(q assay.Quantity, by float64, u assay.Unit, method string) assay.Quantity {
		q.Value, q.Lo, q.Hi, q.Unit, q.Method = q.Value*by, q.Lo*by, q.Hi*by, u, method+q.Method
		return q
	}
	x.Burn = scale(bad, 1/budget, assay.Count, "share of bad events over the budget; ")
	x.Spent = scale(bad, part/budget, assay.Ratio, fmt.Sprintf("burn rate × %s of %s, as if the window's other traffic were like this; ", duration(length), sloSpan(s.Window)))
	x.Causes = c.spentOn(bad.Value, part/budget, length)
	if s.Method == assay.Occurrences {
		x.Worst = c.worst(f, budget)
	}
	x.Lasts = c.lasts()
	if c.all.n > c.natural.n && bad.Value > 0 {
		x.Doubts = append(x.Doubts, "what faults and overload of the plan spent is in it")
	}
	x.Doubts = append(x.Doubts, c.doubts...)
	return x
}

// lasts is the forecast: how long a budget lasts at the natural burn rate.
func (c *sloCount) lasts() assay.Quantity {
	s, bad := c.slo, c.natural.bad(c.slo.Method)
	budget := stat.Budget(s.Target)
	switch {
	case c.natural.n == 0:
		return assay.NotMeasured(assay.Seconds, "no event of the natural ledger was seen")
	case bad.Value == 0:
		return assay.NotEstimable(assay.Seconds, c.natural.events(), "events", "none of the natural ledger was bad, and so nothing shows how often they will be")
	case c.natural.clusters.N < minClusters:
		return assay.NotEstimable(assay.Seconds, c.natural.clusters.N, "clusters", fmt.Sprintf("what was bad came in %s: %d or more would show how often they come", things(c.natural.clusters.N, "cluster"), minClusters))
	}
	at := func(share float64) float64 { return seconds(s.Window) * budget / share }
	q := bad
	q.Value, q.Lo, q.Hi, q.Unit = at(bad.Value), at(bad.Hi), math.Inf(1), assay.Seconds
	if bad.Lo > 0 {
		q.Hi = at(bad.Lo)
	}
	q.Method = "window × budget over the natural share of bad events; " + bad.Method
	return q
}

// minClusters is how many clusters a forecast needs. Fewer have an interval too, but it spans several orders of magnitude and tells nobody anything.
const minClusters = 3

// spentOn splits what was spent by cause, largest first, the unexplained last.
func (c *sloCount) spentOn(bad, by, length float64) []assay.Share {
	var out []assay.Share
	total := 0.0
	shares, in, slots := c.all.causes(c.slo.Method)
	for _, cause := range keys(shares) {
		total += shares[cause]
	}
	if total == 0 {
		return nil
	}
	for _, cause := range keys(shares) {
		v := shares[cause] / total * bad // the sum is that of what was spent, to the digit
		n, of, text := in[cause], "bad slices", fmt.Sprintf("in %d of %d bad slices", in[cause], slots)
		if c.slo.Method == assay.Occurrences { // how they were bad is told of all events, and not of those in bad slices
			of, text = "bad events", tallied(c.how[cause])
			for _, k := range c.how[cause] {
				n += k
			}
		}
		if n == 0 { // nothing told them apart
			n, of = c.all.events(), "events"
		}
		share := assay.Share{Name: cause, Seconds: v * length, Ratio: counted(v*by, assay.Ratio, n, of, "its part of the bad events of this run")}
		if text != "" {
			share.Evidence = []string{text}
		}
		out = append(out, share)
	}
	slices.SortStableFunc(out, func(a, b assay.Share) int {
		switch {
		case (a.Name == unexplained) != (b.Name == unexplained):
			return map[bool]int{true: 1, false: -1}[a.Name == unexplained]
		case a.Seconds != b.Seconds:
			return map[bool]int{true: -1, false: 1}[a.Seconds > b.Seconds]
		}
		return 0
	})
	return out
}

// tallied writes counts by name, most first.
func tallied(m map[string]int) string {
	names := keys(m)
	slices.SortStableFunc(names, func(a, b string) int { return m[b] - m[a] })
	text := ""
	for _, n := range names {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", m[n], n)
	}
	return text
}

// sloSpan writes a length of time as rules write it: 5m, 1h, 30d.
func sloSpan(ns int64) string { return promrules.Span(time.Duration(ns)) }
