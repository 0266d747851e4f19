package loadgen

import (
	"bytes"
	"fmt"
	"io"
)

// maxLine bounds one line of a stream of JSON lines.
const maxLine = 1 << 20

// lines reads a stream of lines, each with the instant at which the read that completed it returned. It allocates nothing per line
// once its buffer has grown to the longest.
type lines struct {
	now      func() int64
	src      io.Reader
	buf      []byte
	pos, end int
	scanned  int // how far the unread part was searched
	at       int64
	err      error
}

// reset makes l read src from the beginning.
func (l *lines) reset(src io.Reader, now func() int64) {
	l.src, l.now, l.pos, l.end, l.scanned, l.at, l.err = src, now, 0, 0, 0, 0, nil
}

// next returns the next line that is not empty, without its end. The line is borrowed until the next call. The last line of a stream may
// lack its end; partial then says so, since a cut stream ends like that too. After the last line comes io.EOF, or what else ended the stream.
func (l *lines) next() (line []byte, at int64, partial bool, err error) {
	for {
		if i := bytes.IndexByte(l.buf[l.pos+l.scanned:l.end], '\n'); i >= 0 {
			line := bytes.TrimSpace(l.buf[l.pos : l.pos+l.scanned+i])
			l.pos += l.scanned + i + 1
			l.scanned = 0
			if len(line) > 0 {
				return line, l.at, false, nil
			}
			continue
		}
		l.scanned = l.end - l.pos
		if l.err != nil {
			rest := bytes.TrimSpace(l.buf[l.pos:l.end])
			l.pos, l.scanned = l.end, 0
			if l.err == io.EOF && len(rest) > 0 {
				return rest, l.at, true, nil
			}
			return nil, l.at, false, l.err
		}
		if l.scanned > maxLine {
			l.err = &protocolError{fmt.Sprintf("line of more than %d bytes", maxLine)}
			l.pos, l.scanned = l.end, 0
			continue
		}
		l.fill()
	}
}

// fill does one read, after making room for it, and stamps it.
func (l *lines) fill() {
	if l.pos > 0 {
		copy(l.buf, l.buf[l.pos:l.end])
		l.end -= l.pos
		l.pos = 0
	}
	if l.end == len(l.buf) {
		l.buf = append(l.buf, make([]byte, max(8<<10, len(l.buf)))...)
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.end:])
		if n > 0 || err != nil {
			if n > 0 {
				l.at = l.now()
			}
			l.end += n
			l.err = err
			return
		}
	}
	l.err = io.ErrNoProgress
}
