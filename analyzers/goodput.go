package analyzers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Goodput reports the share of the planned requests that were served within the latency limits, and what became of the others. All that was planned
// counts, so that neither a target that sheds load nor a generator that holds it back looks better for it: failures, throttled requests,
// refusals by our own cap, and what was never sent because the phase ended first. A limit is a warm objective on ttft, e2e or tpot at p90 or above, or on max,
// and holds the requests of its own phase and class; of several on the same ones that on the highest quantile counts. Objectives on a mean
// or a lower quantile hold no single request. One that was slower than several limits is counted under the first.
//
// Where the plan has faults, what is said without a ledger is natural: of the requests outside their windows and washouts. Those inside are told
// apart, in all and by kind of fault. Overload has phases of its own.
type Goodput struct{}

// unsent is the cause of what was planned and never due.
const unsent = "unsent"

// Describe returns the metrics.
func (Goodput) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "goodput/ratio", Unit: assay.Ratio, Better: "higher", Help: "Share of the planned requests that were served within the latency objectives; failed, throttled, refused and unsent ones count as missed. Outside faults, or with ledger and fault inside them; steady phases, or one phase."},
		{Metric: "goodput/missed", Unit: assay.Count, Better: "lower", Help: "Planned requests that were not good, in all or by cause: the latency objective that was missed, the outcome, or unsent. Outside faults, or with ledger and fault inside them; steady phases, or one phase."},
	}
}

// Begin starts a pass.
func (Goodput) Begin(f *assay.Facts) assay.Pass {
	return &goodputPass{f: f, limits: facts.LimitsOf(f.Manifest), counts: map[goodCell]*goodCount{}}
}

// A goodCell tells requests by phase and by the kind of the fault they met; "" is none.
type goodCell struct{ phase, fault string }

// goodCount is what became of the requests of a cell.
type goodCount struct {
	due    int
	good   int
	bad    map[string]int // by cause
	blocks stretches
	spells stat.Spells // of those that were not good
}

// add takes what became of the next request.
func (c *goodCount) add(bad bool) {
	c.blocks.add(bad)
	c.spells.Add(bad)
}

type goodputPass struct {
	f      *assay.Facts
	limits facts.Limits
	counts map[goodCell]*goodCount
}

func (p *goodputPass) count(phase, fault string) *goodCount {
	c := p.counts[goodCell{phase, fault}]
	if c == nil {
		c = &goodCount{bad: map[string]int{}}
		p.counts[goodCell{phase, fault}] = c
	}
	return c
}

func (p *goodputPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := &block[i]
		if r.Canary || r.Forced {
			continue
		}
		if r = facts.AsUser(p.f, r, &scratch); r == nil {
			continue
		}
		c := p.count(r.Phase, faultOf(p.f, r))
		c.due++
		cause := r.Outcome.String()
		if r.Outcome == assay.OK {
			cause = ""
			if l := p.limits.Missed(r); l != nil {
				cause = l.Name()
			}
		}
		if cause == "" {
			c.good++
		} else {
			c.bad[cause]++
		}
		c.add(cause != "")
	}
}

// faultOf returns the kind of the fault that a request belongs to, or "".
func faultOf(f *assay.Facts, r *assay.Request) string {
	if len(f.Faults) == 0 {
		return ""
	}
	_, id := facts.LedgerOf(f, r)
	for i := range f.Faults {
		if id != "" && f.Faults[i].ID == id {
			return f.Faults[i].Kind
		}
	}
	return ""
}

// calmLedger returns the ledger of what met no fault in the phase that labels name.
func calmLedger(f *assay.Facts, labels map[string]string) assay.Ledger {
	if ph := f.PhaseOf(labels["phase"]); ph != nil && ph.Role == assay.RoleStress {
		return assay.Overload
	}
	return assay.Natural
}

