package loadgen

import (
	"iter"
	"math/rand/v2"
	"time"
)

// Even spaces requests equally, the first at the phase's begin. With a rate that changes, the
// expected number of requests between any two neighbours is one.
type Even struct{ Profile }

// Due implements [Arrivals].
func (e Even) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, e.Each(d, rng))
}

// Each implements [Streamer].
func (e Even) Each(d time.Duration, _ *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		total := e.total(d)
		for k := 0.0; k < total; k++ {
			if at := e.at(k, d); at < int64(d) && !yield(at) {
				return
			}
		}
	}
}
