package sandbox

import (
	"sort"
	"time"
)

const minPrune = 256 // points worth pruning

// A meter keeps the recent history of one count and averages it over windows that end
// now, weighted by time. Sums are whole numbers, so a window without load averages exactly zero, which is
// what scaling to zero waits for.
type meter struct {
	keep   int64 // ns of history to keep
	since  int64 // first instant known
	n      int64
	prune  int     // number of points at which to drop old ones
	points []point // in order of time; the first lies at or before the start of the history kept
}

// A point is a change of the count: from at on it is n. sum is the integral of the count up to at.
type point struct {
	at, n, sum int64
}

func newMeter(now time.Time, keep time.Duration) *meter {
	t := now.UnixNano()
	return &meter{keep: int64(keep), since: t, prune: minPrune, points: []point{{at: t}}}
}

// add changes the count at an instant; instants must not go back.
func (m *meter) add(now time.Time, delta int64) {
	m.n += delta
	last := &m.points[len(m.points)-1]
	at := max(now.UnixNano(), last.at)
	if at == last.at {
		last.n = m.n
		return
	}
	m.points = append(m.points, point{at, m.n, last.sum + last.n*(at-last.at)})
	// Drop what no window can reach, in large steps so that it costs little on average.
	if len(m.points) < m.prune {
		return
	}
	drop := max(m.before(at-m.keep), 0)
	m.points = append(m.points[:0], m.points[drop:]...)
	m.prune = max(2*len(m.points), minPrune)
}

// before returns the index of the last point at or before an instant, or -1.
func (m *meter) before(at int64) int {
	return sort.Search(len(m.points), func(i int) bool { return m.points[i].at > at }) - 1
}

// integral returns the sum of the count over time up to at, which lies within the history kept.
func (m *meter) integral(at int64) int64 {
	p := m.points[max(m.before(at), 0)]
	return p.sum + p.n*max(at-p.at, 0)
}

// mean returns the average of the count over the window that ends now; of what there is, if the meter is younger than that.
func (m *meter) mean(now time.Time, window time.Duration) float64 {
	end := max(now.UnixNano(), m.points[len(m.points)-1].at)
	begin := max(end-int64(window), m.since)
	if end <= begin {
		return float64(m.n)
	}
	return float64(m.integral(end)-m.integral(begin)) / float64(end-begin)
}
