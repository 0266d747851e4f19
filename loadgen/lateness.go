package loadgen

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// spread is a histogram of durations that many goroutines add to without a lock: 16 buckets for each power of two, so
// a quantile is at most 1/16 too high.
type spread struct {
	n    atomic.Int64
	max  atomic.Int64
	bins [64 * 16]atomic.Int64
}

func bin(ns int64) int {
	if ns < 16 {
		return int(max(ns, 0))
	}
	e := bits.Len64(uint64(ns)) - 5 // ns>>e lies in [16, 32)
	return 16*e + int(ns>>e)
}

// ceiling returns the largest duration in bin i.
func ceiling(i int) int64 {
	if i < 32 {
		return int64(i)
	}
	e := i/16 - 1
	return int64(i-16*e+1)<<e - 1
}

func (s *spread) add(ns int64) {
	s.n.Add(1)
	s.bins[bin(ns)].Add(1)
	for {
		m := s.max.Load()
		if ns <= m || s.max.CompareAndSwap(m, ns) {
			return
		}
	}
}

// quantile returns an upper bound of the q-quantile, 0 when there is nothing.
func (s *spread) quantile(q float64) time.Duration {
	rank := int64(q*float64(s.n.Load()) + 0.5)
	for i := range s.bins {
		if rank -= s.bins[i].Load(); rank <= 0 && s.n.Load() > 0 {
			return time.Duration(min(ceiling(i), s.max.Load()))
		}
	}
	return time.Duration(s.max.Load())
}
