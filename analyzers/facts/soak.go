package facts

import (
	"cmp"
	"slices"
	"sync"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// A Soak follows a run while it goes on, and puts its natural failures to a sequential test. Failures and up time are found as they are for the report: by the same detector, rules and
// states. It looks only at requests before which none is open any more, so that what it has seen does not change, and takes no good time for granted that a failure
// still to come could make part of an episode. All methods may be called at once.
type Soak struct {
	Manifest *assay.Manifest
	Test     stat.Sequential // in s

	mu       sync.Mutex
	begun    bool
	f        assay.Facts
	rules    Rules
	waiting  []assay.Request // that have ended, not yet taken since others before them may be open
	done     int64           // requests due until here were taken
	first    int64
	load     *Detector
	canaries *canaries
	watch    Watch
}

// NewSoak returns a soak of a run whose phases are planned with their roles and rates.
func NewSoak(m *assay.Manifest, planned []assay.Phase, test stat.Sequential) *Soak {
	s := &Soak{Manifest: m, Test: test, rules: RulesOf(m, planned)}
	s.load, s.canaries, s.watch = NewDetector(s.rules, nil), newCanaries(m, nil), Watch{Silence: s.rules.Silence}
	return s
}

// Observe takes a record. It keeps nothing of it.
func (s *Soak) Observe(r assay.Record) {
	switch r := r.(type) {
	case *assay.Event:
		if r.Kind != assay.EventPhaseBegin && r.Kind != assay.EventPhaseEnd {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.f.Events = append(s.f.Events, *r)
	case *assay.Request:
		if !r.Outcome.Judged() && !r.Canary {
			return
		}
		q := assay.Request{Due: r.Due, FirstByte: r.FirstByte, End: r.End, Outcome: r.Outcome, Canary: r.Canary, Forced: r.Forced}
		if n := len(r.Arrivals); n > 0 {
			q.FirstByte = max(q.FirstByte, r.Arrivals[n-1]) // its last sign of progress, by which it stands
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting = append(s.waiting, q)
	}
}

// Look returns how far the test has come, now that all requests due until an instant have ended.
func (s *Soak) Look(until int64) stat.Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(until)
	f := &s.f
	f.Manifest, f.Phases = s.Manifest, phases(f.Events)
	f.Begin, f.End = 0, 0
	watched(f, s.first, 0)
	f.End = max(s.done, f.Begin)
	for i := range f.Phases {
		if p := &f.Phases[i]; p.End == 0 || p.End > f.End || p.End <= p.Begin {
			p.End = max(p.Begin, f.End)
		}
	}
	f.Segments = segments(f)
	f.Episodes = s.canaries.joined(s.load.So(f.End), s.canaries.detector.So(f.End))
	for i := range f.Episodes {
		f.Episodes[i].Ledger, f.Episodes[i].Fault = f.At(f.Episodes[i].Begin)
	}
	up := s.watch.States(f, assay.Natural)
	stop := s.Test.Walk(up.Ages(f), float64(up.Good)/float64(second))
	sure := min(f.End, s.load.sure(), s.canaries.detector.sure())
	if stop.Decision == stat.Accepted && stop.At > float64(up.Until(sure))/float64(second) {
		stop.Decision = stat.Open
	}
	return stop
}

// take hands over the requests due until an instant, in order.
func (s *Soak) take(until int64) {
	if until <= s.done {
		return
	}
	s.done = until
	slices.SortStableFunc(s.waiting, func(a, b assay.Request) int { return cmp.Compare(a.Due, b.Due) })
	n, _ := slices.BinarySearchFunc(s.waiting, until+1, func(r assay.Request, t int64) int { return cmp.Compare(r.Due, t) })
	for i := range s.waiting[:n] {
		r := &s.waiting[i]
		if s.first == 0 {
			s.first = r.Due
		}
		s.watch.Add(r)
		switch {
		case r.Canary:
			s.canaries.add(r)
		case !r.Forced:
			s.load.Add(r)
		}
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
}

// So returns the episodes as if the watch ended now, and goes on.
func (d *Detector) So(end int64) []assay.Episode {
	c := *d
	c.wait, c.recent, c.out = slices.Clone(d.wait), slices.Clone(d.recent), slices.Clone(d.out)
	if d.open != nil {
		open := *d.open
		c.open = &open
	}
	return c.Finish(end)
}

// sure returns the instant until which no failure to come can change what is known: the last success, or that before the first failure that an episode could still begin with.
func (d *Detector) sure() int64 {
	at := int64(1<<63 - 1)
	if !d.seen {
		return at
	}
	if d.open != nil {
		at = d.open.BeginLo
	} else {
		at = d.lastGood
		for i, v := range d.recent {
			if v.failed {
				at = d.recent[max(0, i-1)].at
				break
			}
		}
	}
	if len(d.wait) > 0 {
		at = min(at, d.wait[0].at)
	}
	return at
}
