package loadgen

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// Retry repeats a request that ended in one of some outcomes, as the clients of a service do. Each attempt is a record of its own:
// it shares the id of the first, counts its attempts from 0, and has a trace of its own. A later attempt is due when its backoff has ended and has no
// schedule: its lateness is not the generator's. It takes a place in flight and from the budget like any other
// request, so that retries cannot push the load beyond its cap; one that finds no place is recorded as refused and ends the
// chain. The place is given back during the backoff.
//
// For a search, a closed loop and a session, the request is the whole chain: it is served if its last attempt was, and took from
// the first due on. The canary and forced cold starts are not repeated.
type Retry struct {
	Attempts   int             // of a request, the first included
	On         []assay.Outcome // that are tried again; nil: DefaultRetryOn
	Backoff    time.Duration   // before the second attempt; 0: 200 ms
	Factor     float64         // of each further backoff to the one before; 0: 2
	Max        time.Duration   // of one backoff; 0: 10 s
	RetryAfter bool            // wait at least as long as the target asks; a request that is asked to wait longer than Max is given up
}

// DefaultRetryOn are the outcomes that are tried again unless a plan says otherwise: the target did not begin to answer.
var DefaultRetryOn = []assay.Outcome{assay.Throttled, assay.Loading, assay.Unavailable, assay.Refused, assay.Reset}

// filled returns a copy with the defaults set.
func (r *Retry) filled() (*Retry, error) {
	if r == nil {
		return nil, nil
	}
	f := *r
	if f.On == nil {
		f.On = DefaultRetryOn
	}
	fill(&f.Backoff, 200*time.Millisecond)
	fill(&f.Factor, 2)
	fill(&f.Max, 10*time.Second)
	switch {
	case f.Attempts < 2 || f.Attempts > 100:
		return nil, fmt.Errorf("retry with %d attempts: want 2 to 100", f.Attempts)
	case f.Backoff < 0 || f.Max < f.Backoff:
		return nil, fmt.Errorf("retry after %v, at most %v: want 0s or more, and at most max", f.Backoff, f.Max)
	case !(f.Factor >= 1) || math.IsInf(f.Factor, 0):
		return nil, fmt.Errorf("retry with factor %g: want 1 or more", f.Factor)
	}
	for _, o := range f.On {
		if !o.Failed() && o != assay.Throttled {
			return nil, fmt.Errorf("retry on %v: want outcomes that speak of the target", o)
		}
	}
	if len(f.On) == 0 {
		return nil, errors.New("retry on nothing: want at least one outcome")
	}
	return &f, nil
}

// after returns how long to wait after r before the next attempt; false when there is to be none.
func (r *Retry) after(q *assay.Request) (time.Duration, bool) {
	if r == nil || int(q.Attempt)+1 >= r.Attempts || !slices.Contains(r.On, q.Outcome) {
		return 0, false
	}
	wait := min(r.Max, time.Duration(min(float64(r.Max), float64(r.Backoff)*math.Pow(r.Factor, float64(q.Attempt)))))
	if r.RetryAfter && q.RetryAfter > 0 {
		wait = max(wait, time.Duration(q.RetryAfter))
	}
	return wait, wait <= r.Max
}

// send sends one request, which has its place in flight, again where the plan says so, and records each attempt. What w.r then says of
// instants and outcome, those of the last attempt, stays until the next.
func (w *worker) send(g *Generator, j job) {
	w.try(g, j)
	w.again(g, j)
}

// again sends further attempts of a request after w.r, the first.
func (w *worker) again(g *Generator, j job) {
	first := j.due
	j.man = false // a worker waits for it in any case: it uses the connections of all
	for {
		wait, again := g.cfg.Retry.after(&w.r)
		if !again {
			break
		}
		j.due, j.loose, j.attempt = w.r.End+int64(wait), true, w.r.Attempt+1
		if g.pause(j.due); g.stopping() || !g.allowed() {
			break
		}
		if !g.reserve() {
			g.refused.Add(1)
			g.prepare(&w.r, j)
			w.r.Outcome, w.r.Error, w.r.End = assay.RefusedByCap, capReached, g.cfg.Clock.Now()
			g.record(&w.r)
			break
		}
		if !g.spend(j.r.in, j.r.out) {
			g.inFlight.Add(-1)
			break
		}
		w.try(g, j)
	}
	if s := j.s.step; s != nil {
		due := w.r.Due
		w.r.Due = first
		s.end(&w.r)
		w.r.Due = due
	}
}
