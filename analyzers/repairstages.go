package analyzers

import (
	"cmp"
	"sort"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// mostRepairs bounds the natural failures that are told one by one.
const mostRepairs = 1000

// A mending is a natural failure of the service while its end is verified.
type mending struct {
	e        *assay.Episode
	good     int
	verified int64 // due of the good request that makes it sure; 0 if none was seen
}

// mendings returns those of a run, in order.
func mendings(f *assay.Facts) (out []mending) {
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.Service && e.Ledger == assay.Natural && len(out) < mostRepairs {
			out = append(out, mending{e: e})
		}
	}
	return out
}

// verify takes the next request, in order of Due.
func verify(of *assay.Manifest, ms []mending, next int, leave int, r *assay.Request) int {
	for next < len(ms) && (ms[next].verified != 0 || next+1 < len(ms) && r.Due >= ms[next+1].e.Begin) {
		next++
	}
	if next == len(ms) || r.Canary || r.Forced || r.Due < ms[next].e.EndHi || !of.Judged(r.Outcome) {
		return next
	}
	m := &ms[next]
	if of.Failed(r.Outcome) {
		m.good = 0
		return next
	}
	if m.good++; m.good >= leave {
		m.verified = r.Due
	}
	return next
}

// repair cuts a natural failure into its stages. What the platform did for users that were already well again took no time from them; where nothing of it fell into the
// failure, nobody knows what part of it was detection, and none is told.
func repair(f *assay.Facts, m *mending, cause string) assay.Repair {
	e := m.e
	x := assay.Repair{Begin: e.Begin, Cause: cause}
	open := e.Begin - e.BeginLo
	const (
		down  = "from the first lost request to the first good one of those that end it; interval: from the last good one before"
		total = "from the first lost request until so many were good in a row; interval: from the last good one before"
	)
	part := func(v, above int64, method string) assay.Quantity {
		return stretch(v, v, v+above, 1, "failure", method)
	}
	detect, isolate := reacted(f, e)
	ended := max(e.Begin, e.EndHi)
	seen := detect != 0 && detect <= ended
	if isolate == 0 || isolate > ended {
		isolate = ended
	}
	if !seen {
		because := "no reaction of the platform was seen in it"
		if len(f.Lives) == 0 {
			because = "nothing told how the platform reacted"
		}
		no := assay.NotMeasured(assay.Seconds, because)
		x.Detect, x.Isolate, x.Restore = no, no, no
	} else {
		x.Detect, x.Isolate = part(detect-e.Begin, open, "to the platform's first reaction"), part(isolate-detect, 0, "until an instance was out of routing")
	}
	if e.RightCensored {
		x.Down, x.Total = atLeast(ended-e.Begin, 1, "failure", down), atLeast(ended-e.Begin, 1, "failure", total)
		if seen {
			x.Restore = atLeast(ended-isolate, 1, "failure", "until requests were good again")
		}
		x.Verify = assay.NotMeasured(assay.Seconds, "it had not ended when last seen")
		return x
	}
	x.Down = part(ended-e.Begin, open, down)
	if m.verified == 0 {
		m.verified = ended // the load ended first
		x.Verify = assay.NotMeasured(assay.Seconds, "the load ended before so many were good in a row")
	} else {
		x.Verify = part(m.verified-ended, 0, "until so many were good in a row that it is over")
	}
	if seen {
		x.Restore = part(ended-isolate, 0, "until requests were good again")
	}
	x.Total = part(m.verified-e.Begin, open, total)
	return x
}

// reacted returns when the platform first reacted to a failure of the service, and when it first took an instance out of routing; not before the first lost request, and 0 where it did not.
func reacted(f *assay.Facts, e *assay.Episode) (detect, isolate int64) {
	from := e.BeginLo - facts.Probe(f.Manifest)
	for i := sort.Search(len(f.Events), func(i int) bool { return f.Events[i].Time >= from }); i < len(f.Events); i++ {
		ev := &f.Events[i]
		if ev.Time > e.EndHi || isolate != 0 {
			break
		}
		out := false
		switch ev.Kind {
		case assay.EventInstanceProbe:
			if ev.Attrs["ok"] == "true" {
				continue
			}
		case assay.EventInstanceCreated:
			if ev.Attrs["reason"] != "replace" {
				continue
			}
		case assay.EventInstanceUnready, assay.EventInstanceEjected, assay.EventInstanceExited:
			out = true
		default:
			continue
		}
		at := max(ev.Time, e.Begin)
		if detect = cmp.Or(detect, at); out {
			isolate = at
		}
	}
	return detect, isolate
}
