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
)

const (
	streamQueue = 16384 // lines that may wait; more are lost, and counted
	streamFlush = 100 * time.Millisecond
	streamWrite = 5 * time.Second // how long the reader may keep us waiting
)

var errStreamFull = errors.New("the reader of the stream does not keep up: record dropped")

// A Line is one line of a stream: one of its members is set. All instants are Unix nanoseconds, so that a reader on the same machine
// can put them on its own clock. The first line has the manifest, the last one the ending; a stream without an ending was cut.
type Line struct {
	Manifest *assay.Manifest `json:"manifest,omitempty"` // the first line; again before the ending, with what was learned of the target
	Request  *StreamRequest  `json:"request,omitempty"`
	Event    *assay.Event    `json:"event,omitempty"` // its time_ns is Unix time
	End      *assay.Ending   `json:"end,omitempty"`   // its at_ns is Unix time
}

// A StreamRequest is an assay.Request as a stream carries it. Instants that were not seen are 0.
type StreamRequest struct {
	ID          uint64        `json:"id"`
	Phase       string        `json:"phase,omitempty"`
	Class       string        `json:"class,omitempty"`
	Outcome     assay.Outcome `json:"outcome"`
	Status      int32         `json:"status,omitempty"`
	Cold        assay.Cold    `json:"cold"`
	Instance    string        `json:"instance,omitempty"`
	TraceID     string        `json:"trace_id,omitempty"`
	SpanID      string        `json:"span_id,omitempty"`
	Error       string        `json:"error,omitempty"`
	Due         int64         `json:"due_unix_ns"`
	Sent        int64         `json:"sent_unix_ns,omitempty"`
	FirstByte   int64         `json:"first_byte_unix_ns,omitempty"`
	FirstToken  int64         `json:"first_token_unix_ns,omitempty"`
	End         int64         `json:"end_unix_ns,omitempty"`
	Arrivals    []int64       `json:"arrivals_unix_ns,omitempty"`
	Counts      []int32       `json:"counts,omitempty"`
	TokensIn    int32         `json:"tokens_in,omitempty"`
	TokensOut   int32         `json:"tokens_out,omitempty"`
	TokensAsked int32         `json:"tokens_asked,omitempty"`
	BytesOut    int64         `json:"bytes_out,omitempty"`
	BytesIn     int64         `json:"bytes_in,omitempty"`
	RetryAfter  int64         `json:"retry_after_ns,omitempty"`
	NoSchedule  bool          `json:"no_schedule,omitempty"`
}

func streamed(r *assay.Request, epoch int64) *StreamRequest {
	unix := func(t int64) int64 {
		if t == 0 {
			return 0
		}
		return t + epoch
	}
	s := &StreamRequest{ID: r.ID, Phase: r.Phase, Class: r.Class, Outcome: r.Outcome, Status: r.Status, Cold: r.Cold, Instance: r.Instance, Error: r.Error,
		Due: unix(r.Due), Sent: unix(r.Sent), FirstByte: unix(r.FirstByte), FirstToken: unix(r.FirstToken), End: unix(r.End), Counts: r.Counts,
		TokensIn: r.TokensIn, TokensOut: r.TokensOut, TokensAsked: r.TokensAsked, BytesOut: r.BytesOut, BytesIn: r.BytesIn, RetryAfter: r.RetryAfter,
		NoSchedule: r.NoSchedule}
	if !r.TraceID.IsZero() {
		s.TraceID, s.SpanID = r.TraceID.String(), r.SpanID.String()
	}
	for _, t := range r.Arrivals {
		s.Arrivals = append(s.Arrivals, unix(t))
	}
	return s
}

// A stream is the sink for a program that follows the run: JSON lines over a Unix socket.
type stream struct {
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

// dialStream connects to the socket at path, on which the reader listens already.
func dialStream(path string, m *assay.Manifest) (*stream, error) {
	conn, err := net.DialTimeout("unix", path, streamWrite)
	if err != nil {
		return nil, fmt.Errorf("connect to the reader of the run: %w", err)
	}
	s := &stream{conn: conn, epoch: m.Epoch, lines: make(chan []byte, streamQueue), stop: make(chan struct{}), failed: make(chan error, 1), manifest: *m}
	s.done.Go(s.write)
	if err := s.put(Line{Manifest: m}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Emit implements sink.
func (s *stream) Emit(r assay.Record) error {
	switch r := r.(type) {
	case *assay.Request:
		return s.put(Line{Request: streamed(r, s.epoch)})
	case *assay.Event:
		e := *r
		e.Time += s.epoch
		return s.put(Line{Event: &e})
	}
	return fmt.Errorf("record %T does not travel in a stream", r)
}

func (s *stream) put(l Line) error {
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
func (s *stream) write() {
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
func (s *stream) SetManifest(fn func(*assay.Manifest)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.manifest)
	return nil
}

// Seal implements sink. It sends the ending past the queue, which may be full.
func (s *stream) Seal(end assay.Ending) error {
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
	return errors.Join(enc.Encode(Line{Manifest: &m}), enc.Encode(Line{End: &end}), s.conn.Close())
}

// finish ends the writing goroutine; what was put before has been written then, unless the stream failed.
func (s *stream) finish() {
	s.once.Do(func() { close(s.stop) })
	s.done.Wait()
}

// Close implements sink: it ends the stream without an ending.
func (s *stream) Close() error {
	s.finish()
	return s.conn.Close()
}

// Failed implements sink.
func (s *stream) Failed() <-chan error { return s.failed }

// Err implements sink.
func (s *stream) Err() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}
