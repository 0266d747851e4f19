package stat

import (
	"cmp"
	"math"
	"slices"
)

// Jain returns the index of fairness of what several got: 1 if all got the same, 1/n if one got everything (Jain, Chiu and Hawe 1984,
// DEC-TR-301). It is NaN without anybody or if nobody got anything.
func Jain(x []float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
		squares += v * v
	}
	if squares == 0 {
		return math.NaN()
	}
	return sum * sum / (float64(len(x)) * squares)
}

// JainBounds returns the least and the largest index of fairness that is possible if each got something in the interval with its number. If all
// intervals hold at once with some confidence, so does the result.
func JainBounds(in []Interval) (lo, hi float64) {
	x := make([]float64, len(in))
	// The root of the index is a linear function over a norm, so it has one peak: where all come as near as they can to the ratio of the sum of squares to
	// the sum, above which more for one makes it worse.
	near := 0.0
	for _, v := range in {
		near += (v.Lo + v.Hi) / 2 / float64(len(in))
	}
	for range 200 {
		var sum, squares float64
		for i, v := range in {
			x[i] = math.Max(v.Lo, math.Min(v.Hi, near))
			sum += x[i]
			squares += x[i] * x[i]
		}
		if sum == 0 {
			break
		}
		near = squares / sum
	}
	hi = Jain(x)
	// And it is least at a corner. All are tried where they are few; else only those in which the larger ones have their upper ends.
	order := slices.Clone(in)
	slices.SortFunc(order, func(a, b Interval) int { return cmp.Compare(a.Lo+a.Hi, b.Lo+b.Hi) })
	lo = hi
	try := func(upper func(i int) bool) {
		for i, v := range order {
			if x[i] = v.Lo; upper(i) {
				x[i] = v.Hi
			}
		}
		if j := Jain(x); j < lo || math.IsNaN(lo) {
			lo = j
		}
	}
	if n := len(order); n <= maxCorners {
		for corner := range 1 << n {
			try(func(i int) bool { return corner>>i&1 != 0 })
		}
	} else {
		for large := range n + 1 {
			try(func(i int) bool { return i >= n-large })
		}
	}
	return lo, hi
}

// maxCorners is of how many dimensions a box may be for all its corners to be looked at.
const maxCorners = 14
