package engine

import "sync/atomic"

// A state is what a sequence is doing; at any instant it is in exactly one.
type state uint8

const (
	waitStep  state = iota // waiting for the running step to end
	waitSeqs               // waiting because the batch is full
	waitKV                 // waiting because the KV cache has no room
	prefill                // prompt being computed, first token not yet there
	decode                 // tokens coming
	preempted              // thrown out of the batch; lasts until the next token, recomputation included
	states
)

func (s state) waiting() bool { return s <= waitKV }

// span returns the name of the state's span.
func (s state) span() string {
	if s.waiting() {
		return "queue"
	}
	return [states]string{prefill: "prefill", decode: "decode", preempted: "preempted"}[s]
}

// reason returns why a waiting sequence waits; empty for other states.
func (s state) reason() string {
	return [states]string{waitStep: "step", waitSeqs: "max_seqs", waitKV: "kv_cache"}[s]
}

// An outcome says how a sequence ended.
type outcome uint8

const (
	unfinished outcome = iota
	finished           // all tokens were produced
	cancelled          // its client went away
	aborted            // the worker stopped first
)

func (o outcome) String() string {
	return [...]string{"unfinished", "ok", "cancelled", "aborted"}[o]
}

// A segment is one stretch of time in one state, in Unix nanoseconds.
type segment struct {
	state      state
	start, end int64
}

// maxSegments bounds the story of a sequence that is preempted over and over; the last segments then merge.
const maxSegments = 64

// A token is one generated token and the Unix time at which the step that made it ended.
type token struct {
	id int32
	at int64
}

// A sequence is one request inside the scheduler. The scheduler's goroutine owns all
// fields until it closes out; from then on they are the handler's to read. Only gone may be set meanwhile.
type sequence struct {
	tokens      []int32 // prompt, then what was generated
	prompt      int     // length of the prompt
	maxNew      int
	temperature float64
	seed        uint64
	out         chan token // has room for all tokens, so a slow client never delays a step
	gone        atomic.Bool

	computed int     // tokens whose keys and values are in the cache
	table    []int32 // block table

	arrived     int64
	state       state
	since       int64
	segments    []segment
	total       [states]int64 // exact sums, whatever merged
	firstToken  int64
	lastToken   int64
	ended       int64
	busy        int64 // sum of the forward passes it took part in
	preemptions int
	outcome     outcome
}

func newSequence(prompt []int32, maxNew int, temperature float64, seed uint64, arrived int64) *sequence {
	tokens := make([]int32, len(prompt), len(prompt)+maxNew)
	copy(tokens, prompt)
	return &sequence{tokens: tokens, prompt: len(prompt), maxNew: maxNew, temperature: temperature, seed: seed,
		out: make(chan token, maxNew), arrived: arrived, since: arrived, state: waitStep}
}

func (q *sequence) generated() int { return len(q.tokens) - q.prompt }

// enter moves the sequence to a state at an instant; to the one it is in, it does nothing.
func (q *sequence) enter(to state, at int64) {
	if to != q.state {
		q.closeSegment(at)
		q.state = to
	}
}

func (q *sequence) closeSegment(at int64) {
	if at <= q.since {
		return
	}
	q.total[q.state] += at - q.since
	if n := len(q.segments); n > 0 && (q.segments[n-1].state == q.state || n == maxSegments) {
		q.segments[n-1].end = at
	} else {
		q.segments = append(q.segments, segment{q.state, q.since, at})
	}
	q.since = at
}

// queued returns the time spent waiting before the first admission.
func (q *sequence) queued() int64 { return q.total[waitStep] + q.total[waitSeqs] + q.total[waitKV] }

// produce appends a generated token; the scheduler hands it to the handler once its own books are right.
func (q *sequence) produce(id int32, at int64) {
	q.tokens = append(q.tokens, id)
	if q.firstToken == 0 {
		q.firstToken = at
	}
	q.lastToken = at
	q.enter(decode, at)
}

// end closes the story of the sequence; closing out then gives it to the handler.
func (q *sequence) end(how outcome, at int64) {
	q.closeSegment(at)
	q.outcome, q.ended = how, at
}
