package analyzers

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// ColdCost reports what cold requests do to the latency that users see: how much the p99 of all requests lies above that of the warm ones, from which
// percentile on a latency is a cold start's, and what share of the missed requests were cold. The latency is the time to the first token, or to
// the end where answers have none. As a check on the labels, two lognormal distributions are fitted to the latencies without them: if the slower one does not hold
// as many as are labelled cold, labels or explanation are wrong.
//
// It speaks of the natural ledger outside of stress phases, of requests that were served and nobody forced.
type ColdCost struct{}

var _ assay.Analyzer = ColdCost{}

// Describe lists cold/… of the cost.
func (ColdCost) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "cold/p99/added", Unit: assay.Seconds, Better: "lower", Help: "How far the p99 of the latency of all requests whose cold state is known lies above that of the warm ones."},
		{Metric: "cold/flip", Unit: assay.Ratio, Better: "higher", Help: "Quantile from which on a latency is a cold start's: one less the share of cold requests. Above 0.99, p99 is warm."},
		{Metric: "cold/missed", Unit: assay.Ratio, Better: "lower", Help: "Share of the requests that failed or missed a latency objective that were cold: what cold starts spend of the error budget."},
		{Metric: "cold/mixture", Unit: assay.Ratio, Help: "Share of the slower of two lognormal distributions fitted to the latencies, without looking at cold states: a check on their share."},
	}
}

// The cells of the latencies.
const (
	cellUnknown uint16 = iota
	cellCold
	cellWarm
)

type coldCostPass struct {
	f      *assay.Facts
	limits facts.Limits
	stress map[string]bool
	times  column

	cold, warm         int // judged
	missed, missedCold int
	missedUnknown      int // missed, of unknown cold state
}

// Begin starts a pass.
func (ColdCost) Begin(f *assay.Facts) assay.Pass {
	p := &coldCostPass{f: f, limits: facts.LimitsOf(f.Manifest), stress: map[string]bool{}}
	for i := range f.Phases {
		p.stress[f.Phases[i].Name] = f.Phases[i].Role == assay.RoleStress
	}
	return p
}

func (p *coldCostPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := facts.AsUser(p.f, &block[i], &scratch)
		if r == nil || r.Canary || r.Forced || !p.f.Manifest.Judged(r.Outcome) || p.stress[r.Phase] {
			continue
		}
		if l, _ := facts.LedgerOf(p.f, r); l != assay.Natural {
			continue
		}
		cell := cellUnknown
		switch r.Cold {
		case assay.ColdYes:
			cell = cellCold
			p.cold++
		case assay.ColdNo:
			cell = cellWarm
			p.warm++
		}
		if p.f.Manifest.Failed(r.Outcome) || p.limits.Missed(r) != nil {
			p.missed++
			switch cell {
			case cellCold:
				p.missedCold++
			case cellUnknown:
				p.missedUnknown++
			}
		}
		if r.Outcome != assay.OK {
			continue
		}
		if t := r.FirstToken; t > r.Due {
			p.times.add(cell, t-r.Due)
		} else if r.End > r.Due {
			p.times.add(cell, r.End-r.Due)
		}
	}
}

// Finish reports what cold starts cost.
func (p *coldCostPass) Finish(r *assay.Report) error {
	add := func(metric string, q assay.Quantity, warnings ...string) {
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Ledger: assay.Natural, Quantity: q, Warnings: warnings})
	}
	known := p.times.pick(func(c uint16) bool { return c != cellUnknown })
	warm := p.times.pick(func(c uint16) bool { return c == cellWarm })
	add("cold/p99/added", addedAt(&known, &warm, 0.99))
	add("cold/flip", p.flip(r))
	add("cold/missed", p.ofMissed())
	q, warnings := p.mixture()
	add("cold/mixture", q, warnings...)
	return nil
}

// addedAt is the p-quantile of all less that of the warm ones.
func addedAt(all, warm *sample, p float64) assay.Quantity {
	a, w := quantity(all, fmt.Sprintf("p%g", 100*p), "requests", false), quantity(warm, fmt.Sprintf("p%g", 100*p), "requests", false)
	switch {
	case all.n == 0:
		return assay.NotMeasured(assay.Seconds, "no request's cold state is known")
	case all.n == warm.n:
		return assay.NotMeasured(assay.Seconds, "no request was cold")
	case !a.Known():
		return a
	case !w.Known():
		return w
	}
	return assay.Quantity{Value: a.Value - w.Value, Lo: a.Lo - w.Hi, Hi: a.Hi - w.Lo, Confidence: 1 - (1-a.Confidence)/2 - (1-w.Confidence)/2, Unit: assay.Seconds, N: all.n, Of: a.Of,
		Method: "difference of two quantiles of type 7; from the ends of both intervals", Basis: assay.Estimated}
}

