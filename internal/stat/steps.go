package stat

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// StepsLeast is the least number of values in which steps are looked for.
const StepsLeast = 20

// A Step is a place in a series from which on its level is another.
type Step struct {
	Index             int // of the first value of the new level
	Before, After     float64
	BeforeIn, AfterIn Interval // of the levels, each from the step before or to the next
	Size              float64  // After less Before
	In                Interval // of Size
	P                 float64  // that noise of such serial correlation makes one as large anywhere in the series, two-sided
}

// Steps is what is known of the level of a series.
type Steps struct {
	Steps []Step // none where the series has one level, or a trend
	Trend bool   // a straight line fits the series better than any steps that were found
	Rho   float64
	In    Interval // of the largest step that may be there all the same, at any place that leaves enough on both sides; only where none was found
}

// StepsOf finds where the level of a series changes for at least a twentieth of it, by [ChangePoints] on normal scores, so that no outlier looks like a level. Each that is found is then tested by Student's t, with a variance
// that allows for values that resemble their neighbours, and its p is that of the largest of all places and of so many other series that are looked at beside this one (Bonferroni): those above
// 1-confidence are dropped, the weakest first, and those smaller than least. Where a straight line explains the series better (by Schwarz's criterion), it is a trend and has no steps. ok is false with fewer than [StepsLeast] values. The
// series must be finite.
func StepsOf(y []float64, beside int, least, confidence, level float64) (s Steps, ok bool) {
	n := len(y)
	if n < StepsLeast {
		return s, false
	}
	apart := max(5, n/20)
	z := normalScores(y)
	var at []int
	for _, c := range ChangePoints(z, min(n, MaxChangeWindow), 0.001, 0) {
		last := 0
		if len(at) > 0 {
			last = at[len(at)-1]
		}
		if c.Index-last >= apart && n-c.Index >= apart {
			at = append(at, c.Index)
		}
	}
	found := slices.Clone(at)
	looks := float64(n-1) * float64(max(1, beside))
	for len(at) > 0 {
		rho := serialOf(z, at)
		worst, weakest := -1.0, 0
		for i := range at {
			d, se, dof := differ(z, at, i, rho)
			p := tail(d, se, dof) * looks
			if small, _, _ := differ(y, at, i, rho); math.Abs(small) < least {
				p = math.Inf(1)
			}
			if p > worst {
				worst, weakest = p, i
			}
		}
		if worst <= 1-confidence {
			break
		}
		at = slices.Delete(at, weakest, weakest+1)
	}
	if len(found) > 0 && bends(y, found) || len(at) > 0 && bends(y, at) {
		at, s.Trend = nil, true
	}
	s.Rho = serialOf(z, at)
	for i := range at {
		d, se, dof := differ(y, at, i, s.Rho)
		dz, sez, dofz := differ(z, at, i, s.Rho)
		x := Step{Index: at[i], Size: d, In: around(d, se, dof, level), P: math.Min(1, tail(dz, sez, dofz)*looks)}
		x.Before, x.BeforeIn = levelOf(y, at, i, s.Rho, level)
		x.After, x.AfterIn = levelOf(y, at, i+1, s.Rho, level)
		s.Steps = append(s.Steps, x)
	}
	if len(at) == 0 {
		s.In = Interval{0, 0, level}
		wide := around(0, 1, float64(n)*(1-s.Rho)/(1+s.Rho)-2, 1-(1-level)/float64(n-1)) // of one standard error, the same at all places
		for k := apart; k <= n-apart; k++ {
			d, se, _ := differ(y, []int{k}, 0, s.Rho)
			if se > 0 || d != 0 {
				s.In.Lo, s.In.Hi = math.Min(s.In.Lo, d+wide.Lo*math.Max(se, 1e-300)), math.Max(s.In.Hi, d+wide.Hi*math.Max(se, 1e-300))
			}
		}
	}
	return s, true
}

