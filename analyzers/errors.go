package analyzers

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Errors counts requests by ledger and outcome.
type Errors struct{}

// Describe returns nothing: what it adds is a table.
func (Errors) Describe() []assay.Desc { return nil }

// Begin starts a pass.
func (Errors) Begin(f *assay.Facts) assay.Pass {
	return &errorsPass{f: f, rows: map[errorKey]*assay.ErrorRow{}}
}

type errorKey struct {
	ledger  assay.Ledger
	outcome assay.Outcome
}

type errorsPass struct {
	f    *assay.Facts
	rows map[errorKey]*assay.ErrorRow
}

func (p *errorsPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		if r.Canary {
			continue
		}
		l, _ := facts.LedgerOf(p.f, r)
		k := errorKey{l, r.Outcome}
		row := p.rows[k]
		if row == nil {
			row = &assay.ErrorRow{Ledger: l, Outcome: r.Outcome}
			p.rows[k] = row
		}
		row.Count++
		if row.Example == "" && r.Error != "" {
			row.Example = r.Error
		}
		if r.RetryAfter > 0 {
			wait := seconds(r.RetryAfter)
			if row.Retry++; row.Retry == 1 || wait < row.RetryMin {
				row.RetryMin = wait
			}
			row.RetryMax = max(row.RetryMax, wait)
		}
	}
}

func (p *errorsPass) Finish(r *assay.Report) error {
	for _, row := range p.rows {
		r.Errors = append(r.Errors, *row)
	}
	order := []assay.Ledger{assay.Natural, assay.Injected, assay.Overload, assay.Planned}
	slices.SortFunc(r.Errors, func(a, b assay.ErrorRow) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Ledger), slices.Index(order, b.Ledger)), cmp.Compare(a.Outcome, b.Outcome))
	})
	return nil
}
