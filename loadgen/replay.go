package loadgen

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// Replay sends the requests of a recorded trace, when they came and as long as they were; what the trace does not say comes from
// the phase. Prompts with the same blocks begin with the same text. A phase without a length of its own ends
// with the trace's window, or with its last request. The trace is read from disk while it is sent, and once before
// to count and hash it; if it changed in between, the run carries a warning.
//
// At time scale 1 each gap between requests is that of the trace, to the nanosecond in the schedule.
type Replay struct {
	Trace trace.Settings
}

// requests implements requester.
func (r Replay) requests(d time.Duration, rng *rand.Rand) iter.Seq2[trace.Item, error] {
	seed := rng.Uint64()
	return func(yield func(trace.Item, error) bool) {
		for it, err := range r.Trace.Each(seed, nil) {
			if err == nil && it.At >= int64(d) || !yield(it, err) {
				return
			}
		}
	}
}

// Due implements [Arrivals]. A trace that cannot be read has no arrivals: Check says why.
func (r Replay) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, r.Each(d, rng))
}

// Each implements [Streamer].
func (r Replay) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for it, err := range r.requests(d, rng) {
			if err != nil || !yield(it.At) {
				return
			}
		}
	}
}

// window returns how long the trace's window is, in replayed time; 0: until its last request.
func (r Replay) window() time.Duration {
	if r.Trace.To == 0 {
		return 0
	}
	scale := r.Trace.TimeScale
	if scale == 0 {
		scale = 1
	}
	return time.Duration(float64(r.Trace.To-r.Trace.From) * scale)
}

// Mean implements [Arrivals]. It reads the whole trace.
func (r Replay) Mean() float64 {
	n, last := 0, int64(1)
	for it, err := range r.Trace.Each(0, nil) {
		if err != nil {
			return 0
		}
		n, last = n+1, it.At+1
	}
	if w := r.window(); w > 0 {
		last = int64(w)
	}
	return float64(n) / (float64(last) / 1e9)
}

// Check implements [Arrivals]. It reads the first rows.
func (r Replay) Check() error { return r.Trace.Check() }
