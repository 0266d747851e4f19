package loadgen

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spin is how long before an instant the wait stops sleeping and watches the clock.
	spin = 10 * time.Microsecond

	// maxMargin bounds the margin: on a machine that takes longer to wake a thread, sends are late.
	maxMargin = 100 * time.Microsecond

	// How far one sleep moves the margin. By their ratio it settles where a quarter of the sleeps end early.
	marginUp   = 500 * time.Nanosecond
	marginDown = 3 * marginUp

	// look is how often answers are looked for while the sends are behind.
	look = 100 * time.Microsecond
)

// A pacer is the wait of the pacing goroutine, on a thread of its own. Sleeping it also looks after the answers to the requests that were launched there, if
// it has a poller.
//
// A thread is woken some time after the instant it asked for: some microseconds on a busy machine, up to a tenth of a
// millisecond where the core has to come out of a deep sleep. It asks for that much earlier: the lower quartile of what the last
// sleeps showed. So a quarter of them end early, and spend the rest in a short spin or another sleep. A fixed margin would be too
// short on one machine and most of the processor's time at high rates on another.
type pacer struct {
	now    func() int64
	poll   *poller
	margin time.Duration
	looked int64 // when answers were last looked for
}

// wait is the pacer's Wait.
func (p *pacer) wait(stop <-chan struct{}, until int64) {
	for {
		now := p.now()
		d := time.Duration(until - now)
		switch {
		case d <= 0:
			if p.poll.waiting() && now-p.looked > int64(look) {
				p.poll.look(0)
				p.looked = now
			}
			return
		case d > 20*time.Millisecond && p.poll.waiting():
			p.poll.look(5 * time.Millisecond)
			select {
			case <-stop:
				return
			default:
			}
		case d > 20*time.Millisecond: // far away: a timer, so that stop is seen at once
			t := time.NewTimer(d - 10*time.Millisecond)
			select {
			case <-t.C:
			case <-stop:
				t.Stop()
				return
			}
		case d > spin:
			p.sleep(d, now)
		}
	}
}

// sleep sleeps for most of d, or until an answer has come.
func (p *pacer) sleep(d time.Duration, began int64) {
	asked := max(d-p.margin, 1)
	if p.poll.waiting() {
		p.looked = began
		if p.poll.look(asked) {
			return
		}
	} else {
		ts := unix.NsecToTimespec(int64(asked))
		_ = unix.Nanosleep(&ts, nil) // interrupted early: the caller comes again
	}
	if over := time.Duration(p.now()-began) - asked; over > p.margin {
		p.margin = min(p.margin+marginUp, maxMargin)
	} else {
		p.margin = max(p.margin-marginDown, 0)
	}
}

// precise returns a wait that ends within some tens of microseconds of the instant, on an idle
// machine, and what undoes its hold on the calling goroutine's thread. A timer of the runtime
// would be half a millisecond late on average. The thread's timer slack is lowered, since
// the kernel otherwise adds 50 µs to each sleep.
func precise(now func() int64, poll *poller) (Wait, func()) {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // without it waits are a little later
	p := &pacer{now: now, poll: poll}
	return p.wait, func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) // 0 restores the default
		runtime.UnlockOSThread()
	}
}
