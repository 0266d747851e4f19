package engine

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

// A scheduler runs steps over a batch that changes continuously. Its fields belong to the goroutine of run,
// but for the mailbox behind mu and the atomics. Running
// sequences are kept in order of arrival, and every running one is older than every waiting
// one: only the youngest is ever preempted, and it returns to the front of the queue.
type scheduler struct {
	maxSeqs, stepTokens, maxQueue int
	overhead                      time.Duration
	unix                          func() int64 // the time in Unix nanoseconds, on the monotonic clock
	runner                        *runner
	meter                         *worker.Meter
	metrics                       *metrics
	scratch                       []float32

	waiting, running, batch []*sequence // batch: those in this step, beside chunks
	over                    []*sequence // ended, not yet given to their handlers
	chunks                  []chunk

	mu       sync.Mutex
	incoming []*sequence
	stopped  bool
	wake     chan struct{}

	queuedN, runningN, kvUsed atomic.Int64 // for metrics and admission
}

func newScheduler(c Config, r *runner, unix func() int64, mt *worker.Meter, ms *metrics) *scheduler {
	return &scheduler{maxSeqs: c.MaxSeqs, stepTokens: c.StepTokens, maxQueue: c.MaxQueue, overhead: c.StepOverhead,
		unix: unix, runner: r, meter: mt, metrics: ms, scratch: make([]float32, r.m.Vocab), wake: make(chan struct{}, 1)}
}

// capacity returns the most tokens, prompt and answer together, that one sequence can have.
func (s *scheduler) capacity() int {
	return min(s.runner.m.Context, s.runner.kv.blocks*blockTokens)
}

// submit queues a sequence, which must fit the capacity. Its tokens arrive on its channel, which is closed at the end.
func (s *scheduler) submit(q *sequence) error {
	if s.queuedN.Load() >= int64(s.maxQueue) {
		return errQueueFull
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return errStopped
	}
	s.incoming = append(s.incoming, q)
	s.mu.Unlock()
	s.queuedN.Add(1)
	s.poke()
	return nil
}

// cancel asks for a sequence to be dropped; its channel is closed at the next step.
func (s *scheduler) cancel(q *sequence) {
	q.gone.Store(true)
	s.poke()
}

func (s *scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run steps until ctx is done and then aborts what is left.
func (s *scheduler) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !s.step(ctx) {
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
		}
	}
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.collect()
	s.drop(func(*sequence) bool { return true }, aborted, s.unix())
}

// step schedules and computes one forward pass. It reports whether there was anything to do.
func (s *scheduler) step(ctx context.Context) bool {
	s.collect()
	at := s.unix()
	s.drop(func(q *sequence) bool { return q.gone.Load() }, cancelled, at)
	s.schedule(at)
	if len(s.chunks) == 0 {
		return false
	}
	if s.overhead > 0 && worker.Sleep(ctx, s.overhead) != nil {
		return true
	}
	begin := s.unix()
	s.meter.Begin(begin)
	s.runner.forward(s.chunks)
	end := s.unix()
	s.meter.End(end, s.prefillShare())
	s.deliver(end, end-begin)
	return true
}

// collect takes in what was submitted.
func (s *scheduler) collect() {
	s.mu.Lock()
	s.waiting = append(s.waiting, s.incoming...)
	clear(s.incoming)
	s.incoming = s.incoming[:0]
	s.mu.Unlock()
}

// drop ends all sequences that match and gives them to their handlers.
func (s *scheduler) drop(match func(*sequence) bool, how outcome, at int64) {
	s.retire(match, how, at)
	s.handOver()
}

// retire ends all sequences that match: blocks, gauges and counters are right when it returns.
func (s *scheduler) retire(match func(*sequence) bool, how outcome, at int64) {
	end := func(q *sequence) bool {
		if !match(q) {
			return false
		}
		s.runner.kv.release(&q.table)
		q.end(how, at)
		s.metrics.ended(q)
		s.over = append(s.over, q)
		return true
	}
	before := len(s.waiting)
	s.waiting = slices.DeleteFunc(s.waiting, end)
	s.queuedN.Add(int64(len(s.waiting) - before))
	s.running = slices.DeleteFunc(s.running, end)
	s.gauges()
}

