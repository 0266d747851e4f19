package vision

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

var (
	errStopped   = errors.New("the worker is stopping")
	errQueueFull = errors.New("the queue is full")
)

// A wait is why a request waits; at any instant it waits for one reason.
type wait uint8

const (
	waitStep   wait = iota // for the running pass to end
	waitBatch              // because the batch was full
	waitWindow             // for company
	waits
)

// String returns the wait.reason of a span. A full batch has the name that the other engine gives it.
func (w wait) String() string { return [waits]string{"step", "max_seqs", "batch_window"}[w] }

// A request is the images of one call. The batcher owns its fields until it closes done; then they are the handler's
// to read. Only gone may be set meanwhile.
type request struct {
	images [][]float32
	scores [][]float32 // of each image, once it has been computed
	done   chan struct{}
	gone   atomic.Bool

	taken     int // images that are or were in a pass
	computed  int
	submitted int64
	since     int64 // begin of the present wait
	waiting   wait
	segments  []segment // what it waited for, without gaps
	first     int64     // begin of the first pass it was in; 0 when there was none
	last      int64     // end of the last one
	busy      int64     // sum of the forward passes it took part in
	batch     int       // most images that one of its passes held
	outcome   string
}

// Outcomes of a request.
const (
	outcomeOK        = "ok"
	outcomeCancelled = "cancelled" // its client went away
	outcomeAborted   = "aborted"   // the worker stopped first
	outcomeRefused   = "refused"   // never submitted
)

// enter notes that from an instant on the request waits for another reason.
func (q *request) enter(why wait, at int64) {
	if q.first == 0 && at > q.since {
		if n := len(q.segments); n > 0 && q.segments[n-1].why == q.waiting {
			q.segments[n-1].end = at
		} else {
			q.segments = append(q.segments, segment{q.waiting, q.since, at})
		}
		q.since = at
	}
	q.waiting = why
}

// A segment is one stretch of waiting for one reason, in Unix nanoseconds.
type segment struct {
	why        wait
	start, end int64
}

// queued returns the time from submission to the first pass.
func (q *request) queued() int64 { return q.since - q.submitted }

// A batcher runs passes over the images of all requests, in the order in which they came. Its fields belong to the
// goroutine of run, but for the mailbox behind mu and the atomics.
type batcher struct {
	maxBatch, maxQueue int
	window, overhead   time.Duration
	unix               func() int64
	forward            func(images, out [][]float32) float64
	classes            int
	meter              *worker.Meter
	observe            func(images int) // a pass ended

	queue       []*request
	images, out [][]float32 // of one pass
	of          []*request  // whose they are

	mu       sync.Mutex
	incoming []*request
	stopped  bool
	wake     chan struct{}

	waitingN, runningN atomic.Int64 // images
}

// submit queues a request. Its done is closed when it has ended.
func (b *batcher) submit(q *request) error {
	n := int64(len(q.images))
	if b.waitingN.Add(n) > int64(b.maxQueue) {
		b.waitingN.Add(-n)
		return errQueueFull
	}
	q.scores = make([][]float32, len(q.images))
	flat := make([]float32, len(q.images)*b.classes)
	for i := range q.scores {
		q.scores[i] = flat[i*b.classes : (i+1)*b.classes]
	}
	q.submitted = b.unix()
	q.since, q.done = q.submitted, make(chan struct{})
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		b.waitingN.Add(-n)
		return errStopped
	}
	b.incoming = append(b.incoming, q)
	b.mu.Unlock()
	b.poke()
	return nil
}

// cancel asks for a request to be dropped; its done is closed after the running pass.
func (b *batcher) cancel(q *request) {
	q.gone.Store(true)
	b.poke()
}

func (b *batcher) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run computes until ctx is done and then ends what is left.
func (b *batcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		b.collect()
		b.end(func(q *request) bool { return q.gone.Load() }, outcomeCancelled)
		if wait := b.patience(b.unix()); wait > 0 {
			b.idle(ctx, wait)
			continue
		}
		b.pass(ctx)
	}
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.collect()
	b.end(func(*request) bool { return true }, outcomeAborted)
}

// forever is the patience of an empty queue.
const forever = time.Duration(1<<63 - 1)

// patience returns how long to wait before the next pass: for the first request, or for company.
func (b *batcher) patience(at int64) time.Duration {
	if len(b.queue) == 0 {
		return forever
	}
	left := time.Duration(b.queue[0].submitted-at) + b.window
	if left <= 0 || b.queue[0].taken > 0 {
		return 0
	}
	n := 0
	for _, q := range b.queue {
		n += len(q.images) - q.taken
	}
	if n >= b.maxBatch {
		return 0
	}
	for _, q := range b.queue {
		q.enter(waitWindow, at)
	}
	return left
}

// idle waits until something changes.
func (b *batcher) idle(ctx context.Context, d time.Duration) {
	var timeout <-chan time.Time
	if d != forever {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-b.wake:
	case <-timeout:
	case <-ctx.Done():
	}
}

// collect takes in what was submitted.
func (b *batcher) collect() {
	b.mu.Lock()
	b.queue = append(b.queue, b.incoming...)
	clear(b.incoming)
	b.incoming = b.incoming[:0]
	b.mu.Unlock()
}

// end ends all requests that match and gives them to their handlers.
func (b *batcher) end(match func(*request) bool, outcome string) {
	at := b.unix()
	b.queue = slices.DeleteFunc(b.queue, func(q *request) bool {
		if !match(q) {
			return false
		}
		q.enter(q.waiting, at)
		b.waitingN.Add(int64(q.taken - len(q.images)))
		q.outcome = outcome
		close(q.done)
		return true
	})
}

// pass takes the next batch, computes it, and gives those that are complete to their handlers.
func (b *batcher) pass(ctx context.Context) {
	at := b.unix()
	b.take(at)
	if b.overhead > 0 && worker.Sleep(ctx, b.overhead) != nil {
		b.runningN.Store(0)
		return // its requests are ended as aborted
	}
	begin := b.unix()
	b.meter.Begin(begin)
	tensor := b.forward(b.images, b.out)
	end := b.unix()
	b.meter.End(end, tensor)
	b.runningN.Store(0)
	b.observe(len(b.images))
	var before *request
	for _, q := range b.of {
		q.computed++
		if q != before {
			q.last, q.busy, q.batch = end, q.busy+end-begin, max(q.batch, len(b.images))
		}
		before = q
	}
	b.end(func(q *request) bool { return q.computed == len(q.images) }, outcomeOK)
}

// take fills a batch from the front of the queue.
func (b *batcher) take(at int64) {
	clear(b.images)
	clear(b.out)
	clear(b.of)
	b.images, b.out, b.of = b.images[:0], b.out[:0], b.of[:0]
	for _, q := range b.queue {
		if len(b.images) == b.maxBatch {
			q.enter(waitBatch, at)
			continue
		}
		q.enter(q.waiting, at)
		if q.first == 0 {
			q.first = at
		}
		for q.taken < len(q.images) && len(b.images) < b.maxBatch {
			b.images, b.out, b.of = append(b.images, q.images[q.taken]), append(b.out, q.scores[q.taken]), append(b.of, q)
			q.taken++
		}
	}
	b.waitingN.Add(-int64(len(b.images)))
	b.runningN.Store(int64(len(b.images)))
}
