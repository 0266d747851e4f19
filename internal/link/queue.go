package link

import (
	"sync"
	"time"
)

// end says how a direction of a connection ended.
type end uint8

const (
	open  end = iota
	fin       // its sender closed in order
	reset     // its sender is gone
)

// A chunk is what one read gave: bytes, or the end of the direction.
type chunk struct {
	data []byte
	at   time.Time // when it was read
	u    float64   // in [-1, 1): its place within the jitter
	end  end
}

// Bounds of one queue. A long delay on a token stream makes many small chunks, a bulk
// transfer few large ones; beyond either bound the sender feels back-pressure, as on a full pipe.
const (
	maxBytes  = 1 << 20
	maxChunks = 1 << 14
)

// A queue holds the chunks of one direction between its reader and its writer.
type queue struct {
	mu    sync.Mutex
	items []chunk
	head  int
	bytes int
	more  chan struct{} // holds a token after a put
	room  chan struct{} // holds a token after a take
}

func newQueue() *queue {
	return &queue{more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put appends c, waiting while the queue is full. It returns false once done is closed.
func (q *queue) put(c chunk, done <-chan struct{}) bool {
	for {
		q.mu.Lock()
		if n := len(q.items) - q.head; n == 0 || q.bytes < maxBytes && n < maxChunks {
			if q.head > 0 && len(q.items) == cap(q.items) { // reuse the front before growing
				n := copy(q.items, q.items[q.head:])
				clear(q.items[n:])
				q.items, q.head = q.items[:n], 0
			}
			q.items = append(q.items, c)
			q.bytes += len(c.data)
			q.mu.Unlock()
			signal(q.more)
			return true
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-done:
			return false
		}
	}
}

// take removes the oldest chunk, waiting for one. It returns false once done is closed.
func (q *queue) take(done <-chan struct{}) (chunk, bool) {
	for {
		q.mu.Lock()
		if q.head < len(q.items) {
			c := q.items[q.head]
			q.items[q.head] = chunk{}
			q.head++
			if q.head == len(q.items) {
				q.items, q.head = q.items[:0], 0
			}
			q.bytes -= len(c.data)
			q.mu.Unlock()
			signal(q.room)
			return c, true
		}
		q.mu.Unlock()
		select {
		case <-q.more:
		case <-done:
			return chunk{}, false
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// A limiter shares a rate among the connections of one direction.
type limiter struct {
	mu   sync.Mutex
	next time.Time // when the bytes promised so far have passed
}

// take promises n bytes and returns when the last of them has passed.
func (l *limiter) take(n int, rate int64, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return l.next
}

func (l *limiter) reset() {
	l.mu.Lock()
	l.next = time.Time{}
	l.mu.Unlock()
}
