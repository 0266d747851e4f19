package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/soak"
	"github.com/assay-dev/assay/internal/stat"
)

// soakPeriod is how often a soak is looked at. By the test's own lines it does not matter how often that is.
const soakPeriod = 250 * time.Millisecond

// A soaking is a load phase that ends when its test is decided.
type soaking struct {
	phase     string
	objective assay.Objective
	test      stat.Sequential
	seen      *facts.Soak
	lag       time.Duration // after which no request is open any more
	decided   atomic.Int64  // run time at which it was; 0 before
}

// soakPhases makes the soak of a plan that has one: the end of its last phase is when the test is decided.
func (s *session) soakPhases() {
	i := s.plan.Soak()
	if i < 0 {
		return
	}
	for _, o := range s.objectives {
		if o.Test == nil {
			continue
		}
		k := &soaking{phase: s.plan.Load[i].Name, objective: o, test: soak.Test(o), lag: s.plan.Target.Deadline.D() + time.Second}
		s.phases[i].Until = func(int64) int64 {
			if at := k.decided.Load(); at != 0 {
				return at
			}
			return math.MaxInt64
		}
		s.soak = k
	}
}

// begin makes ready for the records of a run.
func (k *soaking) begin(m *assay.Manifest, planned []assay.Phase) {
	if k != nil {
		k.seen = facts.NewSoak(m, planned, k.test.Sure())
	}
}

// observe takes a record.
func (k *soaking) observe(r assay.Record) {
	if k != nil {
		k.seen.Observe(r)
	}
}

// run looks at the soak until it is decided or ctx is done.
func (k *soaking) run(ctx context.Context, s *session) {
	tick := time.NewTicker(soakPeriod)
	defer tick.Stop()
	var idle, ended int64 // when nothing was in flight at the look before; the instant before which all requests have ended
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// What was idle at one look has been recorded at the next.
		now := s.clock.Now()
		ended = max(ended, idle, now-int64(k.lag))
		if s.load().InFlight == 0 {
			idle = now - int64(soakPeriod)
		}
		stop := k.seen.Look(ended)
		if stop.Decision == stat.Open {
			continue
		}
		word := map[stat.Decision]string{stat.Accepted: "accepted", stat.Rejected: "rejected"}[stop.Decision]
		at := s.clock.Now()
		k.decided.Store(at)
		s.emit(&assay.Event{Time: at, Kind: assay.EventDecided, Source: "soak", Phase: k.phase,
			Text:  fmt.Sprintf("the soak is decided: an MTBF of %s against %s is %s after %s of up time with %d failures", brief(k.test.Good), brief(k.test.Bad), word, brief(stop.At), stop.Failures),
			Attrs: map[string]string{"decision": word, "up_ns": strconv.FormatInt(int64(stop.At*1e9), 10), "failures": strconv.Itoa(stop.Failures)}})
		return
	}
}

// brief writes seconds for a sentence.
func brief(s float64) string {
	d := time.Duration(s * 1e9)
	if d > time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
