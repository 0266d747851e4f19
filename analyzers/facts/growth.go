package facts

import (
	"context"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// GrownBy returns by how much the counters of a name grew while they were watched, summed over all: the last look less the first, and from zero again where one fell. Nothing is
// extrapolated to the ends of the watch, as PromQL's increase does, so that what was counted is a whole number. False where none was looked at twice.
func GrownBy(ctx context.Context, f *assay.Facts, n profile.Name) (sum float64, ok bool, err error) {
	if f.Metrics == nil || f.End <= f.Begin {
		return 0, false, nil
	}
	p := &profile.Profile{Kind: n.Metric, Quantities: map[profile.Quantity]profile.Spec{profile.Failure: {Type: n.Type, Names: []profile.Name{n}}}}
	end := f.End + second // a look may come a little late
	shifted := *f
	shifted.End = end
	series, _, err := lookedAt(ctx, &shifted, p, profile.Failure, max(second, (end-f.Begin)/resetPoints))
	for i := range series {
		was, looks := math.NaN(), 0
		for _, x := range series[i].Values {
			v := float64(x)
			if math.IsNaN(v) {
				continue
			}
			looks++
			switch {
			case v < was:
				sum += v
			case v > was:
				sum += v - was
			}
			was = v
		}
		ok = ok || looks > 1
	}
	return sum, ok, err
}
