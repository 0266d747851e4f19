package analyzers

import (
	"context"
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// asks are what a card shows when something must be done about it.
var asks = []struct {
	q    profile.Quantity
	what func(v int) string
}{
	{profile.GPURemapFailure, func(int) string { return "to be replaced: memory could not be remapped" }},
	{profile.GPURemapPending, func(int) string { return "for a reset: memory waits to be remapped" }},
	{profile.GPURecovery, func(v int) string {
		for _, r := range gpu.Recoveries() {
			if r.Code == v {
				return "for " + r.Name
			}
		}
		return fmt.Sprintf("for action %d, which is not in the table", v)
	}},
}

// wants reports cards that ask for a reset, another card, or what the driver recommends.
func (p gpuPass) wants(ctx context.Context, r *assay.Report) {
	begin, end, step := facts.MetricsSpan(p.f)
	cards, known := 0, false
	var evidence []string
	for _, a := range asks {
		worst := map[int]int{} // by value: cards
		for _, kind := range profile.GPUs {
			for _, n := range namesOf(profile.For(kind), a.q) {
				for _, s := range held(ctx, p.f, n.Metric, n.Metric, begin, end, step) {
					known = true
					most := 0
					for i, at := range s.Times {
						if v := float64(s.Values[i]); p.natural(at) && v >= 1 && v < 100 {
							most = max(most, int(v))
						}
					}
					if most > 0 {
						worst[most]++
					}
				}
			}
		}
		for v := range 100 {
			if n := worst[v]; n > 0 {
				cards += n
				verb := "asks"
				if n > 1 {
					verb = "ask"
				}
				evidence = append(evidence, fmt.Sprintf("%s %s %s", things(n, "card"), verb, a.what(v)))
			}
		}
	}
	if known {
		r.Findings = append(r.Findings, assay.Finding{Metric: "gpu/asks", Ledger: assay.Natural, Evidence: evidence,
			Quantity: counted(float64(cards), assay.Count, cards, "requests", "cards that asked for a reset, a reboot or their replacement, by what for")})
	}
}
