//go:build !linux

package clock

// Monotonic is known on Linux only.
func (c *Clock) Monotonic() (ns int64, ok bool) { return 0, false }
