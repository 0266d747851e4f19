package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	mostSwaps  = 50_000 // ways to deal runs to the sides that are all looked at; of more, drawSwaps are drawn
	drawSwaps  = 20_000
	swapsEqual = 1e-12 // differences of shares that rounding alone makes
)

// meanShift tests by how much the mean of y exceeds that of x, by dealing the runs to the sides anew (Pitman, Suppl. J. R. Stat. Soc. 4, 1937; the interval from its
// inversion: Garthwaite, Biometrics 52, 1996). Of equal sides it is exact whatever the distribution, with many zeros and few large values too, where ranks see
// the zeros alone.
type meanShift struct {
	value float64
	d     []float64 // sorted: for each other way to deal, the shift from which on it looks as large as what was seen
	apart float64   // chance of means so far apart by Student's t, either way
}

func newMeanShift(x, y []float64) *meanShift {
	all := slices.Concat(x, y)
	n, m := len(x), len(y)
	t := &meanShift{value: mean(y) - mean(x), apart: welch(x, y)}
	swap := func(other []int) { // indexes of what is dealt to y
		in, out, k := 0.0, 0.0, 0
		was := 0.0
		for _, v := range y {
			was += v
		}
		for _, i := range other {
			if i < n {
				in, k = in+all[i], k+1
			} else {
				was -= all[i]
			}
		}
		if out = was; k > 0 {
			d := (out - in) / float64(k)
			if math.Abs(d) < swapsEqual {
				d = 0
			}
			t.d = append(t.d, d)
		}
	}
	ways := 1.0
	for i := 1; i <= m; i++ {
		ways = ways * float64(n+i) / float64(i)
	}
	if ways <= mostSwaps {
		at := make([]int, m)
		for i := range at {
			at[i] = i
		}
		for {
			swap(at)
			i := m - 1
			for i >= 0 && at[i] == n+i {
				i--
			}
			if i < 0 {
				break
			}
			at[i]++
			for j := i + 1; j < m; j++ {
				at[j] = at[j-1] + 1
			}
		}
	} else {
		r := rand.New(rand.NewPCG(uint64(n), uint64(m))) // the same answer each time
		at := make([]int, n+m)
		for i := range at {
			at[i] = i
		}
		for range drawSwaps {
			for i := range m {
				j := i + r.IntN(n+m-i)
				at[i], at[j] = at[j], at[i]
			}
			swap(at[:m])
		}
	}
	slices.Sort(t.d)
	return t
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// welch returns the chance of means so far apart, either way, where the runs of each side are normal about theirs (Welch, Biometrika 34, 1947). Sides of which no run differs from another are unlike unless they are equal;
// one run has no variance, and nothing shows.
func welch(x, y []float64) float64 {
	n, m := float64(len(x)), float64(len(y))
	if n < 2 || m < 2 {
		return 1
	}
	vx, vy := variance(x)/n, variance(y)/m
	d := math.Abs(mean(y) - mean(x))
	switch v := vx + vy; {
	case d <= swapsEqual:
		return 1
	case v == 0:
		return 0
	default:
		return 2 * distuv.StudentsT{Sigma: 1, Nu: v * v / (vx*vx/(n-1) + vy*vy/(m-1))}.CDF(-d/math.Sqrt(v))
	}
}

func variance(v []float64) float64 {
	m, ss := mean(v), 0.0
	for _, x := range v {
		ss += (x - m) * (x - m)
	}
	return ss / float64(len(v)-1)
}

func (t *meanShift) shift() float64 { return t.value }

func (t *meanShift) unlike() float64 { return t.apart }

// of is the chance of k of the ways beside the one that was seen.
func (t *meanShift) of(k int) float64 { return float64(k+1) / float64(len(t.d)+1) }

func (t *meanShift) less(shift float64) float64 {
	return t.of(len(t.d) - sort.SearchFloat64s(t.d, shift-swapsEqual))
}

func (t *meanShift) more(shift float64) float64 {
	return t.of(sort.Search(len(t.d), func(i int) bool { return t.d[i] > shift+swapsEqual }))
}

// outside returns how many ways an interval may leave out on one side; below 0 where there are too few of them.
func (t *meanShift) outside(alpha float64) int { return int(alpha*float64(len(t.d)+1)+swapsEqual) - 1 }

func (t *meanShift) upper(alpha float64) float64 {
	k := t.outside(alpha)
	if k < 0 || k >= len(t.d) {
		return math.Inf(1)
	}
	return t.d[len(t.d)-1-k]
}

func (t *meanShift) lower(alpha float64) float64 {
	k := t.outside(alpha)
	if k < 0 || k >= len(t.d) {
		return math.Inf(-1)
	}
	return t.d[k]
}

func (t *meanShift) attained(alpha float64) float64 { return t.of(t.outside(alpha)) }

func (t *meanShift) smallest() float64 { return t.of(0) }