// normalScores returns the normal quantiles of the ranks of values, the middle one among equals.
func normalScores(y []float64) []float64 {
	n := len(y)
	sorted := slices.Clone(y)
	slices.Sort(sorted)
	z := make([]float64, n)
	for i, v := range y {
		lo := sort.SearchFloat64s(sorted, v)
		hi := sort.Search(n, func(i int) bool { return sorted[i] > v })
		z[i] = normalQuantile(float64(lo+hi) / float64(2*n))
	}
	return z
}

// stretchOf returns stretch i of a series that is cut at the given places.
func stretchOf(y []float64, at []int, i int) []float64 {
	lo, hi := 0, len(y)
	if i > 0 {
		lo = at[i-1]
	}
	if i < len(at) {
		hi = at[i]
	}
	return y[lo:hi]
}

// serialOf is the correlation of values with the next beside their levels, with what the estimate is too small by, for each level that was taken off, added; 0 where chance explains it.
func serialOf(y []float64, at []int) float64 {
	var own, next float64
	for i := range len(at) + 1 {
		o, e := neighbours(stretchOf(y, at, i), 0)
		own, next = own+o, next+e
	}
	if own == 0 {
		return 0
	}
	r := next / own
	r += 2 * float64(len(at)+1) * (1 + 4*r) / float64(len(y)) // twice the bias: an estimate that is too small tells a step where there is none
	return math.Max(0, math.Min(r, .95))
}

// levelled returns the mean of values, the sum of squares about it, and how many independent ones they are worth.
func levelled(v []float64, rho float64) (m, ss, worth float64) {
	m = mean(v)
	for _, x := range v {
		ss += (x - m) * (x - m)
	}
	return m, ss, float64(len(v)) * (1 - rho) / (1 + rho)
}

// differ returns by how much level i+1 exceeds level i, with its standard error and degrees of freedom, by the variance that the values share.
func differ(y []float64, at []int, i int, rho float64) (d, se, dof float64) {
	ma, sa, na := levelled(stretchOf(y, at, i), rho)
	mb, sb, nb := levelled(stretchOf(y, at, i+1), rho)
	n := float64(len(stretchOf(y, at, i)) + len(stretchOf(y, at, i+1)))
	return mb - ma, math.Sqrt((sa + sb) / (n - 2) * (1/na + 1/nb)), na + nb - 2
}

func tail(d, se, dof float64) float64 {
	switch {
	case dof < 1 || d == 0:
		return 1
	case se == 0:
		return 0
	}
	return 2 * distuv.StudentsT{Sigma: 1, Nu: dof}.CDF(-math.Abs(d)/se)
}

func around(v, se, dof, level float64) Interval {
	if dof < 1 {
		return Interval{math.Inf(-1), math.Inf(1), level}
	}
	t := StudentT(1-(1-level)/2, dof)
	return Interval{v - t*se, v + t*se, level}
}

func levelOf(y []float64, at []int, i int, rho, level float64) (float64, Interval) {
	v := stretchOf(y, at, i)
	m, ss, worth := levelled(v, rho)
	return m, around(m, math.Sqrt(ss/float64(len(v)-1)/worth), worth-1, level)
}

// bends reports whether a straight line explains a series better than steps at the given places, whose number and places are paid for.
func bends(y []float64, at []int) bool {
	n := float64(len(y))
	var steps, xy, xx float64
	for i := range len(at) + 1 {
		_, ss, _ := levelled(stretchOf(y, at, i), 0)
		steps += ss
	}
	m, all, _ := levelled(y, 0)
	for i, v := range y {
		x := float64(i) - (n-1)/2
		xy, xx = xy+x*(v-m), xx+x*x
	}
	line := all - xy*xy/xx
	return n*math.Log(math.Max(line, 0)/n)+2*math.Log(n) <= n*math.Log(steps/n)+float64(2*len(at)+1)*math.Log(n)
}
