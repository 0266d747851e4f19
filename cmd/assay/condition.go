package main

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/live"
)

// How conditions are seen.
const (
	conditionPeriod = 20 * time.Millisecond // a cold start may be over in a second
	coldQuiet       = 10 * time.Second      // nothing was in flight for so long
	coldHeld        = time.Second           // and then a request has waited for so long
	fullPeriod      = 250 * time.Millisecond
	fullOver        = 5 * time.Second // what saturation is judged by
	fullLeast       = 20              // requests sent in it
	fullGrowth      = 0.2             // of them, by which the number in flight has grown
	fullShed        = 0.05            // of those that ended, that were shed
)

// seen waits until a condition is seen at or after the instant from.
//
// scale-from-zero: the platform's events show an instance that starts while none is ready. Where no events come, our own requests show it as far as they
// can: nothing was in flight for 10 s, or ever, and then a request has waited for 1 s without an answer.
//
// saturation: of at least 20 requests sent within 5 s a fifth or more stayed, in each half of that time, on top of what was in flight, while others were
// served; or at least a twentieth of as many that ended was shed, by the target (429) or by our own cap. So a search is saturated where it goes beyond the limit.
func (s *session) seen(ctx context.Context, when string, from int64) (int64, error) {
	var look func(now int64) bool
	period := conditionPeriod
	switch {
	case when == chaos.Saturation:
		var full fullWatch
		period = fullPeriod
		look = func(now int64) bool {
			l := s.load()
			return full.look(now, l.Sent, l.InFlight, s.window.Tally(fullOver, now))
		}
	case when == chaos.ColdStart && s.platform != nil:
		look = func(int64) bool { n := s.window.Instances(); return n["ready"] == 0 && n["starting"] > 0 }
	case when == chaos.ColdStart:
		cold := coldWatch{quiet: true}
		look = func(now int64) bool { l := s.load(); return cold.look(now, l.InFlight, l.Done) }
	default:
		return 0, fmt.Errorf("%q is no condition", when)
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		// What came before is looked at as well: a watch has to know it, but it does not count.
		if now := s.clock.Now(); look(now) && now >= from {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// A coldWatch sees in our own requests alone that the target starts from zero. quiet holds at first: nothing was ever sent.
type coldWatch struct {
	quiet      bool  // nothing was in flight for long enough
	idle, held int64 // since when nothing, or something, is in flight; 0: it is not
	done       int64
}

func (c *coldWatch) look(now, inFlight, done int64) bool {
	answered := done != c.done
	c.done = done
	switch {
	case inFlight == 0:
		c.held = 0
		if answered || c.idle == 0 {
			c.idle, c.quiet = now, c.quiet && !answered
		}
		c.quiet = c.quiet || now-c.idle >= int64(coldQuiet)
		return false
	case answered:
		c.idle, c.held, c.quiet = 0, 0, false
		return false
	case c.held == 0:
		c.idle, c.held = 0, now
	}
	return c.quiet && now-c.held >= int64(coldHeld)
}

// A fullWatch sees that more comes than is served.
type fullWatch struct{ marks []fullMark }

type fullMark struct{ at, sent, inFlight int64 }

func (f *fullWatch) look(now, sent, inFlight int64, t live.Tally) bool {
	f.marks = append(f.marks, fullMark{now, sent, inFlight})
	for len(f.marks) > 1 && f.marks[1].at <= now-int64(fullOver) {
		f.marks = f.marks[1:]
	}
	if t.Ended >= fullLeast && float64(t.Shed) >= fullShed*float64(t.Ended) {
		return true
	}
	// It must grow in both halves: requests that a start from zero held, and that are served now, have come in one of them.
	first, half := f.marks[0], f.marks[len(f.marks)/2]
	grows := func(a, b fullMark) bool { return float64(b.inFlight-a.inFlight) >= fullGrowth*float64(b.sent-a.sent) }
	last := fullMark{now, sent, inFlight}
	return now-first.at >= int64(fullOver)*9/10 && sent-first.sent >= fullLeast && t.Served > 0 && sent > half.sent && half.sent > first.sent &&
		grows(first, half) && grows(half, last)
}
