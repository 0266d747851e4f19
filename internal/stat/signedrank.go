package stat

import (
	"math"
	"slices"
	"sort"
)

// pairTest tests by how much differences of pairs lie above 0, by Wilcoxon's signed ranks: the shift is the median of the means of all two differences and its
// bounds are order statistics of them (Hodges and Lehmann, Ann. Math. Stat. 34, 1963). It holds for differences that are symmetric about the shift, whatever the two of a pair share,
// and with ties.
type pairTest struct {
	n     int
	means []float64 // of all pairs of differences and of each with itself, sorted
	cdf   []float64 // chance of at most so many of them below the truth
}

func newPairTest(d []float64) *pairTest {
	t := &pairTest{n: len(d)}
	for i := range d {
		for j := i; j < len(d); j++ {
			t.means = append(t.means, (d[i]+d[j])/2)
		}
	}
	slices.Sort(t.means)
	p := []float64{1}
	for k := 1; k <= len(d); k++ {
		next := make([]float64, len(p)+k)
		for i, v := range p {
			next[i] += v / 2
			next[i+k] += v / 2
		}
		p = next
	}
	for i := 1; i < len(p); i++ {
		p[i] += p[i-1]
	}
	t.cdf = p
	return t
}

// less returns the chance of differences as low as seen if they lay about shift, at the most.
func (t *pairTest) less(shift float64) float64 {
	at := sort.SearchFloat64s(t.means, shift)
	return t.cdf[len(t.means)-at]
}

// more is the chance of differences as high as seen.
func (t *pairTest) more(shift float64) float64 {
	return t.cdf[sort.Search(len(t.means), func(i int) bool { return t.means[i] > shift })]
}

// rank returns the number of means beyond each bound at 1-alpha, plus one; 0 where there is no bound.
func (t *pairTest) rank(alpha float64) int {
	return sort.Search(len(t.cdf), func(i int) bool { return t.cdf[i] > alpha*(1+dust) })
}

func (t *pairTest) upper(alpha float64) float64 {
	k := t.rank(alpha)
	if k == 0 {
		return math.Inf(1)
	}
	return t.means[len(t.means)-k]
}

func (t *pairTest) lower(alpha float64) float64 {
	k := t.rank(alpha)
	if k == 0 {
		return math.Inf(-1)
	}
	return t.means[k-1]
}

func (t *pairTest) shift() float64 { return Quantile(t.means, 0.5, Type7) }

func (t *pairTest) attained(alpha float64) float64 {
	k := t.rank(alpha)
	if k == 0 {
		return 0
	}
	return t.cdf[k-1]
}

func (t *pairTest) smallest() float64 { return t.cdf[0] }
