//go:build !linux

package loadgen

import (
	"runtime"
	"time"
)

// precise returns a wait for a locked thread: timers until shortly before the instant, then a short spin.
func precise(now func() int64, _ *poller) (Wait, func()) {
	runtime.LockOSThread()
	wait := func(stop <-chan struct{}, until int64) {
		for {
			d := time.Duration(until - now())
			switch {
			case d <= 0:
				return
			case d > 1200*time.Microsecond:
				t := time.NewTimer(d - 1100*time.Microsecond)
				select {
				case <-t.C:
				case <-stop:
					t.Stop()
					return
				}
			default:
				runtime.Gosched()
			}
		}
	}
	return wait, runtime.UnlockOSThread
}
