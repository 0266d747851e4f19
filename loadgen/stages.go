package loadgen

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// Stages is a list of rates, one after another. Arrivals are Poisson unless Even is set. The expected
// number of arrivals counts on across the bounds of stages, so that a stage that ends between two even arrivals loses
// none.
type Stages struct {
	Stages []Stage
	Even   bool // equal gaps instead of Poisson
}

// A Stage is a rate that is held for a time.
type Stage struct {
	Rate float64       // requests per second
	For  time.Duration // the ramp included
	Ramp time.Duration // at its beginning, in which the rate goes linearly from that of the stage before, or from 0, to this one's; 0: at once
}

// A slope is a stretch in which the rate changes linearly.
type slope struct {
	Profile
	length time.Duration
}

// slopes cuts the stages into stretches of linear rate that last d together, at most.
func (s Stages) slopes(d time.Duration) []slope {
	var list []slope
	add := func(from, to float64, length time.Duration) {
		if length > d {
			to = from + (to-from)*float64(d)/float64(length)
			length = d
		}
		if d -= length; length > 0 {
			list = append(list, slope{Profile{from, &to}, length})
		}
	}
	last := 0.0
	for _, g := range s.Stages {
		add(last, g.Rate, g.Ramp)
		add(g.Rate, g.Rate, g.For-g.Ramp)
		last = g.Rate
	}
	return list
}

// Due implements [Arrivals].
func (s Stages) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, s.Each(d, rng))
}

// Each implements [Streamer].
func (s Stages) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	gap := func() float64 { return 1 }
	if !s.Even {
		gap = rng.ExpFloat64
	}
	return func(yield func(int64) bool) {
		next := 0.0 // expected number at which the next arrival is due, from the begin of the slope
		if !s.Even {
			next = gap()
		}
		begin := int64(0)
		for _, p := range s.slopes(d) {
			total := p.total(p.length)
			for ; next < total; next += gap() {
				if at := begin + p.at(next, p.length); at < int64(d) && !yield(at) {
					return
				}
			}
			next -= total
			begin += int64(p.length)
		}
	}
}

// Lasts implements [Lasting].
func (s Stages) Lasts() time.Duration {
	var d time.Duration
	for _, g := range s.Stages {
		d += g.For
	}
	return d
}

// Mean implements [Arrivals].
func (s Stages) Mean() float64 {
	total := 0.0
	for _, p := range s.slopes(s.Lasts()) {
		total += p.total(p.length)
	}
	return total / max(s.Lasts().Seconds(), 1e-9)
}

// Check implements [Arrivals].
func (s Stages) Check() error {
	if len(s.Stages) == 0 {
		return errors.New("stages is empty: want at least one rate with its time")
	}
	for i, g := range s.Stages {
		if err := checkRate(g.Rate); err != nil {
			return fmt.Errorf("stage %d: %w", i+1, err)
		}
		if g.For <= 0 {
			return fmt.Errorf("stage %d lasts %v: want more than 0s", i+1, g.For)
		}
		if g.Ramp < 0 || g.Ramp > g.For {
			return fmt.Errorf("stage %d has a ramp of %v: want at most its length, %v", i+1, g.Ramp, g.For)
		}
	}
	return nil
}
