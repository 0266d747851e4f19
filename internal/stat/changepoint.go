package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A ChangePoint is an index at which the level of a series changes: the first value of the new level.
type ChangePoint struct {
	Index         int     `json:"index"`
	Before, After float64 // means of the stretches to the left and to the right, up to the next change points
	P             float64 // of Student's t-test between the two, two-sided
}

// Change returns the relative change, of the larger of the two directions: |After/Before-1| or |Before/After-1|.
func (c ChangePoint) Change() float64 {
	var m float64
	if c.Before != 0 {
		m = math.Abs(c.After/c.Before - 1)
	}
	if c.After != 0 {
		m = math.Max(m, math.Abs(c.Before/c.After-1))
	}
	return m
}

// MaxChangeWindow is the longest window that ChangePoints takes: its work grows with the square.
const MaxChangeWindow = 2000

// ChangePoints finds where the level of a series changes, by E-divisive means (Matteson and James, JASA 109, 2014) with Student's t in
// place of permutations, so that the answer is the same each time, in two steps (Fleming et al., "Hunter", ICPE 2023): candidates are looked for in
// overlapping windows at a looser significance, and the weakest are then dropped until each that is left has a p below maxP and a relative
// change above minChange. window is 2 to [MaxChangeWindow]. The series must be finite.
func ChangePoints(series []float64, window int, maxP, minChange float64) []ChangePoint {
	first := maxP
	switch { // the published rule for the first step
	case maxP < 0.05:
		first = 10 * maxP
	case maxP < 0.5:
		first = 2 * maxP
	}
	var at []int
	for start := 0; start < len(series); {
		found := divide(series[start:min(start+window, len(series))], first)
		last := 0
		for _, i := range found {
			last = start + i
			if !slices.Contains(at, last) {
				at = append(at, last)
			}
		}
		start = max(last, start+window/2)
	}
	slices.Sort(at)
	return strong(series, at, maxP, minChange)
}

// strong drops the weakest change points, one after another, until all that are left count.
func strong(series []float64, at []int, maxP, minChange float64) []ChangePoint {
	points := make([]ChangePoint, len(at))
	for i := range points {
		points[i].Index = at[i]
	}
	look := func(i int) {
		if i < 0 || i >= len(points) {
			return
		}
		lo, hi := 0, len(series)
		if i > 0 {
			lo = points[i-1].Index
		}
		if i+1 < len(points) {
			hi = points[i+1].Index
		}
		points[i] = compare(series[lo:points[i].Index], series[points[i].Index:hi], points[i].Index)
	}
	for i := range points {
		look(i)
	}
	for len(points) > 0 {
		weakest := 0
		for i, c := range points {
			if c.P > points[weakest].P {
				weakest = i
			}
		}
		if points[weakest].P < maxP {
			weakest = 0
			for i, c := range points {
				if c.Change() < points[weakest].Change() {
					weakest = i
				}
			}
			if points[weakest].Change() > minChange {
				break
			}
		}
		points = slices.Delete(points, weakest, weakest+1)
		// The next point has a longer stretch before it now. That the one before has a longer stretch behind it is not taken into account, as in the
		// reference implementation (Apache Otava), whose published indexes these are: its test stays that of the shorter stretch.
		look(weakest)
		look(weakest + 1)
	}
	return points
}

// divide returns the change points of one window, in order, each significant when it was found.
func divide(x []float64, maxP float64) []int {
	var at []int
	for {
		best, bestQ := -1, math.Inf(-1)
		lo, hi := 0, 0
		bounds := append(append([]int{0}, at...), len(x))
		for k := range len(bounds) - 1 {
			if i, q := candidate(x[bounds[k]:bounds[k+1]]); i > 0 && q > bestQ {
				best, bestQ, lo, hi = bounds[k]+i, q, bounds[k], bounds[k+1]
			}
		}
		if best < 0 || !(compare(x[lo:best], x[best:hi], best).P <= maxP) {
			return at
		}
		at = append(at, best)
		slices.Sort(at)
	}
}

// candidate returns the index at which x falls apart into the two most different pieces, the second of which may end before x does,
// and how different they are: the energy statistic, weighted by their lengths. It is 0 for fewer than two values.
func candidate(x []float64) (index int, q float64) {
	n := len(x)
	if n < 2 {
		return 0, math.Inf(-1)
	}
	// sums[k][t] is the sum of |x[i]-x[k]| over i < t.
	sums := make([][]float64, n)
	flat := make([]float64, n*(n+1))
	for k := range sums {
		sums[k] = flat[k*(n+1) : (k+1)*(n+1)]
		for t := range n {
			sums[k][t+1] = sums[k][t] + math.Abs(x[t]-x[k])
		}
	}
	q = math.Inf(-1)
	left := 0.0 // within x[:tau]
	for tau := 1; tau < n; tau++ {
		left += sums[tau-1][tau-1]
		between, right := 0.0, 0.0
		for kappa := tau + 1; kappa <= n; kappa++ {
			k := kappa - 1
			between += sums[k][tau]
			right += sums[k][k] - sums[k][tau]
			l, r := float64(tau), float64(kappa-tau)
			v := between
			if tau > 1 {
				v -= left * r / (l - 1)
			}
			if r > 1 {
				v -= right * l / (r - 1)
			}
			if v *= 2 / (l + r); v > q {
				index, q = tau, v
			}
		}
	}
	return index, q
}

// compare tests whether two stretches have the same mean, by Student's t with a pooled variance. As published, the variances are those of the stretches
// themselves, with their lengths in the denominator.
func compare(a, b []float64, index int) ChangePoint {
	mean := func(x []float64) (m, ss float64) {
		for _, v := range x {
			m += v
		}
		m /= float64(len(x))
		for _, v := range x {
			ss += (v - m) * (v - m)
		}
		return m, ss / float64(len(x))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	c := ChangePoint{Index: index, Before: ma, After: mb, P: 1}
	na, nb := float64(len(a)), float64(len(b))
	dof := na + nb - 2
	if dof <= 0 {
		return c
	}
	switch se := math.Sqrt(((na-1)*va + (nb-1)*vb) / dof * (1/na + 1/nb)); {
	case se > 0:
		c.P = 2 * distuv.StudentsT{Sigma: 1, Nu: dof}.CDF(-math.Abs(ma-mb)/se)
	case ma != mb:
		c.P = 0
	}
	return c
}
