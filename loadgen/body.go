package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// States of a body.
const (
	bodyDone      = iota
	bodyLength    // left bytes to come
	bodyClose     // until the server closes
	bodyChunkSize // a line with a chunk's size comes next
	bodyChunk     // left bytes of the chunk to come
	bodyChunkEnd  // the line end after a chunk comes next
	bodyTrailer
)

// body reads the body of the response on a connection. Framing that ends too early is io.ErrUnexpectedEOF.
type body struct {
	c        *conn
	state    int
	left     int64
	total    int64 // bytes given out
	trailers int
}

// Read implements io.Reader. It does at most one socket read once it has something to give.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch b.state {
		case bodyDone:
			return 0, io.EOF
		case bodyChunkSize, bodyChunkEnd, bodyTrailer:
			if err := b.frame(); err != nil {
				return 0, early(err)
			}
			continue
		}
		c := b.c
		if c.pos == c.end {
			err := c.fill()
			if err == errClosed && b.state == bodyClose {
				b.state = bodyDone
				return 0, io.EOF
			}
			if err != nil {
				return 0, early(err)
			}
		}
		have := c.rbuf[c.pos:c.end]
		if b.state != bodyClose && int64(len(have)) > b.left {
			have = have[:b.left]
		}
		n := copy(p, have)
		c.pos += n
		b.total += int64(n)
		if b.state != bodyClose {
			if b.left -= int64(n); b.left == 0 {
				if b.state == bodyLength {
					b.state = bodyDone
				} else {
					b.state = bodyChunkEnd
				}
			}
		}
		if b.total > maxBody {
			return n, &protocolError{fmt.Sprintf("body larger than %d bytes", maxBody)}
		}
		return n, nil
	}
}

// early turns an orderly close inside the framing into the error for it.
func early(err error) error {
	if errors.Is(err, errClosed) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frame reads one line of the chunked framing.
func (b *body) frame() error {
	line, err := b.c.line(maxChunk)
	if err != nil {
		return err
	}
	switch b.state {
	case bodyChunkEnd:
		if len(line) != 0 {
			return &protocolError{"chunk longer than its size"}
		}
		b.state = bodyChunkSize
	case bodyTrailer:
		if b.trailers += len(line); b.trailers > maxHead {
			return &protocolError{"trailers too long"}
		}
		if len(line) == 0 {
			b.state = bodyDone
		}
	default:
		n, err := chunkSize(line)
		if err != nil {
			return err
		}
		b.left, b.state = n, bodyChunk
		if n == 0 {
			b.state, b.trailers = bodyTrailer, 0
		}
	}
	return nil
}

// line returns the next line without its end, from the buffer or the socket.
func (c *conn) line(limit int) ([]byte, error) {
	for from := 0; ; {
		have := c.rbuf[c.pos:c.end]
		if i := bytes.IndexByte(have[from:], '\n'); i >= 0 {
			c.pos += from + i + 1
			return bytes.TrimSuffix(have[:from+i], []byte{'\r'}), nil
		}
		if from = len(have); from > limit {
			return nil, &protocolError{"line of the chunked framing too long"}
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// chunkSize reads the hexadecimal size at the beginning of a chunk's line; extensions are ignored.
func chunkSize(line []byte) (int64, error) {
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 || len(line) > 15 {
		return 0, &protocolError{"malformed chunk size"}
	}
	var n int64
	for _, d := range line {
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, &protocolError{"malformed chunk size"}
		}
		n = n<<4 | int64(d)
	}
	return n, nil
}
