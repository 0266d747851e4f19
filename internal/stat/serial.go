package stat

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Serial returns the chance of values as like their neighbours as these, or more, if their order means nothing: Bartels' rank version of von Neumann's
// ratio (JASA 77, 1982), one-sided, by the normal distribution. It is small where a series drifts, has levels or swings slowly; 1 with fewer than 8 values or without variation.
func Serial(values []float64) float64 {
	n := len(values)
	if n < 8 {
		return 1
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	rank := func(v float64) float64 { // the middle one among equals
		lo := sort.SearchFloat64s(sorted, v)
		hi := sort.Search(n, func(i int) bool { return sorted[i] > v })
		return float64(lo+hi+1) / 2
	}
	var steps, spread float64
	for i, v := range values {
		r := rank(v)
		spread += (r - float64(n+1)/2) * (r - float64(n+1)/2)
		if i > 0 {
			d := r - rank(values[i-1])
			steps += d * d
		}
	}
	if spread == 0 {
		return 1
	}
	f := float64(n)
	sd := math.Sqrt(4 * (f - 2) * (5*f*f - 2*f - 9) / (5 * f * (f + 1) * (f - 1) * (f - 1)))
	return distuv.UnitNormal.CDF((steps/spread - 2) / sd)
}
