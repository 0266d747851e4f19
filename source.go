package assay

import (
	"context"
	"errors"
)

// ErrFull is what emit returns where the record was not taken since the disk does not keep up. It was counted; later ones may be taken.
var ErrFull = errors.New("the disk does not keep up: record dropped")

// A Source emits records until ctx is done or it has nothing more to say.
//
// Run blocks. It returns nil when ctx is done, and an error only for what makes
// the source useless. It may call emit from several goroutines at once and never
// calls it after it has returned. An error from emit may be passed on as
// back-pressure by an intake; a load generator never waits for emit: what it
// could not record it counts, and the run is invalid. Run is called once.
type Source interface {
	Run(ctx context.Context, emit func(Record) error) error
}

// A Call is one inference about to be made: everything the client needs and the
// record must not hold.
type Call struct {
	Model     string
	Prompt    string
	MaxTokens int
	Stream    bool
	Headers   [][2]string // traceparent, run id, authorization
	Seed      uint64
	Greedy    bool // ask for the likeliest answer (temperature 0), where the protocol has a way to: the same prompt is to give the same answer
}

// A Client performs one call and fills in what it saw: Sent and all later
// instants, outcome, status, tokens and bytes. ID, Due, Phase, Class, Attempt and the trace
// are set by the caller. Failures of any kind are outcomes, not errors. Do is
// called from many goroutines at once, honours ctx as the request's deadline, and
// does not keep r.
type Client interface {
	Do(ctx context.Context, c *Call, r *Request)
}
