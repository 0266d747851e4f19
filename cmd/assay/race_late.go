package main

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
)

// lateFrom is the pair from which on a race tells that its generator is late.
const lateFrom = 3

// lateShare is the share of sends above the limit that makes a run invalid: the limit is for p99.
const lateShare = 0.01

// lateSends counts what was sent to one side later than a run that counts may send.
type lateSends struct {
	sent, above int
	worst       time.Duration
}

func (l *lateSends) add(block []assay.Request) {
	limit := analyzers.LatenessLimit(&assay.Manifest{})
	for i := range block {
		if block[i].Sent == 0 {
			continue
		}
		l.sent++
		late := block[i].Sent - block[i].Due
		if late > limit {
			l.above++
		}
		l.worst = max(l.worst, time.Duration(late))
	}
}

// late says once, after a few pairs, that the generator is late, and reports whether no send of the budget that is left can make up for it.
func (r *race) late(pair int) bool {
	if pair < lateFrom {
		return false
	}
	limit := time.Duration(analyzers.LatenessLimit(&assay.Manifest{}))
	for _, side := range r.sides {
		l := &side.late
		if l.above < 2 || float64(l.above) <= lateShare*float64(l.sent) {
			continue
		}
		if !r.told {
			r.told = true
			fmt.Fprintf(r.io.err, "late: %d of the %d requests to %s were sent more than %v after they were due, at worst %v; above %g %% of them the race is invalid (exit %d), whatever it shows. Give this machine less to do, or lower --rate\n",
				l.above, l.sent, side.plan.Target.URL, limit, l.worst.Round(10*time.Microsecond), 100*lateShare, assay.ExitInvalid)
		}
		if most := float64(l.sent) * float64(r.judge.Settings.Most) / float64(pair); float64(l.above) > lateShare*1.5*most+2 { // blocks differ in length by chance
			return true
		}
	}
	return false
}
