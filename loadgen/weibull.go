package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// Weibull is the arrival process whose gaps have a Weibull distribution: shape 1 is Poisson, less has long
// pauses and dense bursts, more is regular. With a rate that changes the gaps have that distribution on
// the scale of the expected number of arrivals.
type Weibull struct {
	Profile
	Shape float64
}

// Due implements [Arrivals].
func (w Weibull) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, w.Each(d, rng))
}

// Each implements [Streamer].
func (w Weibull) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	mean := math.Gamma(1 + 1/w.Shape)
	cv := math.Sqrt(math.Gamma(1+2/w.Shape)/(mean*mean) - 1)
	return renewal(w.Profile, d, trace.WeibullGap(w.Shape), cv, rng)
}

// Check implements [Arrivals].
func (w Weibull) Check() error {
	if !(w.Shape >= 0.3 && w.Shape <= 100) {
		return fmt.Errorf("weibull with shape %g: want between 0.3 and 100", w.Shape)
	}
	return w.Profile.Check()
}
