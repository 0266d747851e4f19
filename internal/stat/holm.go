package stat

import "slices"

// Holm returns the p-values adjusted for their number, in the order given (Holm, Scand. J. Stat. 6, 1979): the chance that any of those at most alpha is
// false is at most alpha, however the metrics depend on one another.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	out := make([]float64, len(p))
	most := 0.0
	for i, at := range order {
		most = min(1, max(most, p[at]*float64(len(p)-i)))
		out[at] = most
	}
	return out
}
