package loadgen

import (
	"errors"
	"sync"
)

// A feed draws the requests of a phase while they are sent, some blocks ahead of the pacing goroutine, so that neither
// memory nor the pace depends on how many there are or where they come from.
type feed struct {
	full  chan []planned
	empty chan []planned
	stop  chan struct{}
	done  sync.WaitGroup
	err   error // of the source; read after full is closed
	block []planned
	used  int // of block
}

const (
	feedBlock  = 512
	feedBlocks = 4
)

// errTrace says that a second pass over the source of requests gave others than the first.
var errTrace = errors.New("the trace gave other requests than when the schedule was drawn: it changed on disk")

// feed begins to draw the requests of phase i. Whoever starts it must close it.
func (s *Schedule) feed(i int) *feed {
	f := &feed{full: make(chan []planned, feedBlocks), empty: make(chan []planned, feedBlocks), stop: make(chan struct{})}
	for range feedBlocks {
		f.empty <- make([]planned, 0, feedBlock)
	}
	f.done.Go(func() {
		defer close(f.full)
		f.err = f.draw(s, i)
	})
	return f
}

func (f *feed) draw(s *Schedule, i int) error {
	p := &s.phases[i]
	_, check := p.Arrivals.(requester)
	sum := newDigest(p, s.seed)
	block := <-f.empty
	for r, err := range p.requests(p.Name, p.Arrivals, p.For, s.seed, p.Max) {
		if err != nil {
			return err
		}
		if check {
			sum.add(&r)
		}
		if block = append(block, r); len(block) < cap(block) {
			continue
		}
		select {
		case f.full <- block:
		case <-f.stop:
			return nil
		}
		select {
		case block = <-f.empty:
			block = block[:0]
		case <-f.stop:
			return nil
		}
	}
	if len(block) > 0 {
		select {
		case f.full <- block:
		case <-f.stop:
			return nil
		}
	}
	if check && sum.done().digest != s.drawn[i].digest {
		return errTrace
	}
	return nil
}

// ready waits for the first block and returns the first instant at which what it holds can be sent on time. A nil feed is ready.
func (f *feed) ready(now func() int64) int64 {
	if f == nil {
		return now()
	}
	if f.block == nil {
		f.block, f.used = <-f.full, 0
	}
	if len(f.block) > 0 {
		return now() + max(0, f.block[0].lead()-f.block[0].due)
	}
	return now()
}

// next returns the next request; false when there are no more.
func (f *feed) next() (planned, bool) {
	if f.used == len(f.block) {
		if f.block != nil {
			f.empty <- f.block
		}
		f.block, f.used = <-f.full, 0 // nil once it is closed
		if f.block == nil {
			return planned{}, false
		}
	}
	f.used++
	return f.block[f.used-1], true
}

// close ends the drawing and waits for it. It returns what went wrong.
func (f *feed) close() error {
	close(f.stop)
	f.done.Wait()
	return f.err
}