func (p *goodputPass) Finish(r *assay.Report) error {
	steady, injected := goodCount{bad: map[string]int{}}, goodCount{bad: map[string]int{}}
	byFault := map[string]*goodCount{}
	take := func(phase string, planned int, in *goodCount) *goodCount {
		for _, k := range sortedCells(p.counts) {
			c := p.counts[k]
			if k.phase != phase {
				continue
			}
			planned -= c.due
			if k.fault == "" {
				continue
			}
			if byFault[k.fault] == nil {
				byFault[k.fault] = &goodCount{bad: map[string]int{}}
			}
			byFault[k.fault].join(c)
			injected.join(c)
		}
		c := p.count(phase, "")
		if planned > 0 {
			c.bad[unsent] = planned
			for range planned {
				c.add(true)
			}
		}
		if in != nil {
			in.join(c)
		}
		return c
	}
	for i := range p.f.Phases {
		ph := &p.f.Phases[i]
		if ph.Role == assay.RoleIdle || ph.Role == assay.RoleCold {
			continue
		}
		var in *goodCount
		if ph.Role == assay.RoleSteady {
			in = &steady
		}
		p.report(r, take(ph.Name, ph.Planned, in), map[string]string{"phase": ph.Name})
	}
	if len(p.f.Phases) == 0 {
		last := ""
		for i, k := range sortedCells(p.counts) {
			if i == 0 || k.phase != last {
				take(k.phase, 0, &steady)
			}
			last = k.phase
		}
	}
	p.report(r, &steady, nil)
	if len(byFault) > 0 {
		p.report(r, &injected, map[string]string{"ledger": string(assay.Injected)})
	}
	for _, kind := range keys(byFault) {
		p.report(r, byFault[kind], map[string]string{"ledger": string(assay.Injected), "fault": kind})
	}
	return nil
}

func sortedCells(m map[goodCell]*goodCount) []goodCell {
	return slices.SortedFunc(maps.Keys(m), func(a, b goodCell) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.fault, b.fault))
	})
}

// join adds what became of the requests of another phase.
func (c *goodCount) join(o *goodCount) {
	c.due += o.due
	c.good += o.good
	for k, n := range o.bad {
		c.bad[k] += n
	}
	c.blocks.join(&o.blocks)
	c.spells.Join(&o.spells)
}

func (p *goodputPass) report(r *assay.Report, c *goodCount, labels map[string]string) {
	missed := 0
	for _, n := range c.bad {
		missed += n
	}
	planned := c.good + missed
	ledger, of := assay.Ledger(labels["ledger"]), ""
	if len(p.f.Faults) > 0 && ledger == "" {
		ledger, of = calmLedger(p.f, labels), " outside fault windows and washouts"
	}
	ratio := assay.Finding{Metric: "goodput/ratio", Labels: labels, Ledger: ledger}
	if planned == 0 {
		ratio.Quantity = assay.NotMeasured(assay.Ratio, "no request was planned"+of)
		r.Findings = append(r.Findings, ratio)
		return
	}
	ratio.Quantity = goodRatio(c)
	if of != "" {
		ratio.Quantity.Method += "; those" + of
	}
	if missed == 0 || c.good == 0 {
		ratio.Warnings = append(ratio.Warnings, "all went the same way, so nothing shows how those that would not come in clusters: the interval takes them as independent")
	}
	causes := keys(c.bad)
	slices.SortStableFunc(causes, func(a, b string) int { return c.bad[b] - c.bad[a] })
	var said []string
	for _, cause := range causes {
		said = append(said, fmt.Sprintf("%d %s", c.bad[cause], p.cause(cause)))
	}
	if len(said) > 0 {
		ratio.Evidence = []string{strings.Join(said, ", ")}
	}
	all := assay.Finding{Metric: "goodput/missed", Labels: labels, Ledger: ledger, Evidence: ratio.Evidence,
		Quantity: counted(float64(missed), assay.Count, planned, "planned requests", "planned requests"+of+" that were not served within the latency objectives")}
	r.Findings = append(r.Findings, ratio, all)
	for _, cause := range causes {
		f := assay.Finding{Metric: "goodput/missed", Labels: map[string]string{"cause": cause}, Ledger: ledger, Evidence: []string{p.cause(cause)},
			Quantity: counted(float64(c.bad[cause]), assay.Count, planned, "planned requests", "first cause of each")}
		for k, v := range labels {
			f.Labels[k] = v
		}
		r.Findings = append(r.Findings, f)
	}
}

