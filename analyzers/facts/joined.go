package facts

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// Series of one thing by several exporters
//
// An exporter that is replaced tells of the same pods under another instance, and two replicas of it tell of them at once: what it names is in the other labels. So the series of one container, or of one
// pod, are joined before anything follows them.

// joined joins the series of one pod and container, with one reason where they have one. Two that go on side by side look at the same: the greater value is the later one of a counter and of a stamp.
func joined(p *profile.Profile, series []podSeries) []podSeries {
	type key struct{ namespace, name, container, reason string }
	of := map[key][]podSeries{}
	var order []key
	for i := range series {
		s := &series[i]
		k := key{labelOf(s.Labels, p.Label("namespace")...), s.name, s.container, labelOf(s.Labels, "reason")}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], *s)
	}
	out := make([]podSeries, 0, len(order))
	for _, k := range order {
		list := of[k]
		slices.SortStableFunc(list, func(a, b podSeries) int { return cmp.Compare(a.Times[0], b.Times[0]) })
		one := list[0]
		for _, next := range list[1:] {
			one = one.with(&next)
		}
		out = append(out, one)
	}
	return out
}

// with joins a series with one that began no earlier. A look is held for a while: what is held of one that ends soon after the other begins is no look at all.
func (p podSeries) with(next *podSeries) podSeries {
	times, values := p.Times, p.Values
	if last := len(times) - 1; next.Times[0] > times[0] && times[last] <= next.Times[0]+max(held, 2*p.every) && next.Times[len(next.Times)-1] > times[last] {
		i, _ := slices.BinarySearch(times, next.Times[0])
		times, values = times[:i], values[:i]
	}
	out := p
	out.Times, out.Values = make([]int64, 0, len(times)+len(next.Times)), make([]assay.Num, 0, len(times)+len(next.Times))
	i, k := 0, 0
	for i < len(times) || k < len(next.Times) {
		switch {
		case k == len(next.Times) || i < len(times) && times[i] < next.Times[k]:
			out.Times, out.Values = append(out.Times, times[i]), append(out.Values, values[i])
			i++
		case i == len(times) || next.Times[k] < times[i]:
			out.Times, out.Values = append(out.Times, next.Times[k]), append(out.Values, next.Values[k])
			k++
		default:
			v, w := values[i], next.Values[k]
			if math.IsNaN(float64(v)) || w > v {
				v = w
			}
			out.Times, out.Values = append(out.Times, times[i]), append(out.Values, v)
			i, k = i+1, k+1
		}
	}
	return out
}
