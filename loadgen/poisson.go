package loadgen

import (
	"iter"
	"math/rand/v2"
	"time"
)

// Poisson is the arrival process of many independent users: the gaps are exponential. With a rate
// that changes it is the inhomogeneous process of that rate.
type Poisson struct{ Profile }

// Due implements [Arrivals].
func (p Poisson) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, p.Each(d, rng))
}

// Each implements [Streamer].
func (p Poisson) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		// A unit-rate process, stretched by the inverse of the expected number.
		total := p.total(d)
		for s := rng.ExpFloat64(); s < total; s += rng.ExpFloat64() {
			if at := p.at(s, d); at < int64(d) && !yield(at) {
				return
			}
		}
	}
}
