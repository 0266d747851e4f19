package loadgen

import (
	"bytes"
	"net/http"
)

// whole reports whether the buffer of c, which begins with an answer, holds all of it, or what cannot be the beginning of one.
// An answer that lasts until the server closes is not whole before that.
func (c *conn) whole() bool {
	if c.need > c.end {
		return false
	}
	b := c.rbuf[:c.end]
	for at, early := 0, 0; ; {
		n := endOfHead(b[at:], 0)
		if n == 0 {
			return len(b)-at > maxHead
		}
		h, err := parseHead(b[at : at+n])
		at += n
		switch {
		case err != nil || h.status == http.StatusSwitchingProtocols:
			return true
		case h.status < 200:
			if early++; early == maxEarly {
				return true // readHead takes no more
			}
			continue
		case c.out.trip.q.method == http.MethodHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified:
			return true
		case h.chunked:
			return wholeChunks(b[at:])
		case h.length < 0:
			return false
		}
		c.need = at + int(min(h.length, maxBody))
		return c.end >= c.need
	}
}

// wholeChunks reports whether b holds a body in chunks to its end, or what cannot be one.
func wholeChunks(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return len(b) > maxChunk
		}
		n, err := chunkSize(bytes.TrimSuffix(b[:i], []byte{'\r'}))
		if err != nil {
			return true
		}
		b = b[i+1:]
		if n == 0 {
			break
		}
		if int64(len(b)) <= n {
			return false
		}
		rest := b[n:]
		i = bytes.IndexByte(rest, '\n')
		if i < 0 {
			return len(rest) > 2
		}
		b = rest[i+1:]
	}
	for { // trailers, up to an empty line
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return len(b) > maxHead
		}
		if len(bytes.TrimSuffix(b[:i], []byte{'\r'})) == 0 {
			return true
		}
		b = b[i+1:]
	}
}
