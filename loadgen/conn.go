package loadgen

import (
	"io"
	"net"
	"time"
)

// conn is one connection with its buffers and the response that is being read from it.
type conn struct {
	net.Conn
	answer  answer
	body    body
	now     func() int64
	peek    func() bool // whether the connection is open with nothing to read; nil: not known
	rbuf    []byte
	pos     int // of the unread part of rbuf
	end     int
	wbuf    []byte
	firstAt int64 // when the read that brought the first byte of the final response returned
	readAt  int64 // when the last read returned
	wroteAt int64
	idleAt  int64 // when it was put aside; 0: never
	rtt     time.Duration
	heard   bool // anything was received since the request was written
	got     bool // something of the final response was
	keep    bool // the server lets it be reused
	fields  bool // the head of the response is wanted
	head    []byte
	post
}

func newConn(nc net.Conn, now func() int64, rtt time.Duration) *conn {
	c := &conn{Conn: nc, now: now, rtt: rtt, rbuf: make([]byte, 16<<10), peek: peeker(nc)}
	c.body.c = c
	c.answer.body = &c.body
	c.answer.field = func(name string) string { return headField(c.head, name) }
	c.answer.readAt = func() int64 { return c.readAt }
	c.answer.wait = func(d time.Duration) { _ = c.SetReadDeadline(time.Now().Add(d)) }
	return c
}

// alive reports whether the idle connection can be used, as far as can be known without sending.
func (c *conn) alive() bool { return c.pos == c.end && (c.peek == nil || c.peek()) }

// spent reports whether the response was read to its end and the server keeps the connection.
func (c *conn) spent() bool { return c.keep && c.body.state == bodyDone && c.pos == c.end }

// reusable reports whether the connection can be used again, and makes it ready.
func (c *conn) reusable() bool { return c.spent() && c.SetDeadline(time.Time{}) == nil }

// interrupt makes reads and writes fail now.
func (c *conn) interrupt() { _ = c.SetDeadline(time.Unix(1, 0)) }

// fill does one socket read into the buffer and stamps it.
func (c *conn) fill() error {
	if c.pos == c.end {
		c.pos, c.end = 0, 0
	} else if c.end == len(c.rbuf) {
		if c.pos > 0 {
			copy(c.rbuf, c.rbuf[c.pos:c.end])
			c.end -= c.pos
			c.pos = 0
		} else {
			c.rbuf = append(c.rbuf, make([]byte, len(c.rbuf))...)
		}
	}
	c.hasten()
	n, err := c.Conn.Read(c.rbuf[c.end:])
	for n == 0 && c.early(err) {
		n, err = c.Conn.Read(c.rbuf[c.end:])
	}
	if n > 0 {
		c.readAt, c.heard = c.now(), true
		c.end += n
		return nil // an error comes again with the next read
	}
	if err == io.EOF || err == nil {
		return errClosed
	}
	return err
}
