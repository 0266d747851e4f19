package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// learnLoads adds, to the start of each instance, the load of its model where an engine tells only how long it took, as a gauge. Its end is taken to be that of the load that
// another source tells of, or when the instance was ready, or when the gauge was first seen, which is known to a scrape.
func learnLoads(ctx context.Context, f *assay.Facts) error {
	if f.Metrics == nil || len(f.Lives) == 0 || f.End <= f.Begin {
		return nil
	}
	step := max(second, (f.End-f.Begin)/5000)
	index := map[string][]int{}
	for i := range f.Lives {
		index[f.Lives[i].Instance] = append(index[f.Lives[i].Instance], i)
	}
	for _, kind := range profile.Kinds() {
		p := profile.For(kind)
		if spec, ok := p.Spec(profile.LoadTime); !ok || spec.Type != profile.Gauge {
			continue
		}
		series, every, err := lookedAt(ctx, f, p, profile.LoadTime, step)
		if err != nil {
			return fmt.Errorf("read the load times of %s: %w", kind, err)
		}
		for i := range series {
			id := instanceOf(series[i].Labels, index)
			if id == "" {
				continue
			}
			was := math.NaN()
			for j, t := range series[i].Times {
				v := float64(series[i].Values[j])
				if v == was || !(v > 0) || v > 1e6 {
					continue
				}
				was = v
				l := lifeAt(f.Lives, index[id], t)
				addLoad(l, int64(v*1e9), t, max(step, every), kind)
			}
		}
	}
	return nil
}

func addLoad(l *assay.Life, took, seen, step int64, by string) {
	p := assay.Interval{Name: "weights_load", End: seen, Resolution: step, Source: by}
	if l.Ready != 0 && l.Ready < seen {
		p.End, p.Resolution = l.Ready, max(step, l.Coarse)
	}
	if i := slices.IndexFunc(l.Phases, func(q assay.Interval) bool { return q.Name == p.Name }); i >= 0 {
		p.End, p.Resolution = l.Phases[i].End, clocks
	}
	p.Begin = p.End - took
	l.Phases = distinct(append(l.Phases, p))
	slices.SortStableFunc(l.Phases, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
}

// instanceLabels are the labels by which a series may name its instance, the most telling first.
var instanceLabels = []string{"instance_id", "pod", "exported_pod", "pod_name", "k8s_pod_name", "service_instance_id", "instance"}

// instanceOf returns the id of the instance that a series is of, among those known; where it names none of them the only one there is, or "".
func instanceOf(labels []assay.Label, known map[string][]int) string {
	if id := named(labels, known); id != "" || len(known) != 1 {
		return id
	}
	for id := range known {
		return id
	}
	return ""
}

// named returns the known instance that a series names, or "".
func named(labels []assay.Label, known map[string][]int) string {
	for _, name := range instanceLabels {
		for _, l := range labels {
			if l.Name != name {
				continue
			}
			if _, ok := known[l.Value]; ok {
				return l.Value
			}
		}
	}
	return ""
}
