package stat

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// A RankTest is Mann and Whitney's comparison of two samples, with the shift of Hodges and Lehmann.
type RankTest struct {
	N, M   int     // sizes of x and y
	U      float64 // pairs in which x is the larger; one half for a tie
	Exact  bool    // P is exact; else by the normal distribution with corrections for ties and continuity
	P      float64 // two-sided
	PLess  float64 // chance of at most U if neither sample tends to be the larger
	PMore  float64 // chance of at least U
	Effect float64 // U/(NM): chance that a value of x is larger than one of y
	Shift  float64 // median of all differences x-y
	In     Interval
}

// maxExact bounds the product of two sizes for which chances are exact.
const maxExact = 2500

// dust is what rounding does to a chance: three and three values attain 90 % exactly, and no more.
const dust = 1e-9

// MannWhitney compares two samples; without one of them the result is all NaN. Without ties, and for sizes whose product is at most 2500, chances and
// the interval of the shift are exact.
func MannWhitney(x, y []float64, confidence float64) RankTest {
	n, m := len(x), len(y)
	nan := math.NaN()
	t := RankTest{N: n, M: m, U: nan, P: nan, PLess: nan, PMore: nan, Effect: nan, Shift: nan, In: Interval{nan, nan, confidence}}
	if n == 0 || m == 0 {
		return t
	}
	diffs := make([]float64, 0, n*m)
	t.U = 0
	for _, a := range x {
		for _, b := range y {
			diffs = append(diffs, a-b)
			switch {
			case a > b:
				t.U++
			case a == b:
				t.U += 0.5
			}
		}
	}
	slices.Sort(diffs)
	t.Effect = t.U / float64(n*m)
	t.Shift = Quantile(diffs, 0.5, Type7)

	all := append(slices.Clone(x), y...)
	slices.Sort(all)
	tied := 0.0 // sum of t³-t over groups of equal values
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		k := float64(j - i)
		tied += k*k*k - k
		i = j
	}
	a := (1 - confidence) / 2
	total := float64(n + m)
	mean := float64(n*m) / 2
	sd := math.Sqrt(float64(n*m) / 12 * (total + 1 - tied/(total*(total-1))))
	if t.Exact = tied == 0 && n*m <= maxExact; t.Exact {
		p := uChances(n, m)
		cdf := make([]float64, len(p))
		sum := 0.0
		for i, v := range p {
			sum += v
			cdf[i] = sum
		}
		u := int(t.U)
		t.PLess = cdf[u]
		t.PMore = 1
		if u > 0 {
			t.PMore = 1 - cdf[u-1]
		}
		t.P = math.Min(1, 2*math.Min(t.PLess, t.PMore))
		// The k-th smallest and largest difference hold the shift between them unless fewer than k pairs lie to one side.
		k := sort.Search(len(cdf), func(i int) bool { return cdf[i] > a*(1+dust) })
		t.In = Interval{math.Inf(-1), math.Inf(1), 1}
		if k > 0 {
			t.In = Interval{diffs[k-1], diffs[n*m-k], 1 - 2*cdf[k-1]}
		}
		return t
	}
	if sd == 0 {
		t.P, t.PLess, t.PMore = 1, 1, 1
		t.In = Interval{t.Shift, t.Shift, confidence}
		return t
	}
	t.PLess = distuv.UnitNormal.CDF((t.U - mean + 0.5) / sd)
	t.PMore = distuv.UnitNormal.CDF(-(t.U - mean - 0.5) / sd)
	t.P = math.Min(1, 2*math.Min(t.PLess, t.PMore))
	k := int(math.Floor(mean - normalQuantile(1-a)*sd))
	t.In = Interval{math.Inf(-1), math.Inf(1), 1}
	if k > 0 {
		t.In = Interval{diffs[k-1], diffs[n*m-k], confidence}
	}
	return t
}

// LeastRanks returns how many values of either sample it takes for [MannWhitney] to bound a shift at a confidence: 4 at 95 %.
func LeastRanks(confidence float64) int {
	a := (1 - confidence) / 2
	for n, p := 1, 0.5; ; n++ { // p is the chance that all of one lie below all of the other: one over the binomial coefficient of n in 2n
		if p <= a*(1+dust) || !(a > 0) {
			return n
		}
		p *= float64(n+1) / float64(2*(2*n+1))
	}
}

// uChances returns the chance of each value of U for samples of n and m from one distribution.
func uChances(n, m int) []float64 {
	// The largest of all values is one of x with chance n/(n+m), and then larger than all m of y.
	rows := make([][]float64, m+1)
	for j := range rows {
		rows[j] = []float64{1} // no x
	}
	for i := 1; i <= n; i++ {
		next := make([][]float64, m+1)
		next[0] = []float64{1}
		for j := 1; j <= m; j++ {
			p := make([]float64, i*j+1)
			w := float64(i) / float64(i+j)
			for u, v := range rows[j] {
				p[u+j] += w * v
			}
			for u, v := range next[j-1] {
				p[u] += (1 - w) * v
			}
			next[j] = p
		}
		rows = next
	}
	return rows[m]
}
