package loadgen

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// spin is how long before an instant the wait stops sleeping and watches the clock. It covers the usual delay of a wake-up; at
// a thousand waits a second it costs a few percent of one core.
const spin = 80 * time.Microsecond

// precise returns a wait that ends within some tens of microseconds of the instant, on an idle
// machine, and what undoes its hold on the calling goroutine's thread. A timer of the runtime
// would be half a millisecond late on average. The thread's timer slack is lowered, since
// the kernel otherwise adds 50 µs to each sleep.
func precise(now func() int64) (Wait, func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it waits are a little later
	wait := func(stop <-chan struct{}, until int64) {
		for {
			d := time.Duration(until - now())
			switch {
			case d <= 0:
				return
			case d > 20*time.Millisecond: // far away: a timer, so that stop is seen at once
				t := time.NewTimer(d - 10*time.Millisecond)
				select {
				case <-t.C:
				case <-stop:
					t.Stop()
					return
				}
			case d > spin:
				ts := unix.NsecToTimespec(int64(d - spin))
				_ = unix.Nanosleep(&ts, nil) // interrupted early: the loop goes on
			}
		}
	}
	return wait, func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // 0 restores the default
		runtime.UnlockOSThread()
	}
}
