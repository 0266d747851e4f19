package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Classes reports what each class of requests (a tenant, a priority, a kind of use) got, how fairly it was shared, and what the load of one does to
// another. It speaks of steady phases outside of faults and of runs with at least two classes. Canaries are nobody's.
type Classes struct{}

var _ assay.Analyzer = Classes{}

// Describe lists the metrics of its own; goodput/ratio, availability/natural and error_ratio it reports with the label class.
func (Classes) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "fairness/goodput", Unit: assay.Ratio, Better: "higher", Help: "Jain's index over the classes' shares of requests that were served within the latency objectives: 1 if each got the same part of what it asked for, 1/n if one got everything."},
		{Metric: "neighbour/latency", Unit: assay.Ratio, Better: "lower", Help: "How many times longer a class waits, at the median, while another (label by) sends at least twice its usual load: 1 is no effect. Of the pair with the surest effect, unless class and by say which."},
	}
}

type classesPass struct {
	f      *assay.Facts
	limits facts.Limits
	steady map[string]bool
	counts map[string]*classCount
	names  []string // in order of appearance
	blocks neighbourBlocks
}

// classCount is what became of the requests of a class.
type classCount struct {
	number int
	goodCount
	clusters stat.Clusters
	errors   notServed
}

// Begin starts a pass.
func (Classes) Begin(f *assay.Facts) assay.Pass {
	p := &classesPass{f: f, limits: facts.LimitsOf(f.Manifest), counts: map[string]*classCount{}, steady: map[string]bool{}}
	for i := range f.Phases {
		p.steady[f.Phases[i].Name] = f.Phases[i].Role == assay.RoleSteady
	}
	p.blocks.of(f)
	return p
}

func (p *classesPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := facts.AsUser(p.f, &block[i], &scratch)
		if r == nil || r.Canary || r.Forced || len(p.steady) > 0 && !p.steady[r.Phase] {
			continue
		}
		if l, _ := facts.LedgerOf(p.f, r); l != assay.Natural {
			continue
		}
		c := p.counts[r.Class]
		if c == nil {
			if len(p.counts) == maxClasses {
				continue
			}
			c = &classCount{number: len(p.names), goodCount: goodCount{bad: map[string]int{}}, clusters: stat.Clusters{Gap: clusterGap}}
			p.counts[r.Class] = c
			p.names = append(p.names, r.Class)
		}
		c.due++
		if m := p.f.Manifest; m.Judged(r.Outcome) {
			c.clusters.Add(m.Failed(r.Outcome))
		}
		c.errors.add(r)
		good := r.Outcome == assay.OK && p.limits.Missed(r) == nil
		if good {
			c.good++
		}
		c.add(!good)
		p.blocks.add(c.number, r)
	}
}

// Finish reports each class, then what they are to each other.
func (p *classesPass) Finish(r *assay.Report) error {
	if len(p.counts) < 2 {
		because := "the requests are of one class"
		if len(p.counts) == 0 {
			because = "no request of a steady phase outside of faults was sent"
		}
		for _, d := range (Classes{}).Describe() {
			r.Findings = append(r.Findings, assay.Finding{Metric: d.Metric, Quantity: assay.NotMeasured(d.Unit, because)})
		}
		return nil
	}
	var shares []float64
	var bounds []stat.Interval
	for _, name := range keys(p.counts) {
		c := p.counts[name]
		labels := map[string]string{"class": name}
		r.Findings = append(r.Findings,
			assay.Finding{Metric: "goodput/ratio", Labels: labels, Ledger: assay.Natural, Quantity: goodRatio(&c.goodCount)},
			assay.Finding{Metric: "availability/natural", Labels: labels, Ledger: assay.Natural, Quantity: availabilityOf(&c.clusters)},
			assay.Finding{Metric: "error_ratio", Labels: labels, Ledger: assay.Natural, Quantity: c.errors.ratio()})
		in, _ := c.interval(apiece(len(p.counts)))
		shares = append(shares, float64(c.good)/float64(c.due))
		bounds = append(bounds, in)
	}
	fair := assay.Finding{Metric: "fairness/goodput", Ledger: assay.Natural}
	if j := stat.Jain(shares); math.IsNaN(j) {
		fair.Quantity = assay.NotEstimable(assay.Ratio, len(shares), "classes", "no class was served within the latency objectives")
	} else {
		lo, hi := stat.JainBounds(bounds)
		fair.Quantity = assay.Quantity{Value: j, Lo: lo, Hi: hi, Confidence: Confidence, Unit: assay.Ratio, N: len(shares), Of: "classes", Basis: assay.Estimated,
			Method: fmt.Sprintf("Jain's index of the shares of good requests; from the intervals of all classes, each at %.4g %% so that all hold at once", 100*apiece(len(shares)))}
	}
	r.Findings = append(r.Findings, fair)
	r.Findings = append(r.Findings, p.blocks.report(p.names)...)
	return nil
}

// availabilityOf is the share of judged requests that were good, with an interval by clusters of failures.
func availabilityOf(c *stat.Clusters) assay.Quantity {
	n := c.Good + c.Bad
	switch {
	case n == 0:
		return assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	case c.N == 0:
		return assay.NotEstimable(assay.Ratio, n, "requests", because)
	}
	in := stat.Unavailability(float64(c.Good), float64(c.Bad), c.N, c.Sigma(), Confidence)
	return assay.Quantity{Value: float64(c.Good) / float64(n), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: Confidence, Unit: assay.Ratio, N: c.N, Of: "failures",
		Method: "good of judged requests; interval: rate of failures × requests lost to one", Basis: assay.Estimated}
}
