package loadgen

import "time"

// Active is the phase that runs now.
type Active struct {
	Name  string
	Role  string
	Begin int64
	End   int64 // as planned
	Rate  float64
}

// Live is how the load stands. Counters only grow.
type Live struct {
	Phase      *Active // nil before, between and after the phases
	Sent       int64   // handed to a worker
	Done       int64   // ended, however
	InFlight   int64
	Refused    int64 // by the cap, or because the generator was late
	Unrecorded int64
	LateP50    time.Duration // of the sends, from due to the first write
	LateP99    time.Duration
	LateMax    time.Duration
}

// Live returns the counters; it may be called at any time from any goroutine.
func (g *Generator) Live() Live {
	return Live{Phase: g.phase.Load(), Sent: g.sent.Load(), Done: g.done.Load(), InFlight: g.inFlight.Load(), Refused: g.refused.Load(),
		Unrecorded: g.lost.Load(), LateP50: g.lateness.quantile(0.5), LateP99: g.lateness.quantile(0.99), LateMax: time.Duration(g.lateness.max.Load())}
}

// Unrecorded returns how many records could not be emitted.
func (g *Generator) Unrecorded() int64 { return g.lost.Load() }

// SearchPath returns what each step of the searches showed, in order.
func (g *Generator) SearchPath() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.path...)
}
