package live

import (
	"sort"

	"github.com/assay-dev/assay"
)

// The upper bounds of buckets, in ns. They reach to 160 s, since a cold start lies past what the
// usual buckets hold.
var (
	latencyBounds  = bounds(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 40, 80, 160)
	gapBounds      = bounds(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
	latenessBounds = bounds(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
)

const buckets = 23 // of every histogram, without the last, endless one

// Bounds holds the upper ends of buckets, as counted and as exposed.
type boundary struct {
	ns      [buckets]int64
	seconds [buckets]float64
}

func bounds(seconds ...float64) *boundary {
	var b boundary
	for i, s := range seconds {
		b.ns[i], b.seconds[i] = int64(s*1e9+0.5), s
	}
	return &b
}

// find returns the bucket of v: the first whose upper end is not below it.
func (b *boundary) find(v int64) int {
	return sort.Search(buckets, func(i int) bool { return b.ns[i] >= v })
}

// A histogram counts durations. Each bucket remembers the trace of its latest.
type histogram struct {
	bounds    *boundary
	counts    [buckets + 1]uint64
	sum       int64 // ns
	exemplars *[buckets + 1]exemplar
}

type exemplar struct {
	trace assay.TraceID
	value int64
	at    int64
}

func newHistogram(b *boundary) histogram { return histogram{bounds: b} }

func (h *histogram) add(v int64, trace *assay.TraceID, at int64) {
	i := h.bounds.find(v)
	h.counts[i]++
	h.sum += v
	if trace != nil && !trace.IsZero() {
		if h.exemplars == nil {
			h.exemplars = new([buckets + 1]exemplar)
		}
		h.exemplars[i] = exemplar{*trace, v, at}
	}
}

// A gapCounts is the gaps between the tokens of one answer.
type gapCounts struct {
	counts [buckets + 1]uint32
	sum    int64
	any    bool
}

func (g *gapCounts) add(arrivals []int64) {
	last := -1
	for i := 1; i < len(arrivals); i++ {
		gap := arrivals[i] - arrivals[i-1]
		// Gaps of one answer are alike: mostly the bucket is the last one's.
		if last < 0 || last < buckets && gap > gapBounds.ns[last] || last > 0 && gap <= gapBounds.ns[last-1] {
			last = gapBounds.find(gap)
		}
		g.counts[last]++
		g.sum += gap
		g.any = true
	}
}

func (h *histogram) merge(g *gapCounts) {
	if !g.any {
		return
	}
	for i, n := range g.counts {
		h.counts[i] += uint64(n)
	}
	h.sum += g.sum
}
