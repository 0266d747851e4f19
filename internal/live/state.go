package live

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A State is what holds at one instant, for those who show it.
type State struct {
	Now        int64         // run time
	Total      time.Duration // planned length, 0 if not known
	Phase      string        // "" between phases
	Role       string
	Ended      bool          // no request will be sent any more
	Over       time.Duration // the window of Rate, ErrorRatio and TTFT
	Rate       float64       // requests sent per second
	Offered    float64       // requests per second asked for by the plan; 0 if none
	InFlight   int           // -1 if not known
	Requests   int64         // ended so far, refused ones included
	Failed     int64         // of them
	Refused    int64         // of them, by our own cap
	ErrorRatio float64       // NaN without a judged request
	Judged     int           // requests that ErrorRatio rests on
	TTFT       float64       // p95 in seconds, NaN without a served request
	Served     int           // requests that TTFT rests on
	Ready      int           // instances
	Starting   int
	Desired    int // -1 if not known
	Faults     []Fault
	Spans      int64
	Warnings   int64
}

// Over is the window that State looks at.
const Over = 10 * time.Second

// State returns what holds now.
func (w *Window) State(now int64) State {
	s := State{Now: now, Total: w.o.Total, Over: Over, InFlight: -1, Spans: w.spans.Load(), Refused: w.refused.Load()}
	s.Rate = w.Rate(Over, now)
	if w.o.InFlight != nil {
		s.InFlight = w.o.InFlight()
	}
	if w.o.Offered != nil {
		s.Offered = w.o.Offered()
	}
	s.ErrorRatio, s.Judged = w.ErrorRatio(Over, now)
	s.TTFT, s.Served = w.Quantile(TTFT, 0.95, Over, now)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
	s.Requests, s.Failed = w.total.requests, w.total.failed
	s.Ended, s.Desired, s.Warnings = w.ended, w.desired, w.warnings
	if w.current != nil {
		s.Phase, s.Role = w.current.name, w.current.role
		if w.o.Offered == nil {
			s.Offered = w.current.rate
		}
	}
	for _, state := range w.instances {
		switch state {
		case ready:
			s.Ready++
		case starting:
			s.Starting++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.faults)) {
		if f := *w.faults[id]; f.State != "" {
			s.Faults = append(s.Faults, f)
		}
	}
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(a.Since, b.Since) })
	return s
}

// Instances returns how many instances are in each state.
func (w *Window) Instances() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int)
	for _, state := range w.instances {
		out[state]++
	}
	return out
}

// Outcomes returns how many requests ended in each way so far.
func (w *Window) Outcomes() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int64)
	for _, p := range w.phases {
		for o, n := range p.outcomes {
			if n > 0 {
				out[outcomeNames[o]] += n
			}
		}
	}
	return out
}
