package facts

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// GrownBy returns by how much the counters of a name grew while they were watched, summed over all: the last look less the first, from zero again where one fell, and from zero where
// it came only after its exporter had been looked at without it: a server makes a counter with the first thing that it counts. Nothing is
// extrapolated to the ends of the watch, as PromQL's increase does, so that what was counted is a whole number. False where none was looked at twice.
func GrownBy(ctx context.Context, f *assay.Facts, n profile.Name) (sum float64, ok bool, err error) {
	if f.Metrics == nil || f.End <= f.Begin {
		return 0, false, nil
	}
	end := f.End + second // a look may come a little late
	shifted := *f
	shifted.End = end
	step := max(second, (end-f.Begin)/resetPoints)
	series, every, err := lookedAt(ctx, &shifted, one(n), profile.Failure, step)
	if err != nil {
		return 0, false, err
	}
	watched, err := exportersSince(ctx, &shifted, n, step, every)
	for i := range series {
		was, looks := math.NaN(), 0
		for k, x := range series[i].Values {
			v := float64(x)
			if math.IsNaN(v) {
				continue
			}
			if since, known := watched[exporterOf(series[i].Labels)]; looks == 0 && known && series[i].Times[k] > since+step {
				was, looks = 0, 1
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

// one is the vocabulary of a single counter.
func one(n profile.Name) *profile.Profile {
	return &profile.Profile{Kind: n.Metric, Quantities: map[profile.Quantity]profile.Spec{profile.Failure: {Type: n.Type, Names: []profile.Name{n}}}}
}

// exporterLabels tell the series of one exporter from those of another.
var exporterLabels = []string{"job", "instance", "namespace", "pod", "log"}

func exporterOf(labels []assay.Label) string {
	var b strings.Builder
	for _, name := range exporterLabels {
		b.WriteString(labelOf(labels, name))
		b.WriteByte(0)
	}
	return b.String()
}

// exportersSince returns since when each exporter was looked at that has a counter of a name, whatever it counts.
func exportersSince(ctx context.Context, f *assay.Facts, n profile.Name, step, every int64) (map[string]int64, error) {
	n.Match = nil
	expr := "group by (" + strings.Join(exporterLabels, ",") + ") (" + one(n).Last(profile.Failure, time.Duration(max(held, every+every/2))) + ")"
	series, err := f.Metrics.Range(ctx, expr, f.Begin, f.End, step)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", expr, err)
	}
	since := map[string]int64{}
	for i := range series {
		if len(series[i].Times) > 0 {
			since[exporterOf(series[i].Labels)] = series[i].Times[0]
		}
	}
	return since, nil
}
