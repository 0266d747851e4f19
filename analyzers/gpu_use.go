package analyzers

import (
	"context"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/profile"
)

// gpuUses are what cards were used for, by the exporter that tells it first.
var gpuUses = []struct {
	metric string
	q      profile.Quantity
	unit   assay.Unit
	most   bool // the highest of any card, else the mean over cards and time
	help   string
}{
	{"gpu/busy/mean", profile.GPUBusy, assay.Ratio, false, "Mean share of the cards' natural time in which they ran anything, as their exporter counts it."},
	{"gpu/busy/max", profile.GPUBusy, assay.Ratio, true, "Highest share of time in which one card ran anything, of any look in natural time."},
	{"gpu/memory/max", profile.GPUMemUsed, assay.Bytes, true, "Most memory of one card that was used at any look in natural time."},
}

func gpuUseDescs() (out []assay.Desc) {
	for _, u := range gpuUses {
		out = append(out, assay.Desc{Metric: u.metric, Unit: u.unit, Help: u.help})
	}
	return out
}

// use reports how busy the cards were and how full their memory.
func (p gpuPass) use(ctx context.Context, r *assay.Report) {
	begin, end, step := facts.MetricsSpan(p.f)
	for _, u := range gpuUses {
		for _, kind := range profile.GPUs {
			sum, most, looks, cards := 0.0, math.Inf(-1), 0, 0
			for _, n := range namesOf(profile.For(kind), u.q) {
				if n.Per != "" || cards > 0 {
					continue // a quotient; or a former name of the same
				}
				scale := n.Scale
				if scale == 0 {
					scale = 1
				}
				for _, s := range held(ctx, p.f, n.Metric+labelMatch(n), n.Metric+labelMatch(n), begin, end, step) {
					cards++
					for i, v := range s.Values {
						if p.natural(s.Times[i]) {
							sum, most, looks = sum+float64(v)*scale, max(most, float64(v)*scale), looks+1
						}
					}
				}
			}
			if looks == 0 {
				continue
			}
			q := counted(sum/float64(looks), u.unit, cards, "cards", "mean over time and series")
			if u.most {
				q = counted(most, u.unit, cards, "cards", "highest of any look")
			}
			r.Findings = append(r.Findings, assay.Finding{Metric: u.metric, Ledger: assay.Natural, Quantity: q, Evidence: []string{"by " + profile.For(kind).Title}})
			break
		}
	}
}