// goodRatio returns the share of good requests with an interval that allows for clusters.
func goodRatio(c *goodCount) assay.Quantity {
	in, how := c.interval(Confidence)
	n := c.blocks.total()
	return assay.Quantity{Value: float64(c.good) / float64(n), Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: n, Of: "planned requests",
		Method: "good of planned; " + how, Basis: assay.Estimated}
}

// interval returns the interval of the share of good requests, and how it was made.
func (c *goodCount) interval(confidence float64) (stat.Interval, string) {
	n := c.blocks.total()
	worth, blocks := c.blocks.effective(n)
	in, few := c.spells.Interval(worth, confidence) // of those that were not good
	how := fmt.Sprintf("Wilson's interval for the %.0f independent requests that they are worth by %d blocks", worth, blocks)
	if few {
		rarer := "missed"
		if 2*c.good < n {
			rarer = "good"
		}
		how += fmt.Sprintf(", and what the %d spells of %s ones may come to", c.spells.Rarer(), rarer)
	}
	return stat.Interval{Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: confidence}, how
}

// cause says what a cause means: a limit missed, an outcome, or nothing sent.
func (p *goodputPass) cause(cause string) string {
	for i := range p.limits {
		if l := &p.limits[i]; l.Name() == cause {
			return fmt.Sprintf("missed %s ≤ %s", cause, duration(seconds(l.Max)))
		}
	}
	switch {
	case cause == unsent:
		return "not sent: the phase was cut short"
	case cause == assay.RefusedByCap.String():
		return "refused by our own cap"
	}
	return strings.ReplaceAll(cause, "_", " ")
}

// stretches counts how many of the requests in each stretch of a sequence were of one kind, in at most twice [stat.Blocks] stretches of equal length.
type stretches struct {
	size   int
	ones   []float64
	counts []float64
}

func (s *stretches) add(one bool) {
	n := len(s.counts)
	if s.size == 0 {
		s.size = 1
	}
	if n == 0 || s.counts[n-1] >= float64(s.size) {
		if n == 2*stat.Blocks {
			for i := range n / 2 {
				s.ones[i], s.counts[i] = s.ones[2*i]+s.ones[2*i+1], s.counts[2*i]+s.counts[2*i+1]
			}
			s.ones, s.counts, s.size = s.ones[:n/2], s.counts[:n/2], 2*s.size
		}
		s.ones, s.counts = append(s.ones, 0), append(s.counts, 0)
		n = len(s.counts)
	}
	s.counts[n-1]++
	if one {
		s.ones[n-1]++
	}
}

// total returns how many requests there are.
func (s *stretches) total() int {
	n := 0.0
	for _, c := range s.counts {
		n += c
	}
	return int(n)
}

func (s *stretches) join(o *stretches) {
	s.ones, s.counts = append(s.ones, o.ones...), append(s.counts, o.counts...)
}

// effective returns how many independent requests the n of the sequence are worth, and by how many blocks. Stretches of one request are no blocks.
func (s *stretches) effective(n int) (float64, int) {
	m := len(s.counts)
	ones, counts := s.ones, s.counts
	if most := stat.NumBlocks(n); m > most && most >= 2 {
		ones, counts = make([]float64, most), make([]float64, most)
		for i := range most {
			lo, hi := stat.Split(m, most, i)
			for j := lo; j < hi; j++ {
				ones[i] += s.ones[j]
				counts[i] += s.counts[j]
			}
		}
	}
	return stat.Effective(n, stat.ShareEffect(ones, counts), len(counts), Confidence), len(counts)
}
