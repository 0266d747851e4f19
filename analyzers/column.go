package analyzers

import (
	"math"
	"slices"

	"github.com/assay-dev/assay/internal/stat"
)

// exactLimit is how many values of one kind are kept as they are: so many are 4 MB. Beyond it a histogram
// with buckets of 1 % takes over, whose quantiles are good to 0.5 %.
const exactLimit = 1 << 18

// A column holds the values of one latency, in order of due, each marked with the cell (phase, ledger, cold state) it belongs to, so
// that any selection of cells can be asked for later. Its memory is bounded.
type column struct {
	limit  int // 0: exactLimit
	exact  []entry
	coarse map[uint16]*ladder
	last   *ladder // where the last value went: the next one most often goes there too
	lastOf uint16
}

type entry struct {
	ns   int64
	cell uint16
}

func (c *column) add(cell uint16, ns int64) {
	if c.coarse == nil {
		limit := c.limit
		if limit == 0 {
			limit = exactLimit
		}
		if len(c.exact) < limit {
			c.exact = append(c.exact, entry{ns, cell})
			return
		}
		c.coarse = map[uint16]*ladder{}
		for _, e := range c.exact {
			c.rung(e.cell).add(e.ns)
		}
		c.exact = nil
	}
	c.rung(cell).add(ns)
}

func (c *column) rung(cell uint16) *ladder {
	if c.last != nil && c.lastOf == cell {
		return c.last
	}
	l := c.coarse[cell]
	if l == nil {
		l = &ladder{size: 64}
		c.coarse[cell] = l
	}
	c.last, c.lastOf = l, cell
	return l
}

// A ladder is a sequence of histograms of equal count, at most rungs of them: when they are
// full, neighbours are merged and the size doubles. So the order of time survives in blocks.
type ladder struct {
	size   uint64
	blocks []stat.Sketch
}

const rungs = 2 * stat.Blocks

func (l *ladder) add(ns int64) {
	n := len(l.blocks)
	if n == 0 || l.blocks[n-1].N >= l.size {
		if n == rungs {
			for i := 0; i < rungs/2; i++ {
				l.blocks[2*i].Merge(&l.blocks[2*i+1])
				l.blocks[i] = l.blocks[2*i]
			}
			clear(l.blocks[rungs/2:])
			l.blocks = l.blocks[:rungs/2]
			l.size *= 2
			if l.blocks[rungs/2-1].N < l.size {
				l.blocks[rungs/2-1].Add(float64(ns))
				return
			}
		}
		l.blocks = append(l.blocks, stat.Sketch{})
		n = len(l.blocks)
	}
	l.blocks[n-1].Add(float64(ns))
}

// A sample is a selection of a column, in seconds.
type sample struct {
	n       int
	ordered []float64 // in order of due; nil if coarse
	sorted  []float64
	blocks  []stat.Sketch // if coarse
	total   stat.Sketch
}

// pick returns the values of the cells that want accepts.
func (c *column) pick(want func(uint16) bool) sample {
	var s sample
	if c.coarse == nil {
		for _, e := range c.exact {
			if want(e.cell) {
				s.ordered = append(s.ordered, seconds(e.ns))
			}
		}
		s.n = len(s.ordered)
		s.sorted = slices.Clone(s.ordered)
		slices.Sort(s.sorted)
		return s
	}
	cells := make([]uint16, 0, len(c.coarse))
	for cell := range c.coarse {
		if want(cell) {
			cells = append(cells, cell)
		}
	}
	slices.Sort(cells)
	for _, cell := range cells {
		for i := range c.coarse[cell].blocks {
			b := &c.coarse[cell].blocks[i]
			s.blocks = append(s.blocks, *b)
			s.total.Merge(b)
		}
	}
	s.n = int(s.total.N)
	return s
}

func (s *sample) coarse() bool { return s.blocks != nil }

func (s *sample) quantile(p float64) float64 {
	if s.coarse() {
		return s.total.Quantile(p) / 1e9
	}
	return stat.Quantile(s.sorted, p, stat.Type7)
}

func (s *sample) max() float64 {
	switch {
	case s.n == 0:
		return math.NaN()
	case s.coarse():
		return s.total.Max / 1e9
	}
	return s.sorted[len(s.sorted)-1]
}

// above counts the values above v.
func (s *sample) above(v float64) int {
	if s.coarse() {
		return int(s.total.Above(v * 1e9))
	}
	i, _ := slices.BinarySearch(s.sorted, math.Nextafter(v, math.Inf(1)))
	return s.n - i
}

// effective returns how many independent values the sample is worth for a quantile, and the number of blocks it was judged by.
func (s *sample) effective(p float64) (float64, int) {
	q := s.quantile(p)
	// Where many values are equal to the quantile, those at it belong to the side that leaves its share nearer to p.
	atQ := false
	if !s.coarse() {
		lo, _ := slices.BinarySearch(s.sorted, q)
		hi, _ := slices.BinarySearch(s.sorted, math.Nextafter(q, math.Inf(1)))
		atQ = math.Abs(float64(s.n-lo)-(1-p)*float64(s.n)) < math.Abs(float64(s.n-hi)-(1-p)*float64(s.n))
	}
	var ones, sizes []float64
	if s.coarse() {
		for i := range s.blocks {
			ones = append(ones, float64(s.blocks[i].Above(q*1e9)))
			sizes = append(sizes, float64(s.blocks[i].N))
		}
	} else {
		m := stat.NumBlocks(s.n)
		for i := range m {
			lo, hi := stat.Split(s.n, m, i)
			above := 0
			for _, v := range s.ordered[lo:hi] {
				if v > q || atQ && v == q {
					above++
				}
			}
			ones, sizes = append(ones, float64(above)), append(sizes, float64(hi-lo))
		}
	}
	return stat.Effective(s.n, stat.DesignEffect(ones, sizes), len(ones), Confidence), len(ones)
}

// spells returns in how many spells the values came that lie on the rarer side of a quantile; where only blocks are kept, in how many runs of blocks those above it did, and 0 if none was without.
func (s *sample) spells(p float64) int {
	q := s.quantile(p)
	if !s.coarse() {
		var all stat.Spells
		for _, v := range s.ordered {
			all.Add(v > q)
		}
		return all.Rarer()
	}
	var runs stat.Clusters
	for i := range s.blocks {
		runs.Add(s.blocks[i].Above(q*1e9) > 0)
	}
	if runs.Good == 0 {
		return 0
	}
	return runs.N
}

// interval returns the order-statistic interval of a quantile of a sample worth effective independent values.
func (s *sample) interval(p, effective float64) (stat.Interval, bool) {
	if !s.coarse() {
		return stat.QuantileInterval(s.sorted, p, Confidence, effective)
	}
	lo, hi, attained, ok := stat.SpreadRanks(s.n, p, Confidence, effective)
	if !ok {
		return stat.Interval{}, false
	}
	// Half a bucket of the histogram is added to each side.
	return stat.Interval{Lo: s.total.Rank(lo) / 1e9 / 1.005, Hi: s.total.Rank(hi) / 1e9 * 1.005, Confidence: attained}, true
}

// mean returns the mean and its interval from block means.
func (s *sample) mean() (float64, stat.Interval) {
	if !s.coarse() {
		return stat.MeanInterval(s.ordered, Confidence)
	}
	var means []float64
	for i := range s.blocks {
		means = append(means, s.blocks[i].Sum/float64(s.blocks[i].N)/1e9)
	}
	_, in := stat.MeanInterval(means, Confidence)
	m := s.total.Sum / float64(s.total.N) / 1e9
	return m, in
}
