package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockCountsMonotonicTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		if got := c.Now(); got != int64(time.Millisecond) {
			t.Errorf("now at the start: got %d, want 1 ms: zero means not seen", got)
		}
		time.Sleep(3 * time.Second)
		if got, want := c.Now(), int64(3*time.Second+time.Millisecond); got != want {
			t.Errorf("now: got %d, want %d", got, want)
		}
		if got := c.At(c.Time(42)); got != 42 {
			t.Errorf("At(Time(42)): got %d", got)
		}
		if got := c.FromUnix(c.Epoch() + 7); got != 7 {
			t.Errorf("7 ns after the epoch: got %d", got)
		}
		if got := c.FromUnix(c.Epoch()); got != 1 {
			t.Errorf("the epoch itself: got %d, want 1, since 0 means not seen", got)
		}
		if got := c.Drift(); got != 0 {
			t.Errorf("drift without a step: got %d", got)
		}
	})
}
