// Package clock is the one clock of a run: nanoseconds since its epoch, on the
// monotonic clock, with the wall-clock time of the epoch beside it.
package clock

import "time"

// A Clock counts from its epoch. The epoch is set a little before the clock is
// made, so that no instant of a live run is zero, which means "not seen".
type Clock struct{ epoch time.Time }

// New returns a clock whose epoch is now less one millisecond.
func New() *Clock { return &Clock{time.Now().Add(-time.Millisecond)} }

// Now returns the time since the epoch in nanoseconds; it never steps.
func (c *Clock) Now() int64 { return int64(time.Since(c.epoch)) }

// At returns the run time of t, on the monotonic clock where t carries it.
func (c *Clock) At(t time.Time) int64 { return int64(t.Sub(c.epoch)) }

// Time returns the instant of run time ns, with a monotonic reading.
func (c *Clock) Time(ns int64) time.Time { return c.epoch.Add(time.Duration(ns)) }

// Epoch returns the wall-clock time of the epoch in Unix nanoseconds.
func (c *Clock) Epoch() int64 { return c.epoch.UnixNano() }

// FromUnix returns the run time of a wall-clock stamp taken on this machine. It
// uses the wall time of the epoch, so a step of the wall clock since then shows as an
// error; Drift tells how large.
func (c *Clock) FromUnix(ns int64) int64 {
	if t := ns - c.epoch.UnixNano(); t != 0 {
		return t
	}
	return 1
}

// Drift returns wall time less monotonic time since the epoch, in nanoseconds.
func (c *Clock) Drift() int64 {
	now := time.Now()
	return now.UnixNano() - c.epoch.UnixNano() - int64(now.Sub(c.epoch))
}
