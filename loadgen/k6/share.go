package k6

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"go.k6.io/k6/v2/lib"

	"github.com/assay-dev/assay/internal/trace"
	"github.com/assay-dev/assay/loadgen"
)

// A share is the part of an arrival process that one process of a distributed run plays. Each of them draws
// the whole from the same seed and keeps the arrivals that k6 would give it, so that together they play
// every arrival once, whatever their number. What it keeps lies in memory: 8 bytes for each arrival, and about 100 where a trace
// says more of it.
type share struct {
	whole loadgen.Arrivals
	part  float64 // of the whole
	due   []int64
	items []trace.Item // of a trace; else nil
	first int64        // number of the first in the whole, from 0
	steps []int64      // from one to the next, over and over
}

// newShare draws the part of a scenario that et describes.
func newShare(c *arrivalsConfig, et *lib.ExecutionTuple) (*share, error) {
	whole, err := c.arrivals()
	if err != nil {
		return nil, err
	}
	s := &share{whole: whole}
	start, stride, period := et.GetStripedOffsets()
	s.first, s.steps, s.part = start, stride, float64(len(stride))/float64(period)
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	rng := rand.New(rand.NewPCG(c.Seed, h.Sum64())) // the scenario's own, whatever process draws
	next, kept, length := start, 0, c.Duration.TimeDuration()
	mine := func(i int64) bool {
		if i != next {
			return false
		}
		next += stride[kept%len(stride)]
		kept++
		return true
	}
	i := int64(0)
	if r, ok := whole.(loadgen.Replay); ok {
		for it, err := range r.Trace.Each(rng.Uint64(), nil) {
			if err != nil {
				return nil, fmt.Errorf("read the trace: %w", err)
			}
			if it.At >= int64(length) {
				break
			}
			if mine(i) {
				s.due, s.items = append(s.due, it.At), append(s.items, it)
			}
			i++
		}
		return s, nil
	}
	each := func(yield func(int64) bool) {
		for _, at := range whole.Due(nil, length, rng) {
			if !yield(at) {
				return
			}
		}
	}
	if w, ok := whole.(loadgen.Streamer); ok {
		each = w.Each(length, rng)
	}
	for at := range each {
		if mine(i) {
			s.due = append(s.due, at)
		}
		i++
	}
	return s, nil
}

// number returns which of the whole's arrivals, from 0, the i-th of the share is.
func (s *share) number(i int) int64 {
	n, period := s.first, int64(0)
	for _, step := range s.steps {
		period += step
	}
	n += period * int64(i/len(s.steps))
	for _, step := range s.steps[:i%len(s.steps)] {
		n += step
	}
	return n
}

// Due implements loadgen.Arrivals.
func (s *share) Due(dst []int64, d time.Duration, _ *rand.Rand) []int64 {
	for _, at := range s.due {
		if at >= int64(d) {
			break
		}
		dst = append(dst, at)
	}
	return dst
}

// Mean implements loadgen.Arrivals.
func (s *share) Mean() float64 { return s.whole.Mean() * s.part }

// Check implements loadgen.Arrivals.
func (s *share) Check() error { return s.whole.Check() }
