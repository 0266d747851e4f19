package loadgen

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxHead  = 64 << 10 // of a response, in bytes, and of its trailers
	maxEarly = 16       // 1xx responses before the final one
	maxChunk = 4 << 10  // line with the size of a chunk
)

// readHead reads up to the end of the final response's head and prepares the body.
func (c *conn) readHead(method string) error {
	for range maxEarly {
		n, err := c.awaitHead()
		if err != nil {
			return err
		}
		h, err := parseHead(c.rbuf[c.pos : c.pos+n])
		if err != nil {
			return err
		}
		c.pos += n
		if h.status >= 200 {
			if c.head = c.head[:0]; c.fields {
				c.head = append(c.head, c.rbuf[c.pos-n:c.pos]...)
			}
			return c.accept(h, method)
		}
		if h.status == http.StatusSwitchingProtocols {
			return &protocolError{"the server switched protocols, which was not asked for"}
		}
		c.got = c.pos < c.end // an early response is not yet an answer
		c.firstAt, c.first = c.readAt, 0
	}
	return &protocolError{"too many 1xx responses"}
}

// awaitHead reads until a whole head is in the buffer and returns its length.
func (c *conn) awaitHead() (int, error) {
	for from := 0; ; {
		if have := c.rbuf[c.pos:c.end]; len(have) > 0 {
			if !c.got {
				c.got, c.firstAt = true, c.readAt
				if c.first != 0 {
					c.firstAt = c.first
				}
			}
			if n := endOfHead(have, from); n > 0 {
				return n, nil
			}
			if len(have) > maxHead {
				return 0, &protocolError{fmt.Sprintf("head larger than %d bytes", maxHead)}
			}
			from = max(0, len(have)-3)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// endOfHead returns the length of the head in b with its empty line, 0 if the end is not there. It looks from
// offset from on. Lines may end in a bare LF.
func endOfHead(b []byte, from int) int {
	for i := from; ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// head is what matters of a response's head.
type head struct {
	status                   int
	length                   int64 // -1: not given
	chunked                  bool
	keep                     bool
	sse, json, coded, loaded bool
	retry                    int64
}

// parseHead reads a status line and header fields, b ending in the empty line.
func parseHead(b []byte) (head, error) {
	h := head{length: -1}
	line, rest := cutLine(b)
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' || line[7] < '0' || line[7] > '9' || len(line) > 12 && line[12] != ' ' {
		return h, &protocolError{"not an HTTP/1 response"}
	}
	for _, d := range line[9:12] {
		if d < '0' || d > '9' {
			return h, &protocolError{"status code is not a number"}
		}
		h.status = 10*h.status + int(d-'0')
	}
	if h.status < 100 {
		return h, &protocolError{"status code below 100"}
	}
	h.keep = line[7] != '0'
	for {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		i := bytes.IndexByte(line, ':')
		if i <= 0 || line[0] == ' ' || line[0] == '\t' || line[i-1] == ' ' || line[i-1] == '\t' {
			return h, &protocolError{"malformed header field"}
		}
		if err := h.field(line[:i], bytes.Trim(line[i+1:], " \t")); err != nil {
			return h, err
		}
	}
	if h.chunked && b[7] == '0' {
		return h, &protocolError{"transfer-encoding in HTTP/1.0"}
	}
	if h.chunked && h.length >= 0 { // the length must be ignored, and whoever sent both is not to be trusted
		h.length, h.keep = -1, false
	}
	return h, nil
}

// headField returns the value of a field of a head that parseHead took, "" if it is not there. name is in lower case.
func headField(b []byte, name string) string {
	_, rest := cutLine(b)
	for {
		var line []byte
		line, rest = cutLine(rest)
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			return ""
		}
		if is(line[:i], name) {
			return string(bytes.Trim(line[i+1:], " \t"))
		}
	}
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return b, nil
	}
	return bytes.TrimSuffix(b[:i], []byte{'\r'}), b[i+1:]
}

// field takes one header field.
func (h *head) field(name, value []byte) error {
	switch {
	case is(name, "content-length"):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || h.length >= 0 && h.length != int64(n) {
			return &protocolError{"malformed content-length"}
		}
		h.length = int64(n)
	case is(name, "transfer-encoding"):
		if !is(value, "chunked") || h.chunked {
			return &protocolError{"transfer-encoding other than chunked"}
		}
		h.chunked = true
	case is(name, "connection"):
		for _, v := range bytes.Split(value, []byte{','}) {
			switch v = bytes.TrimSpace(v); {
			case is(v, "close"):
				h.keep = false
			case is(v, "keep-alive"):
				h.keep = true
			}
		}
	case is(name, "content-type"):
		h.sse, h.json = kindOf(string(value))
	case is(name, "content-encoding"):
		h.coded = !is(value, "identity") && len(value) > 0
	case is(name, "retry-after"):
		h.retry = retryAfter(string(value), time.Now())
	case is(name, "retry-after-ms"):
		if ms, err := strconv.ParseFloat(string(value), 64); err == nil && ms > 0 && ms < 1e9 {
			h.retry = int64(ms * 1e6)
		}
	}
	h.loaded = h.loaded || h.status == http.StatusServiceUnavailable && saysLoading(value)
	return nil
}

// is reports whether b is the lower-case text, in any case.
func is(b []byte, text string) bool { return len(b) == len(text) && strings.EqualFold(string(b), text) }

// kindOf tells whether a content type is that of an event stream or of JSON.
func kindOf(v string) (sse, json bool) {
	v, _, _ = strings.Cut(v, ";")
	v = strings.ToLower(strings.TrimSpace(v))
	return v == "text/event-stream", v == "application/json" || strings.HasSuffix(v, "+json")
}

// retryAfter reads the header's seconds or date, as ns from now; 0 where it says nothing.
func retryAfter(v string, now time.Time) int64 {
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if s > 0 && s < 1e9 {
			return int64(s * 1e9)
		}
		return 0
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, int64(t.Sub(now)))
	}
	return 0
}

// accept makes h the answer and prepares the body.
func (c *conn) accept(h head, method string) error {
	a := &c.answer
	a.status, a.sse, a.json, a.coded, a.loading, a.retry = h.status, h.sse, h.json, h.coded, h.loaded, h.retry
	c.keep = h.keep
	b := &c.body
	b.left, b.total = 0, 0
	switch {
	case method == http.MethodHead || h.status == http.StatusNoContent || h.status == http.StatusNotModified || h.length == 0 && !h.chunked:
		b.state = bodyDone
	case h.chunked:
		b.state = bodyChunkSize
	case h.length > 0:
		b.state, b.left = bodyLength, h.length
	default:
		b.state, c.keep = bodyClose, false
	}
	a.framed = b.state != bodyClose
	return nil
}
