package k6

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stream"
)

const (
	streamQueue = 16384 // lines that may wait; more are lost, and counted
	streamFlush = 100 * time.Millisecond
	streamWrite = 5 * time.Second // how long the reader may keep us waiting
)

var errStreamFull = errors.New("the reader of the stream does not keep up: record dropped")

// A socket is the sink for a program that follows the run: package stream says what it reads.
type socket struct {
	conn     net.Conn
	epoch    int64
	lines    chan []byte
	stop     chan struct{}
	once     sync.Once
	done     sync.WaitGroup
	dropped  atomic.Int64
	err      atomic.Pointer[error]
	failed   chan error
	mu       sync.Mutex
	manifest assay.Manifest
}

// dialStream connects to the socket at path, on which the reader listens already. monotonic is the machine's clock at the epoch of m.
func dialStream(path string, m *assay.Manifest, monotonic int64) (*socket, error) {
	conn, err := net.DialTimeout("unix", path, streamWrite)
	if err != nil {
		return nil, fmt.Errorf("connect to the reader of the run: %w", err)
	}
	s := &socket{conn: conn, epoch: m.Epoch, lines: make(chan []byte, streamQueue), stop: make(chan struct{}), failed: make(chan error, 1), manifest: *m}
	s.done.Go(s.write)
	if err := s.put(stream.Line{Manifest: m, Monotonic: monotonic}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Emit implements sink.
func (s *socket) Emit(r assay.Record) error {
	switch r := r.(type) {
	case *assay.Request:
		return s.put(stream.Line{Request: stream.Of(r, s.epoch)})
	case *assay.Event:
		e := *r
		e.Time += s.epoch
		return s.put(stream.Line{Event: &e})
	}
	return fmt.Errorf("record %T does not travel in a stream", r)
}

func (s *socket) put(l stream.Line) error {
	if err := s.err.Load(); err != nil {
		s.dropped.Add(1)
		return *err
	}
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode a line of the stream: %w", err)
	}
	select {
	case s.lines <- append(b, '\n'):
		return nil
	default:
		s.dropped.Add(1)
		return errStreamFull
	}
}

// write sends lines until stop is closed, and then what is left.
func (s *socket) write() {
	w := bufio.NewWriterSize(s.conn, 256<<10)
	tick := time.NewTicker(streamFlush)
	defer tick.Stop()
	check := func(err error) {
		if err != nil && s.err.Load() == nil {
			err = fmt.Errorf("write to the reader of the run: %w", err)
			s.err.Store(&err)
			s.failed <- err
		}
	}
	send := func(b []byte) {
		if s.err.Load() != nil {
			s.dropped.Add(1)
			return
		}
		if w.Available() < len(b) {
			_ = s.conn.SetWriteDeadline(time.Now().Add(streamWrite))
		}
		_, err := w.Write(b)
		check(err)
	}
	flush := func() {
		if s.err.Load() == nil && w.Buffered() > 0 {
			_ = s.conn.SetWriteDeadline(time.Now().Add(streamWrite))
			check(w.Flush())
		}
	}
	for {
		select {
		case b := <-s.lines:
			send(b)
		case <-tick.C:
			flush()
		case <-s.stop:
			for {
				select {
				case b := <-s.lines:
					send(b)
				default:
					flush()
					return
				}
			}
		}
	}
}

// SetManifest implements sink: what it changes is sent with the ending.
func (s *socket) SetManifest(fn func(*assay.Manifest)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.manifest)
	return nil
}

// Seal implements sink. It sends the ending past the queue, which may be full.
func (s *socket) Seal(end assay.Ending) error {
	s.finish()
	if err := s.Err(); err != nil {
		return errors.Join(err, s.conn.Close())
	}
	if n := s.dropped.Load(); n > 0 {
		end.Unrecorded = map[string]int64{"stream": n}
	}
	s.mu.Lock()
	s.manifest.End = end
	m := s.manifest
	s.mu.Unlock()
	end.At += s.epoch
	_ = s.conn.SetWriteDeadline(time.Now().Add(streamWrite))
	enc := json.NewEncoder(s.conn)
	return errors.Join(enc.Encode(stream.Line{Manifest: &m}), enc.Encode(stream.Line{End: &end}), s.conn.Close())
}

// finish ends the writing goroutine; what was put before has been written then, unless the stream failed.
func (s *socket) finish() {
	s.once.Do(func() { close(s.stop) })
	s.done.Wait()
}

// Close implements sink: it ends the stream without an ending.
func (s *socket) Close() error {
	s.finish()
	return s.conn.Close()
}

// Failed implements sink.
func (s *socket) Failed() <-chan error { return s.failed }

// Err implements sink.
func (s *socket) Err() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}
