package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// OnOff is bursts with pauses between them: Poisson arrivals at Rate for On, at Base for Off, and so on. It begins
// with a burst. With Random the lengths of bursts and pauses are exponential with these
// means, which is the interrupted Poisson process.
type OnOff struct {
	Rate   float64 // in a burst, requests per second
	Base   float64 // in a pause
	On     time.Duration
	Off    time.Duration
	Random bool
}

// Due implements [Arrivals].
func (o OnOff) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, o.Each(d, rng))
}

// Each implements [Streamer].
func (o OnOff) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		end := d.Seconds()
		on := true
		for begin := 0.0; begin < end; on = !on {
			rate, length := o.Base, o.Off.Seconds()
			if on {
				rate, length = o.Rate, o.On.Seconds()
			}
			if o.Random {
				length *= rng.ExpFloat64()
			}
			stop := min(end, begin+length)
			if rate > 0 {
				for t := begin + rng.ExpFloat64()/rate; t < stop; t += rng.ExpFloat64() / rate {
					if at := int64(math.Round(t * 1e9)); at < int64(d) && !yield(at) {
						return
					}
				}
			}
			begin += length
		}
	}
}

// Mean implements [Arrivals]; it is that of whole cycles.
func (o OnOff) Mean() float64 {
	on, off := o.On.Seconds(), o.Off.Seconds()
	return (o.Rate*on + o.Base*off) / max(on+off, 1e-9)
}

// Check implements [Arrivals].
func (o OnOff) Check() error {
	if o.On <= 0 || o.Off <= 0 {
		return fmt.Errorf("onoff with bursts of %v and pauses of %v: want both longer than 0s", o.On, o.Off)
	}
	if o.On+o.Off < time.Millisecond {
		return fmt.Errorf("onoff with a cycle of %v: want at least 1ms", o.On+o.Off)
	}
	if err := checkRate(o.Rate); err != nil {
		return fmt.Errorf("onoff: %w", err)
	}
	if err := checkRate(o.Base); err != nil {
		return fmt.Errorf("onoff base: %w", err)
	}
	if o.Base > o.Rate {
		return fmt.Errorf("onoff with base %g/s above the burst's %g/s: want at most that", o.Base, o.Rate)
	}
	return nil
}
