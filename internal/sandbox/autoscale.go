package sandbox

import (
	"context"
	"sync/atomic"
	"time"
)

// An autoscaler decides at each tick how many instances are wanted, and at once when a request
// waits while none is wanted.
type autoscaler struct {
	cfg    Config
	pool   *pool
	events *eventLog
	scale  func(want int, reason string)

	poke chan struct{}      // a request waits and no instance is ready
	cold chan chan struct{} // asks for no instance now; closed when that is decided
	last atomic.Pointer[scaling]

	// Owned by run.
	state     KPAState
	want      int
	reached   bool  // the initial scale has been ready
	active    int64 // ns: since when the deployment has been active
	zeroSince int64 // ns: since when no instance would do; 0 when some are needed
}

// scaling is what the last decision rested on, for metrics.
type scaling struct {
	want      int
	panicking bool
	look      look
}

func newAutoscaler(cfg Config, p *pool, events *eventLog, scale func(int, string)) *autoscaler {
	a := &autoscaler{cfg: cfg, pool: p, events: events, scale: scale, poke: make(chan struct{}, 1), cold: make(chan chan struct{}), reached: cfg.InitialScale == 0}
	a.last.Store(&scaling{})
	return a
}

// wake asks for a decision now. It does not block.
func (a *autoscaler) wake() {
	select {
	case a.poke <- struct{}{}:
	default:
	}
}

// run decides until ctx is done.
func (a *autoscaler) run(ctx context.Context) {
	start := time.Now()
	a.state = StartKPA(start.UnixNano(), 0)
	if want := max(a.cfg.InitialScale, a.cfg.MinScale); want > 0 {
		a.apply(start, want, startInitial, look{}, false)
	}
	tick := time.NewTicker(a.cfg.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.poke:
			if a.want == 0 {
				now := time.Now()
				l := a.pool.look(now, a.cfg.StableWindow, a.cfg.PanicWindow)
				a.zeroSince = 0
				a.apply(now, max(1, a.cfg.ActivationScale, a.cfg.MinScale), startFromZero, l, false)
			}
		case decided := <-a.cold:
			a.chill(time.Now())
			close(decided)
		case <-tick.C:
			now := time.Now()
			l := a.pool.look(now, a.cfg.StableWindow, a.cfg.PanicWindow)
			want, panicking := a.decide(now.UnixNano(), l)
			a.apply(now, want, "", l, panicking)
		}
	}
}

// chill decides for no instance and forgets the load that was: else its average would call for instances at the next tick. A request
// that waits wakes the deployment again.
func (a *autoscaler) chill(now time.Time) {
	a.pool.forget(now)
	a.state, a.zeroSince, a.reached = StartKPA(now.UnixNano(), 0), 0, true
	l := a.pool.look(now, a.cfg.StableWindow, a.cfg.PanicWindow)
	if a.apply(now, 0, exitForced, l, false); a.want == 0 {
		a.scale(0, exitForced) // at zero already: what is started next is still forced
	}
	if l.queued > 0 {
		a.wake()
	}
}

// decide returns how many instances are wanted within the bounds of the deployment.
func (a *autoscaler) decide(now int64, l look) (want int, panicking bool) {
	var d Decision
	d, a.state = Decide(a.cfg.kpa(), a.state, Observation{Time: now, Ready: l.ready, Stable: l.stable, Panic: l.panic})
	want = min(max(d.Desired, a.cfg.MinScale), a.cfg.MaxScale)
	if !a.reached {
		// What it begins with is brought up before load has a say in making it less.
		if l.ready >= a.cfg.InitialScale {
			a.reached, a.active = true, now
		}
		want = max(want, a.cfg.InitialScale)
	}
	if want > 0 {
		a.zeroSince = 0
		return want, d.Panicking
	}
	if a.cfg.KeepLast {
		return 1, d.Panicking
	}
	if a.want == 0 {
		return 0, d.Panicking
	}
	// The last ones go only after a stable window of activity and, from then on, the grace period without load.
	if now-a.active < int64(a.cfg.StableWindow) {
		return 1, d.Panicking
	}
	if a.zeroSince == 0 {
		a.zeroSince = now
	}
	if now-a.zeroSince < int64(a.cfg.Grace) {
		return a.want, d.Panicking
	}
	return 0, d.Panicking
}

// apply makes a decision known. Without a reason, the direction of the change gives it.
func (a *autoscaler) apply(now time.Time, want int, reason string, l look, panicking bool) {
	a.last.Store(&scaling{want, panicking, l})
	if want == a.want {
		return
	}
	if reason == "" {
		switch {
		case want == 0:
			reason = "scale_to_zero"
		case want < a.want:
			reason = exitScaleIn
		case a.want == 0:
			reason = startFromZero
		default:
			reason = startOut
		}
	}
	if a.want == 0 {
		a.active = now.UnixNano()
	}
	a.want = want
	a.events.add(scaleEvent(now, want, l, panicking, reason))
	a.scale(want, reason)
}
