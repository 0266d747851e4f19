package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Overload reports what the target turned away under load beyond its limit. None of it counts as a failure.
type Overload struct{}

// Describe returns the metrics.
func (Overload) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "overload/refused", Unit: assay.Count, Better: "lower", Help: "Requests of the overload ledger that were not served, for any cause; they are not failures."},
		{Metric: "overload/throttled", Unit: assay.Count, Help: "Requests of the overload ledger that the target shed on purpose (429)."},
	}
}

// Begin starts a pass.
func (Overload) Begin(f *assay.Facts) assay.Pass { return &overloadPass{f: f} }

type overloadPass struct {
	f                                    *assay.Facts
	total, throttled, failed, capped, ok int
}

func (p *overloadPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := facts.AsUser(p.f, &block[i], &scratch)
		if r == nil || r.Canary {
			continue
		}
		if l, _ := facts.LedgerOf(p.f, r); l != assay.Overload {
			continue
		}
		p.total++
		switch {
		case r.Outcome == assay.OK:
			p.ok++
		case r.Outcome == assay.Throttled:
			p.throttled++
		case r.Outcome == assay.RefusedByCap:
			p.capped++
		case r.Outcome.Failed():
			p.failed++
		}
	}
}

func (p *overloadPass) Finish(r *assay.Report) error {
	refused := assay.Finding{Metric: "overload/refused", Ledger: assay.Overload}
	throttled := assay.Finding{Metric: "overload/throttled", Ledger: assay.Overload}
	if p.total == 0 {
		refused.Quantity = assay.NotMeasured(assay.Count, "no load was put beyond the limit")
		throttled.Quantity = refused.Quantity
	} else {
		refused.Quantity = counted(float64(p.throttled+p.failed+p.capped), assay.Count, p.total, "requests", "not served, in phases of the role stress")
		refused.Evidence = []string{fmt.Sprintf("%d throttled, %d failed, %d refused by our own cap; %d served", p.throttled, p.failed, p.capped, p.ok)}
		throttled.Quantity = counted(float64(p.throttled), assay.Count, p.total, "requests", "answered 429, in phases of the role stress")
	}
	r.Findings = append(r.Findings, refused, throttled)
	return nil
}