// flip is one less the share of cold requests; each start that held some is one cluster of them.
func (p *coldCostPass) flip(r *assay.Report) assay.Quantity {
	n := p.cold + p.warm
	if n == 0 {
		return assay.NotMeasured(assay.Ratio, "no request's cold state is known")
	}
	starts := 0
	var lengths stat.Lengths
	for i := range r.Starts {
		if s := &r.Starts[i]; s.Held > 0 && !s.Forced {
			starts++
			lengths.Add(float64(s.Held))
		}
	}
	value := 1 - float64(p.cold)/float64(n)
	switch {
	case p.cold == 0:
		return assay.NotEstimable(assay.Ratio, n, "requests", "no request was cold: nothing bounds how many a start would hold")
	case starts == 0:
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("%d requests were cold and nothing tells how many starts that were", p.cold))
	}
	in := stat.Unavailability(float64(p.warm), float64(p.cold), starts, lengths.Sigma(), Confidence)
	return assay.Quantity{Value: value, Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: in.Confidence, Unit: assay.Ratio, N: starts, Of: "instance starts",
		Method: "one less cold over cold and warm requests; interval: rate of starts that hold requests × requests held by one", Basis: assay.Estimated}
}

// ofMissed is the share of the missed requests that were cold; those of unknown state widen it.
func (p *coldCostPass) ofMissed() assay.Quantity {
	switch {
	case p.cold+p.warm == 0:
		return assay.NotMeasured(assay.Ratio, "no request's cold state is known")
	case p.missed == 0:
		return assay.NotMeasured(assay.Ratio, "no request failed or missed a latency objective")
	}
	n := float64(p.missed)
	q := exactly(float64(p.missedCold)/n, assay.Ratio, p.missed, "missed requests", "cold of those that failed or missed a latency objective, in this run; requests of unknown state widen the interval")
	q.Hi = float64(p.missedCold+p.missedUnknown) / n
	return q
}

const (
	mixtureLeast  = 100 // requests, for a shape to be told
	mixturePoints = 2000
	// Two components are told apart where their means lie so many root mean squares of their deviations apart. Ashman, Bird and Zepf (1994) ask
	// for two; lengths of prompts make as much, and a cold start far more.
	mixtureApart = 3
)

// mixture is the share of the slower of two lognormal distributions.
func (p *coldCostPass) mixture() (assay.Quantity, []string) {
	all := p.times.pick(func(uint16) bool { return true })
	if all.n < mixtureLeast {
		return assay.NotEstimable(assay.Ratio, all.n, "requests", fmt.Sprintf("the shape of a distribution needs at least %d requests", mixtureLeast)), nil
	}
	x, w := all.logs()
	one, ok1 := stat.FitMixture(x, w, 1, math.Log(stat.Gamma)/2)
	two, ok2 := stat.FitMixture(x, w, 2, math.Log(stat.Gamma)/2)
	three, ok3 := stat.FitMixture(x, w, 3, math.Log(stat.Gamma)/2)
	if !ok1 || !ok2 {
		return assay.NotEstimable(assay.Ratio, all.n, "requests", "the latencies are too few different ones"), nil
	}
	a, b := two.Components[0], two.Components[1]
	apart := math.Sqrt2 * (b.Mean - a.Mean) / math.Hypot(a.SD, b.SD)
	if two.BIC >= one.BIC || apart < mixtureApart {
		return assay.NotEstimable(assay.Ratio, all.n, "requests", fmt.Sprintf("the latencies do not fall into two groups (BIC %.0f of one distribution, %.0f of two, which lie %.1f deviations apart)", one.BIC, two.BIC, apart)), nil
	}
	// As many independent requests as the sequence is worth at the border between the two.
	worth, blocks := all.effective(1 - b.Weight)
	spells := all.spells(1 - b.Weight)
	in, few := stat.SpellsInterval(b.Weight, worth, spells, Confidence)
	how := ""
	if few {
		how = fmt.Sprintf(", and what the %d spells of slow or of fast ones may come to", spells)
	}
	q := assay.Quantity{Value: b.Weight, Lo: in.Lo, Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Ratio, N: all.n, Of: fmt.Sprintf("requests in %d blocks", blocks),
		Method: fmt.Sprintf("two lognormals by expectation and maximization, medians %s and %s, %.1f deviations apart; Wilson's interval for the %.0f independent requests that they are worth%s",
			duration(math.Exp(a.Mean)), duration(math.Exp(b.Mean)), apart, worth, how), Basis: assay.Estimated}
	var doubts []string
	if ok3 && three.BIC < two.BIC {
		doubts = append(doubts, "three distributions fit better: what is slow is of more than one kind")
	}
	if n := p.cold + p.warm; n > 0 {
		if told := float64(p.cold) / float64(n); told < q.Lo || told > q.Hi {
			doubts = append(doubts, fmt.Sprintf("%.2g %% of the requests are known to be cold: not all that is slow is a cold start, or not all cold starts are told", 100*told))
		}
	}
	return q, doubts
}

// logs returns the logarithms of a sample of seconds, with weights where there are too many for each to be a point of its own.
func (s *sample) logs() (x, weight []float64) {
	if !s.coarse() && s.n <= mixturePoints {
		for _, v := range s.sorted {
			x = append(x, math.Log(v))
		}
		return x, nil
	}
	total := s.total
	if !s.coarse() {
		total = stat.Sketch{}
		for _, v := range s.sorted {
			total.Add(v * 1e9)
		}
	}
	for i, c := range total.Counts {
		if c > 0 {
			x = append(x, (float64(i+total.Offset)+0.5)*math.Log(stat.Gamma)-math.Log(1e9))
			weight = append(weight, float64(c))
		}
	}
	return slices.Clip(x), slices.Clip(weight)
}
