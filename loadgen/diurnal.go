package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// Diurnal is the Poisson process whose rate is a sine: Rate·(1 + Amplitude·sin(2π(t+Offset)/Period)). Without an
// offset it begins at the mean rate, rising.
type Diurnal struct {
	Rate      float64       // mean over whole periods, requests per second
	Amplitude float64       // share of the mean by which the rate rises and falls, 0 to 1
	Period    time.Duration // a day, or as long as a day shall take
	Offset    time.Duration // where in the period the phase begins
}

// Due implements [Arrivals].
func (c Diurnal) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, c.Each(d, rng))
}

// Each implements [Streamer]. It draws at the highest rate and keeps each arrival with the probability that the rate at that
// instant has to the highest.
func (c Diurnal) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		top := c.Rate * (1 + c.Amplitude)
		for t := rng.ExpFloat64() / top; t < d.Seconds(); t += rng.ExpFloat64() / top {
			keep := (1 + c.Amplitude*math.Sin(2*math.Pi*(t+c.Offset.Seconds())/c.Period.Seconds())) / (1 + c.Amplitude)
			if at := int64(math.Round(t * 1e9)); rng.Float64() < keep && at < int64(d) && !yield(at) {
				return
			}
		}
	}
}

// Mean implements [Arrivals]; it is that of whole periods.
func (c Diurnal) Mean() float64 { return c.Rate }

// Check implements [Arrivals].
func (c Diurnal) Check() error {
	switch {
	case !(c.Amplitude >= 0 && c.Amplitude <= 1):
		return fmt.Errorf("diurnal with amplitude %g: want between 0 and 1 of the mean rate", c.Amplitude)
	case c.Period <= 0:
		return fmt.Errorf("diurnal with period %v: want more than 0s", c.Period)
	case c.Offset < 0 || c.Offset > c.Period:
		return fmt.Errorf("diurnal with offset %v: want between 0s and the period, %v", c.Offset, c.Period)
	}
	return checkRate(c.Rate)
}
