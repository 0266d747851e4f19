package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// IdleGap brackets the idle time after which the platform scales to zero, from requests that came when nothing was in flight: an
// idle-gap ladder makes them on purpose, pauses between phases do besides. The gap of a request is its due instant less the end of
// the last request before it. The longest gap whose request was warm bounds the time from below, the shortest whose request was cold
// from above. A gap in which an instance went for another reason than a lack of load says nothing, nor does one after a request that was not
// served, whose work may have ended before or after it did, nor one before a request that was sent again.
type IdleGap struct{}

var _ assay.Analyzer = IdleGap{}

// Describe lists idle/gap.
func (IdleGap) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "idle/gap", Unit: assay.Seconds,
		Help: "Idle time after which the platform scales to zero: between the longest gap without a request in flight whose next request was warm and the shortest whose next request was cold."}}
}

// Begin starts a pass.
func (IdleGap) Begin(f *assay.Facts) assay.Pass { return &gapPass{f: f} }

// An idleGap is one gap and the request that ended it.
type idleGap struct {
	length int64
	phase  string
}

type gapPass struct {
	f          *assay.Facts
	last       int64 // end of what was in flight
	unsure     bool  // it was not served
	warm, cold []idleGap
	unknown    int
	n          int // warm and cold gaps, those no longer kept included
}

// maxGaps bounds the gaps that are kept: of the warm ones the longest matter, of the cold ones the shortest.
const maxGaps = 4096

func (p *gapPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		if p.last != 0 && r.Due > p.last && p.f.Manifest.Judged(r.Outcome) && !r.Forced && r.Attempt == 0 && !p.unsure {
			p.gap(r)
		}
		if end := max(r.End, r.Due); r.Sent != 0 && end >= p.last {
			p.last, p.unsure = end, r.Outcome != assay.OK
		}
	}
}

func (p *gapPass) gap(r *assay.Request) {
	if l, _ := facts.LedgerOf(p.f, r); l == assay.Injected || p.lost(p.last, r.Due) {
		return
	}
	g := idleGap{r.Due - p.last, r.Phase}
	switch r.Cold {
	case assay.ColdNo:
		p.n++
		p.warm = append(p.warm, g)
	case assay.ColdYes:
		p.n++
		p.cold = append(p.cold, g)
	default:
		p.unknown++
	}
	if len(p.warm) == 2*maxGaps {
		slices.SortFunc(p.warm, func(a, b idleGap) int { return cmp.Compare(b.length, a.length) })
		p.warm = p.warm[:maxGaps]
	}
}

// lost reports whether an instance went in [from, to] for another reason than that it was not needed.
func (p *gapPass) lost(from, to int64) bool {
	return slices.ContainsFunc(p.f.Lives, func(l assay.Life) bool {
		return l.Exited >= from && l.Exited <= to && (l.Ledger != assay.Planned || !facts.ScaledIn(&l))
	})
}

func (p *gapPass) Finish(r *assay.Report) error {
	f := assay.Finding{Metric: "idle/gap", Quantity: p.quantity()}
	if p.n > 0 && p.unknown > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%d further gaps ended with a request of unknown cold state", p.unknown))
	}
	var longest, shortest *idleGap
	for i := range p.warm {
		if g := &p.warm[i]; longest == nil || g.length > longest.length {
			longest = g
		}
	}
	for i := range p.cold {
		if g := &p.cold[i]; shortest == nil || g.length < shortest.length {
			shortest = g
		}
	}
	if longest != nil {
		f.Evidence = append(f.Evidence, fmt.Sprintf("warm after a gap of %s in phase %s", duration(seconds(longest.length)), longest.phase))
	}
	if shortest != nil {
		f.Evidence = append(f.Evidence, fmt.Sprintf("cold after a gap of %s in phase %s", duration(seconds(shortest.length)), shortest.phase))
	}
	if longest != nil && shortest != nil && longest.length > shortest.length {
		f.Warnings = append(f.Warnings, "a gap was cold and a longer one warm: the time varies, or something else kept an instance")
	}
	r.Findings = append(r.Findings, f)
	return nil
}

// quantity brackets the time. Where a shorter gap was cold than another that was warm, the bracket reaches from the longest warm gap
// below all cold ones to the shortest cold one above all warm ones.
func (p *gapPass) quantity() assay.Quantity {
	const of = "idle gaps"
	switch {
	case p.n == 0 && p.unknown > 0:
		return assay.NotEstimable(assay.Seconds, p.unknown, of, "nothing told whether the requests after them were cold")
	case p.n == 0:
		return assay.NotMeasured(assay.Seconds, "no request came while nothing was in flight")
	}
	coldest, warmest := int64(math.MaxInt64), int64(0)
	for _, g := range p.cold {
		coldest = min(coldest, g.length)
	}
	for _, g := range p.warm {
		warmest = max(warmest, g.length)
	}
	lo, hi := int64(0), int64(math.MaxInt64)
	for _, g := range p.warm {
		if g.length < coldest {
			lo = max(lo, g.length)
		}
	}
	for _, g := range p.cold {
		if g.length > warmest {
			hi = min(hi, g.length)
		}
	}
	q := assay.Quantity{Value: math.NaN(), Lo: seconds(lo), Hi: math.Inf(1), Confidence: 1, Unit: assay.Seconds, N: p.n, Of: of, Basis: assay.Measured,
		Method: "from the longest gap still warm to the shortest gap cold; gap is due less the end of what was in flight before"}
	if hi != math.MaxInt64 {
		q.Hi = seconds(hi)
	}
	if len(p.warm) > 0 && hi != math.MaxInt64 {
		q.Value = (q.Lo + q.Hi) / 2
		q.Method += "; value is the middle"
	}
	return q
}
