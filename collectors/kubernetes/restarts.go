package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// Restarts that have no instant
//
// A pod counts how often its container was started again and keeps its last exit alone. The runs of a container are numbered by that count, and those that were seen
// tell between which instants the others ended: after what is known of the run before them, and before what is known of the one after.

// A serviceRun is one run of a pod's serving container, as far as it was seen. Unix ns; 0 where it is not known.
type serviceRun struct{ begin, alive, end int64 }

// runs learns of the present run of the serving container, and of the one before it.
func (d *Decoder) runs(p *pod, c *containerStatus) {
	if p.runs == nil {
		p.runs = map[int64]*serviceRun{}
	}
	of := func(n int64) *serviceRun {
		r := p.runs[n]
		if r == nil && len(p.runs) < maxRuns {
			r = &serviceRun{}
			p.runs[n], p.counted = r, false
		}
		if r == nil {
			r = &serviceRun{} // of more than are kept
		}
		return r
	}
	over := func(n int64, t *terminated) {
		if t == nil || n < 0 || ns(t.Finished) == 0 {
			return
		}
		r := of(n)
		r.begin, r.end = cmp.Or(ns(t.Started), r.begin), ns(t.Finished)
	}
	n := c.Restarts
	before := n - 1
	switch {
	case c.State.Running != nil:
		r := of(n)
		r.begin, r.alive = cmp.Or(ns(c.State.Running.Started), r.begin), max(r.alive, d.now)
	case c.State.Terminated != nil:
		over(n, c.State.Terminated)
	default: // it waits: what ended last is the present run
		before = n
	}
	over(before, c.Last.Terminated)
}

// maxRuns bounds the runs of one container that are kept.
const maxRuns = 10_000

// restarts tells of the runs that nobody saw, as far as it has not.
func (d *Decoder) restarts() {
	for _, id := range slices.Sorted(maps.Keys(d.pods)) {
		if p := d.pods[id]; !p.counted && len(p.runs) > 0 {
			p.counted = true
			d.restarted(p)
		}
	}
}

func (d *Decoder) restarted(p *pod) {
	next := int64(0)                      // number of the first run that is not accounted for
	lo, open := p.created, p.created == 0 // it ended after that
	for _, n := range slices.Sorted(maps.Keys(p.runs)) {
		r := p.runs[n]
		if count := n - next; count > 0 {
			hi := cmp.Or(r.begin, r.end, r.alive, d.now)
			e := assay.Event{Time: hi, Resolution: max(second, hi-lo), Kind: assay.EventInstanceRestarted, Text: "a pod tells of its last exit alone",
				Attrs: map[string]string{"count": strconv.FormatInt(count, 10)}}
			if open {
				e.Resolution, e.Attrs["open"] = second, "true"
			}
			if key := fmt.Sprintf("restarted %d %d", next, n); !d.told[p.id+" "+key] {
				d.tell(p, key, e)
				d.hidden += count
			}
		}
		next, open = n, false
		if lo = max(r.begin, r.alive); r.end != 0 {
			next, lo = n+1, r.end
		}
	}
}