func (s *scheduler) handOver() {
	for _, q := range s.over {
		close(q.out)
	}
	clear(s.over)
	s.over = s.over[:0]
}

func (s *scheduler) gauges() {
	s.runningN.Store(int64(len(s.running)))
	s.kvUsed.Store(int64(s.runner.kv.used()))
}

// schedule plans the next pass: first a row for each decoding sequence, oldest first, then
// chunks of prompts that are under way, then new admissions, within the row budget.
func (s *scheduler) schedule(at int64) {
	s.batch, s.chunks = s.batch[:0], s.chunks[:0]
	budget := s.stepTokens
	for i := 0; i < len(s.running); i++ {
		q := s.running[i]
		if len(q.tokens)-q.computed != 1 {
			continue
		}
		room := s.runner.kv.grow(&q.table, len(q.tokens))
		for !room {
			// The youngest gives way, which may be q itself. It cannot be in the plan
			// already: the plan holds only sequences older than q.
			if s.preempt(at) == q {
				break
			}
			room = s.runner.kv.grow(&q.table, len(q.tokens))
		}
		if room {
			budget -= s.plan(q, 1)
		}
	}
	for _, q := range s.running {
		if rest := len(q.tokens) - q.computed; rest > 1 && budget > 0 {
			budget -= s.plan(q, min(rest, budget))
		}
	}
	// A sequence thrown out above does not come back in the same step: it stands first, and what it
	// gave up is one block less than it needs.
	blocked := waitStep
	for len(s.waiting) > 0 && len(s.running) < s.maxSeqs && budget > 0 {
		q := s.waiting[0]
		if !s.runner.kv.grow(&q.table, len(q.tokens)) {
			blocked = waitKV
			break
		}
		s.waiting = slices.Delete(s.waiting, 0, 1)
		s.queuedN.Add(-1)
		s.running = append(s.running, q)
		if q.state != preempted {
			q.enter(prefill, at)
		}
		budget -= s.plan(q, min(len(q.tokens), budget))
	}
	if len(s.running) >= s.maxSeqs {
		blocked = waitSeqs
	}
	for _, q := range s.waiting {
		if q.state != preempted {
			q.enter(blocked, at)
		}
	}
	s.gauges()
}

// plan adds the next n tokens of a sequence to the pass and returns n.
func (s *scheduler) plan(q *sequence, n int) int {
	s.batch = append(s.batch, q)
	s.chunks = append(s.chunks, chunk{tokens: q.tokens[q.computed : q.computed+n], from: q.computed, table: q.table,
		want: q.computed+n == len(q.tokens)})
	return n
}

// preempt throws the youngest running sequence out and returns it.
func (s *scheduler) preempt(at int64) *sequence {
	last := len(s.running) - 1
	q := s.running[last]
	s.running = s.running[:last]
	s.runner.kv.release(&q.table)
	q.computed = 0
	q.preemptions++
	q.enter(preempted, at)
	s.waiting = slices.Insert(s.waiting, 0, q)
	s.queuedN.Add(1)
	s.metrics.preemptions.Inc()
	return q
}

// prefillShare returns the share of the pass's rows that belong to chunks of more than one token.
func (s *scheduler) prefillShare() float64 {
	var chunked, all int
	for _, c := range s.chunks {
		all += len(c.tokens)
		if len(c.tokens) > 1 {
			chunked += len(c.tokens)
		}
	}
	return float64(chunked) / float64(all)
}

// deliver draws the new tokens, retires what is complete and only then hands the tokens out: a client
// that has its whole answer finds it in the metrics, and its blocks free.
func (s *scheduler) deliver(at, took int64) {
	done := false
	for i, q := range s.batch {
		c := &s.chunks[i]
		q.computed += len(c.tokens)
		q.busy += took
		if !c.want {
			continue
		}
		previous := q.lastToken
		q.produce(sample(c.logits, s.scratch, q.temperature, q.seed, len(q.tokens)), at)
		s.metrics.token(q, previous)
		done = done || q.generated() == q.maxNew
	}
	if done {
		s.retire(func(q *sequence) bool { return q.generated() == q.maxNew }, finished, at)
	}
	for i, q := range s.batch {
		if s.chunks[i].want {
			q.out <- token{q.tokens[len(q.tokens)-1], at}
		}
	}
	s.handOver()
}
