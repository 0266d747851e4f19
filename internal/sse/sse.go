// Package sse reads a stream of server-sent events and says when each arrived.
//
// A [Reader] splits an io.Reader into events as the WHATWG standard describes:
// lines end in LF, CRLF or CR, fields are data, event and id, lines that begin
// with a colon are comments, and an empty line ends an event. Each event carries
// the instant at which the read that completed it returned, as told by a function that
// the caller gives: a client whose connection stamps its own socket reads hands
// in that stamp, so that decoding and queueing behind the read are not in it. All
// events that one read completed share its stamp, because they did arrive together.
//
// A Reader allocates nothing per event once its buffers have grown to the size of
// the largest one.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrTooLong is wrapped by the error for an event larger than the limit.
var ErrTooLong = errors.New("event too long")

// DefaultMax is the limit on the size of one event, in bytes, when a Reader sets none.
const DefaultMax = 1 << 20

// An Event is one event of a stream. Its slices are borrowed: the next call to Next overwrites them.
type Event struct {
	Data []byte // the data lines, joined by LF
	Name []byte // of the event field; empty means "message"
	ID   []byte // last id seen on the stream
	At   int64  // when the read that completed it returned

	// Partial marks the last event of a stream that ended without the empty line. The
	// standard discards such an event; some servers leave out the final newline of a good
	// one, and a cut stream ends in half of one, so the caller decides.
	Partial bool
}

// A Reader reads events from a stream. Use [NewReader], or set the fields and call Reset.
type Reader struct {
	Now func() int64 // instant of the read that has just returned; nil leaves At zero
	Max int          // largest event, in bytes of its lines; 0 means DefaultMax

	src            io.Reader
	buf            []byte
	pos, scan, end int   // start of the current line, how far it was searched, end of what was read
	at             int64 // stamp of the last read
	err            error // what the last read said, reported when the buffer is used up
	data, name, id []byte
	size           int  // bytes of lines in the event so far
	has            bool // the event has a data field
	first          bool // no line was read yet: a byte order mark may come
	skip           bool // the last line ended in CR: an LF that follows belongs to it
}

// NewReader returns a Reader of src that stamps events by now.
func NewReader(src io.Reader, now func() int64) *Reader {
	r := &Reader{Now: now}
	r.Reset(src)
	return r
}

// Reset makes r read src from the beginning, keeping its settings and buffers.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.pos, r.scan, r.end, r.at, r.err = src, 0, 0, 0, 0, nil
	r.data, r.name, r.id = r.data[:0], r.name[:0], r.id[:0]
	r.size, r.has, r.first, r.skip = 0, false, true, false
}

// Next reads the next event into e. It returns io.EOF at the orderly end of the
// stream, the source's error where it broke (an event that was not complete by then is
// lost), and an error that wraps [ErrTooLong] for an event above the limit; after an
// error the stream cannot be read further.
func (r *Reader) Next(e *Event) error {
	limit := r.Max
	if limit <= 0 {
		limit = DefaultMax
	}
	for {
		line, err := r.line(limit)
		if err != nil {
			if err == io.EOF && r.has {
				r.give(e)
				e.Partial = true
				return nil
			}
			return err
		}
		if len(line) == 0 {
			if !r.has {
				r.name, r.size = r.name[:0], 0
				continue
			}
			r.give(e)
			return nil
		}
		if r.size += len(line); r.size > limit {
			return r.fail(fmt.Errorf("read event: %w: more than %d bytes", ErrTooLong, limit))
		}
		r.field(line)
	}
}

// fail drops what is buffered and makes err the answer from now on.
func (r *Reader) fail(err error) error {
	r.err, r.pos, r.scan, r.end, r.has = err, 0, 0, 0, false
	return err
}

// give hands the event out. The buffers are emptied when the next event begins to fill them.
func (r *Reader) give(e *Event) {
	*e = Event{Data: r.data, Name: r.name, ID: r.id, At: r.at}
	r.data, r.name, r.size, r.has = r.data[:0], r.name[:0], 0, false
}

// field takes one line that is not empty.
func (r *Reader) field(line []byte) {
	name, value := line, []byte(nil)
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		name, value = line[:i], line[i+1:]
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
	}
	switch string(name) {
	case "data":
		if r.has {
			r.data = append(r.data, '\n')
		}
		r.data = append(r.data, value...)
		r.has = true
	case "event":
		r.name = append(r.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.id = append(r.id[:0], value...)
		}
	}
}

// line returns the next line without its end. The slice is valid until the next call.
func (r *Reader) line(limit int) ([]byte, error) {
	for {
		if r.skip && r.pos < r.end {
			if r.buf[r.pos] == '\n' {
				r.pos++
				r.scan = r.pos
			}
			r.skip = false
		}
		if i := endOfLine(r.buf[r.scan:r.end]); i >= 0 {
			i += r.scan
			line := r.buf[r.pos:i]
			r.skip = r.buf[i] == '\r'
			r.pos, r.scan = i+1, i+1
			return r.mark(line), nil
		}
		r.scan = r.end
		if r.err != nil {
			if r.err == io.EOF && r.pos < r.end { // the last line has no end
				line := r.buf[r.pos:r.end]
				r.pos = r.end
				if line = r.mark(line); len(line) > 0 {
					return line, nil
				}
			}
			return nil, r.err
		}
		if r.end-r.pos > limit {
			return nil, r.fail(fmt.Errorf("read event: %w: line of more than %d bytes", ErrTooLong, limit))
		}
		r.fill()
	}
}

// mark strips a byte order mark from the first line of the stream.
func (r *Reader) mark(line []byte) []byte {
	if r.first {
		r.first = false
		return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line
}

// endOfLine returns the index of the first LF or CR, or -1.
func endOfLine(b []byte) int {
	i := bytes.IndexByte(b, '\n')
	if i >= 0 {
		b = b[:i]
	}
	if j := bytes.IndexByte(b, '\r'); j >= 0 {
		return j
	}
	return i
}

// fill does one read, after making room for it, and stamps it.
func (r *Reader) fill() {
	if r.pos > 0 {
		copy(r.buf, r.buf[r.pos:r.end])
		r.scan -= r.pos
		r.end -= r.pos
		r.pos = 0
	}
	if r.end == len(r.buf) {
		grown := make([]byte, max(8<<10, 2*len(r.buf)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		if n > 0 || err != nil {
			if n > 0 && r.Now != nil {
				r.at = r.Now()
			}
			r.end += n
			r.err = err
			return
		}
	}
	r.err = io.ErrNoProgress
}
