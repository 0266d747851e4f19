package loadgen

import (
	"context"
	"time"
)

// A flight is the context of one request that the generator sends, and how the generator and a client agree that nobody waits
// for its answer. A client that knows nothing of it sees a context like any other.
//
// A request that a worker does costs two handovers from thread to thread before it is on the wire, and they cost more than the request
// itself. So where a connection is idle, the pacing goroutine writes the request there itself, and the goroutine that waits
// for what comes in on that connection does the rest.
type flight struct {
	context.Context           // of all requests of the run, or with the deadline where a worker waits
	deadline        time.Time // of a request that is to be launched

	launch bool   // write the request now if that takes no waiting, and return at once
	land   func() // called once, on another goroutine, when a request that was launched has ended

	poll *poller // of the pacing goroutine, for answers in one piece; nil: there is none
	man  bool    // give a connection that was opened for this request a goroutine of its own, for those to come

	able  bool // set by a client that can launch, whether or not it was to
	aloft bool // the request was launched
}

// Deadline implements context.Context.
func (f *flight) Deadline() (time.Time, bool) {
	if f.launch {
		return f.deadline, true
	}
	return f.Context.Deadline()
}

// Err implements context.Context. Done does not tell of the deadline of a launched request: its connection does.
func (f *flight) Err() error {
	if err := f.Context.Err(); err != nil || !f.launch || time.Now().Before(f.deadline) {
		return err
	}
	return context.DeadlineExceeded
}
