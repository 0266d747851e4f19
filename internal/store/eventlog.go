package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// maxPendingEvents bounds the events that wait for the disk, in bytes.
const maxPendingEvents = 16 << 20

// An eventLog appends events to events.jsonl. Unlike the other records, events go on after a
// failed write: they say what has to be healed.
type eventLog struct {
	mu     sync.Mutex
	buf    []byte
	n      int64 // in buf
	closed bool

	flushes chan chan error
	stop    chan struct{}
	done    chan struct{}
	log     logWriter
	failed  func(error)

	stats struct {
		sync.Mutex
		taken, dropped, lost int64
	}
}

func newEventLog(f logFile, failed func(error)) *eventLog {
	l := &eventLog{
		flushes: make(chan chan error), stop: make(chan struct{}), done: make(chan struct{}),
		log: logWriter{f: f}, failed: failed,
	}
	go l.run()
	return l
}

// add puts e in line for the next flush. One that finds no room counts as dropped, unless it is patient: then it comes again.
func (l *eventLog) add(e *assay.Event, patient bool) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.Kind, err)
	}
	l.mu.Lock()
	switch {
	case l.closed:
		err = ErrClosed
	case len(l.buf)+len(line) >= maxPendingEvents:
		err = ErrFull
	default:
		l.buf = append(append(l.buf, line...), '\n')
		l.n++
	}
	l.mu.Unlock()
	if errors.Is(err, ErrClosed) || patient && errors.Is(err, ErrFull) {
		return err
	}
	l.stats.Lock()
	defer l.stats.Unlock()
	if err != nil {
		l.stats.dropped++
		return err
	}
	l.stats.taken++
	return nil
}

// flush returns when all events added before are on disk.
func (l *eventLog) flush() error {
	done := make(chan error, 1)
	select {
	case l.flushes <- done:
		return <-done
	case <-l.done:
		return ErrClosed
	}
}

func (l *eventLog) run() {
	defer close(l.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var spare []byte
	for {
		select {
		case <-tick.C:
			spare, _ = l.write(spare, false)
		case done := <-l.flushes:
			var err error
			spare, err = l.write(spare, false)
			done <- err
		case <-l.stop:
			_, _ = l.write(spare, true)
			return
		}
	}
}

// write writes and syncs what is in line, leaving spare as the buffer for what
// comes, and returns the buffer that is free then.
func (l *eventLog) write(spare []byte, last bool) ([]byte, error) {
	l.mu.Lock()
	buf, n := l.buf, l.n
	l.buf, l.n = spare[:0], 0
	l.closed = l.closed || last
	l.mu.Unlock()
	if len(buf) == 0 {
		return buf, nil
	}
	err := l.append(buf)
	if err != nil {
		l.failed(err) // gives up the reserve, so that trying again makes sense
		err = l.append(buf)
	}
	if err != nil {
		l.stats.Lock()
		l.stats.lost += n
		l.stats.Unlock()
	}
	return buf, err
}

func (l *eventLog) append(lines []byte) error {
	n, err := l.log.f.Write(lines)
	if err == nil {
		err = l.log.f.Sync()
	}
	if err == nil {
		l.log.size += int64(n)
		return nil
	}
	if n > 0 && l.log.f.Truncate(l.log.size) != nil {
		// The torn line stays: end it, so that it cannot swallow the next.
		if m, err := l.log.f.Write([]byte{'\n'}); err == nil {
			l.log.size += int64(n + m)
		}
	}
	return err
}

// close writes what is left and closes the file. It is called once.
func (l *eventLog) close() error {
	close(l.stop)
	<-l.done
	return l.log.f.Close()
}
