package loadgen

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spin is how long before an instant the wait stops sleeping and watches the clock.
	spin = 20 * time.Microsecond

	// maxMargin bounds the margin: on a machine that takes longer to wake a thread, sends are late.
	maxMargin = 100 * time.Microsecond

	// marginStep is how far one sleep moves the margin.
	marginStep = 2 * time.Microsecond
)

// A napper sleeps up to an instant, on the thread that it runs on. A thread is woken some time after the instant it asked
// for: some microseconds on a busy machine, up to a tenth of a millisecond where the core has to come out of a deep sleep. It asks for that much earlier: the median
// of what the last sleeps showed. So half of them end early, and spend the rest in spinning or in another short sleep. A fixed
// margin would be too short on one machine and most of the processor's time at high rates on another.
type napper struct {
	now    func() int64
	margin time.Duration
}

// until sleeps till the instant or, if that is far, till some part of the way there.
func (n *napper) until(at int64) {
	d := time.Duration(at - n.now())
	if d <= spin {
		return
	}
	asked := max(d-n.margin, 1)
	began := n.now()
	ts := unix.NsecToTimespec(int64(asked))
	_ = unix.Nanosleep(&ts, nil) // interrupted early: the caller comes again
	if over := time.Duration(n.now()-began) - asked; over > n.margin {
		n.margin = min(n.margin+marginStep, maxMargin)
	} else {
		n.margin = max(n.margin-marginStep, 0)
	}
}

// precise returns a wait that ends within some tens of microseconds of the instant, on an idle
// machine, and what undoes its hold on the calling goroutine's thread. A timer of the runtime
// would be half a millisecond late on average. The thread's timer slack is lowered, since
// the kernel otherwise adds 50 µs to each sleep.
func precise(now func() int64) (Wait, func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it waits are a little later
	n := napper{now: now}
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
			default:
				n.until(until)
			}
		}
	}
	return wait, func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // 0 restores the default
		runtime.UnlockOSThread()
	}
}
