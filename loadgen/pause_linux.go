package loadgen

import (
	"golang.org/x/sys/unix"
)

// nap returns at the instant until, which is less than a few milliseconds away. It sleeps in the kernel: a timer of the runtime would be
// half a millisecond late on average.
func nap(now func() int64, until int64) {
	for {
		d := until - now()
		if d <= 0 {
			return
		}
		ts := unix.NsecToTimespec(d)
		_ = unix.Nanosleep(&ts, nil) // interrupted early: the loop goes on
	}
}
