package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// Ladder is single requests with growing idle gaps between them. The first is due at once; then come Repeat requests
// after a gap of Start each, Repeat after Start·Factor, and so on up to Max, which ends it. The
// shortest gap whose request was cold bounds the time after which the platform scales to zero from above,
// the longest whose request was warm from below. A gap is from one due instant to the next: the idle time that the platform saw is shorter
// by the answer to the request before, and is found as due less that request's end.
type Ladder struct {
	Start  time.Duration // 0: 1 s
	Factor float64       // 0: 1.5
	Max    time.Duration // 0: 10 m
	Repeat int           // requests for each gap; 0: 1
}

func (l Ladder) filled() Ladder {
	fill(&l.Start, time.Second)
	fill(&l.Factor, 1.5)
	fill(&l.Max, 10*time.Minute)
	fill(&l.Repeat, 1)
	return l
}

// Gaps returns the gaps in order, each once.
func (l Ladder) Gaps() []time.Duration {
	l = l.filled()
	var gaps []time.Duration
	for g := float64(l.Start); g < float64(l.Max)*(1-1e-9); g *= l.Factor {
		gaps = append(gaps, time.Duration(math.Round(g)))
	}
	return append(gaps, l.Max)
}

// Due implements [Arrivals].
func (l Ladder) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, l.Each(d, rng))
}

// Each implements [Streamer].
func (l Ladder) Each(d time.Duration, _ *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		at := int64(0)
		if d <= 0 || !yield(at) {
			return
		}
		for _, g := range l.Gaps() {
			for range l.filled().Repeat {
				if at += int64(g); at >= int64(d) || !yield(at) {
					return
				}
			}
		}
	}
}

// Lasts implements [Lasting]: until a second after the last request.
func (l Ladder) Lasts() time.Duration {
	d := time.Second
	for _, g := range l.Gaps() {
		d += g * time.Duration(l.filled().Repeat)
	}
	return d
}

// Mean implements [Arrivals].
func (l Ladder) Mean() float64 {
	return float64(1+len(l.Gaps())*l.filled().Repeat) / l.Lasts().Seconds()
}

// Check implements [Arrivals].
func (l Ladder) Check() error {
	l = l.filled()
	switch {
	case l.Start < time.Millisecond:
		return fmt.Errorf("ladder starts with a gap of %v: want at least 1ms", l.Start)
	case !(l.Factor > 1) || l.Factor > 100:
		return fmt.Errorf("ladder factor %g: want more than 1 and at most 100", l.Factor)
	case l.Max < l.Start || l.Max > 7*24*time.Hour:
		return fmt.Errorf("ladder up to a gap of %v: want at least its start, %v, and at most a week", l.Max, l.Start)
	case l.Repeat < 1 || l.Repeat > 1000:
		return fmt.Errorf("ladder repeats each gap %d times: want 1 to 1000", l.Repeat)
	case len(l.Gaps()) > 1000:
		return fmt.Errorf("ladder has %d gaps: want at most 1000; raise factor", len(l.Gaps()))
	}
	return nil
}
