package store

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
)

// What Emit returns when a record was not taken. Such a record is counted as unrecorded.
var (
	ErrFull   = assay.ErrFull
	ErrClosed = errors.New("the run is no longer open for writing")
)

const (
	batchSize  = 1 << 20 // a batch is written when it has grown to this
	batchLimit = 64      // batches of one kind that may be waiting or being filled
	flushEvery = 500 * time.Millisecond
)

// An intake takes records of one kind from many goroutines and brings them to their log through one.
type intake[T any] struct {
	codec  *codec[T]
	shards []shard
	free   freeList // at most batchLimit batches exist: here, in full, in a shard or being written
	full   chan *batch
	stop   chan struct{}
	done   chan struct{}

	log       logWriter
	failed    func(error)            // sets broken
	broken    *atomic.Pointer[error] // the first failed write of the whole run
	bytes     atomic.Int64
	dropped   atomic.Int64 // no batch was free
	lost      atomic.Int64 // offered after the disk had failed
	lostTaken atomic.Int64 // taken before, and not written
}

// A shard is a batch being filled. Several of them keep emitting goroutines out of one another's way.
type shard struct {
	mu     sync.Mutex
	b      *batch
	taken  int64
	closed bool
	_      [64]byte // keeps the shards on cache lines of their own
}

// A freeList hands out the batch that came back last: its memory is warm, and those that are never needed stay small.
type freeList struct {
	mu   sync.Mutex
	list []*batch
}

func (f *freeList) put(b *batch) {
	f.mu.Lock()
	f.list = append(f.list, b)
	f.mu.Unlock()
}

// get returns nil where there is none.
func (f *freeList) get() (b *batch) {
	f.mu.Lock()
	if n := len(f.list); n > 0 {
		b, f.list = f.list[n-1], f.list[:n-1]
	}
	f.mu.Unlock()
	return b
}

// newIntake starts the goroutine that writes the log f; close ends it.
func newIntake[T any](c *codec[T], f logFile, shards int, broken *atomic.Pointer[error], failed func(error)) (*intake[T], error) {
	n, err := f.Write([]byte(c.magic))
	if err != nil {
		return nil, err
	}
	in := &intake[T]{
		codec: c, shards: make([]shard, shards), broken: broken, failed: failed, log: logWriter{f, int64(n)},
		full: make(chan *batch, batchLimit),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range batchLimit {
		in.free.put(newBatch()) // their memory grows when they are first filled
	}
	go in.run()
	return in, nil
}

// add encodes r into a batch. A record for which there is no room counts as dropped, unless it is patient: then it comes again.
func (in *intake[T]) add(r *T, patient bool) error {
	if err := in.broken.Load(); err != nil {
		in.lost.Add(1)
		return *err
	}
	s := &in.shards[rand.IntN(len(in.shards))]
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.b == nil {
		if s.b = in.free.get(); s.b == nil {
			s.mu.Unlock()
			if !patient {
				in.dropped.Add(1)
			}
			return ErrFull
		}
	}
	in.codec.encode(s.b, r)
	s.taken++
	var full *batch
	if len(s.b.buf) >= batchSize {
		full, s.b = s.b, nil
	}
	s.mu.Unlock()
	if full != nil {
		in.full <- full // has room for every batch there is
	}
	return nil
}

// take returns the unfinished batch of s, or nil if there is nothing in it.
func (s *shard) take(last bool) *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.b
	s.b = nil
	s.closed = s.closed || last
	return b
}

// run writes batches until stop is closed, and then what is left.
func (in *intake[T]) run() {
	defer close(in.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for odd := false; ; {
		select {
		case b := <-in.full:
			in.write(b)
		case <-tick.C:
			in.drain(false)
			if odd = !odd; odd { // what a power cut may take; a kill takes half of that
				in.sync()
			}
		case <-in.stop:
			in.drain(true)
			in.sync()
			return
		}
	}
}

// drain writes all that was added so far.
func (in *intake[T]) drain(last bool) {
	for i := range in.shards {
		if b := in.shards[i].take(last); b != nil {
			in.write(b)
		}
	}
	for {
		select {
		case b := <-in.full:
			in.write(b)
		default:
			return
		}
	}
}

func (in *intake[T]) write(b *batch) {
	if in.broken.Load() != nil {
		in.lostTaken.Add(int64(b.n))
	} else if err := in.log.write(b); err != nil {
		in.lostTaken.Add(int64(b.n))
		in.failed(err)
	} else {
		in.bytes.Store(in.log.size)
	}
	b.reset()
	in.free.put(b)
}

func (in *intake[T]) sync() {
	if in.broken.Load() == nil {
		if err := in.log.f.Sync(); err != nil {
			in.failed(err)
		}
	}
}

// close writes what is left and closes the log. It is called once.
func (in *intake[T]) close() error {
	close(in.stop)
	<-in.done
	return in.log.f.Close()
}

// taken is the number of records that are in the log or on their way there.
func (in *intake[T]) taken() int64 {
	var n int64
	for i := range in.shards {
		s := &in.shards[i]
		s.mu.Lock()
		n += s.taken
		s.mu.Unlock()
	}
	return n
}
