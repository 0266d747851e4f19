package analyzers

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Slowest lists the requests that took longest from due to end.
type Slowest struct{}

const slowestN = 10

// Describe returns nothing: what it adds is a table.
func (Slowest) Describe() []assay.Desc { return nil }

// Begin starts a pass.
func (Slowest) Begin(f *assay.Facts) assay.Pass {
	return &slowestPass{f: f, limits: facts.LimitsOf(f.Manifest)}
}

type slowestPass struct {
	f      *assay.Facts
	limits facts.Limits
	top    []assay.Slow // slowest first
}

func (p *slowestPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		if r.Canary || r.Forced || r.Sent == 0 || r.End == 0 || !p.f.Manifest.Judged(r.Outcome) {
			continue
		}
		e2e := seconds(r.End - r.Due)
		n := len(p.top)
		if n == slowestN && e2e <= p.top[n-1].E2E {
			continue
		}
		s := assay.Slow{Request: r.ID, Due: r.Due, E2E: e2e, Outcome: r.Outcome, Cold: r.Cold}
		if r.FirstToken != 0 {
			s.TTFT = seconds(r.FirstToken - r.Due)
		}
		if !r.TraceID.IsZero() {
			s.TraceID = r.TraceID.String()
		}
		_, s.Fault = facts.LedgerOf(p.f, r)
		if r.Outcome == assay.OK {
			if l := p.limits.Missed(r); l != nil {
				s.Missed = l.Name()
			}
		}
		at, _ := slices.BinarySearchFunc(p.top, s, func(a, b assay.Slow) int {
			return cmp.Or(cmp.Compare(b.E2E, a.E2E), -1) // after its equals: the earlier request stays first
		})
		if n == slowestN {
			p.top = p.top[:n-1]
		}
		p.top = slices.Insert(p.top, at, s)
	}
}

func (p *slowestPass) Finish(r *assay.Report) error {
	r.Slowest = p.top
	return nil
}
