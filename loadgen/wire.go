package loadgen

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/assay-dev/assay"
)

const (
	maxIdle     = 1024             // connections kept
	idleFor     = 90 * time.Second // how long they are kept
	staleAfter  = time.Second      // a server's idle timeout is at least this long
	staleMargin = 5 * time.Millisecond
)

// wire speaks HTTP/1.1 over plain connections that it keeps and reuses. It exists for its stamps:
// Sent is taken right before the one write that carries the request, and each socket read is
// stamped when it returns, so neither buffering nor another goroutine lies in between. It
// follows no redirects, asks for no compression and never pipelines.
type wire struct {
	site *site
	addr string
	head []byte // the fixed end of a request's head: host and headers of the endpoint
	path string

	mu     sync.Mutex
	idle   []*conn // the one used last comes first
	manned []*conn // the same, of those that have a goroutine of their own
	polled []*conn // the same, of those that the pacing goroutine reads from
}

func newWire(s *site) *wire {
	port := s.url.Port()
	if port == "" {
		port = "80"
	}
	var b strings.Builder
	b.WriteString(" HTTP/1.1\r\nHost: " + s.url.Host + "\r\nUser-Agent: assay\r\n")
	for _, h := range s.Headers {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	return &wire{site: s, addr: net.JoinHostPort(s.url.Hostname(), port), head: []byte(b.String()), path: requestPath(s.url)}
}

func requestPath(u *url.URL) string {
	if p := u.RequestURI(); p != "" {
		return p
	}
	return "/"
}

// get returns an idle connection that is still open, or nil.
func (w *wire) get() *conn {
	for {
		w.mu.Lock()
		n := len(w.idle)
		if n == 0 {
			w.mu.Unlock()
			return nil
		}
		c := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		if w.site.now()-c.idleAt < int64(idleFor) && c.alive() {
			return c
		}
		c.Close()
	}
}

// put keeps an open connection for reuse.
func (w *wire) put(c *conn) {
	c.idleAt = w.site.now()
	w.mu.Lock()
	if len(w.idle) < maxIdle {
		w.idle = append(w.idle, c)
		c = nil
	}
	w.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (w *wire) close() {
	w.mu.Lock()
	idle, manned := w.idle, w.manned
	w.idle, w.manned = nil, nil
	w.mu.Unlock()
	for _, c := range append(idle, manned...) {
		c.Close()
	}
	for _, c := range manned {
		<-c.left
	}
}

func (w *wire) dial(ctx context.Context) (*conn, error) {
	began := w.site.now()
	nc, err := w.site.Dial(ctx, "tcp", w.addr)
	if err != nil {
		return nil, &dialError{err}
	}
	return newConn(nc, w.site.now, time.Duration(w.site.now()-began)), nil
}

// exchange implements transport.
func (w *wire) exchange(ctx context.Context, q *query, r *assay.Request) (*answer, error) {
	c := w.get()
	if c == nil {
		return w.fresh(ctx, q, r)
	}
	a, err := w.try(ctx, c, q, r)
	if err == nil {
		return a, nil
	}
	c.Close()
	if !c.wasStale(err) || ctx.Err() != nil {
		return nil, err
	}
	return w.fresh(ctx, q, r)
}

// fresh does the exchange on a new connection.
func (w *wire) fresh(ctx context.Context, q *query, r *assay.Request) (*answer, error) {
	stamp(&r.Sent, w.site.now())
	c, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	a, err := w.try(ctx, c, q, r)
	if err != nil {
		c.Close()
	}
	return a, err
}

// try does the exchange on c. On success the answer owns c.
func (w *wire) try(ctx context.Context, c *conn, q *query, r *assay.Request) (*answer, error) {
	// The deadline and a cancelled run both end the exchange through the connection's own deadline.
	stop := context.AfterFunc(ctx, c.interrupt)
	c.wbuf = w.write(c.wbuf[:0], q)
	c.wroteAt = w.site.now()
	stamp(&r.Sent, c.wroteAt)
	c.got, c.heard, c.fields = false, false, q.fields
	_, werr := c.Write(c.wbuf)
	a, err := w.hear(c, q, r)
	if err != nil {
		stop()
		return nil, cause(err, werr, c)
	}
	f, _ := ctx.(*flight)
	a.finish = func(clean bool) {
		switch {
		case !stop() || !clean || werr != nil || !c.reusable():
			c.Close()
		case f == nil || !f.man || c.peek == nil || len(q.body) > maxLaunch/2 || len(c.wbuf) > maxLaunch: // the next may be as long, and then nobody could launch it
			w.put(c)
		case q.single && f.poll != nil:
			if !f.poll.adopt(w, c) {
				w.put(c)
			}
		default:
			w.man(c)
		}
	}
	return a, nil
}

// cause returns what ended an exchange on c: the error of the write, if nothing was read at all, or that of the read.
func cause(read, write error, c *conn) error {
	if write != nil && !c.got {
		return write
	}
	return read
}

// hear reads the head of the answer to a request.
func (w *wire) hear(c *conn, q *query, r *assay.Request) (*answer, error) {
	// A server may answer and close before it has read everything: look for the answer even so.
	err := c.readHead(q.method)
	if c.got {
		r.FirstByte = c.firstAt
	}
	if err != nil {
		return nil, err
	}
	r.BytesOut = int64(len(q.body))
	return &c.answer, nil
}

// write appends the whole request.
func (w *wire) write(b []byte, q *query) []byte {
	b = append(b, q.method...)
	b = append(b, ' ')
	if q.path != "" {
		b = append(b, q.path...)
	} else {
		b = append(b, w.path...)
	}
	b = append(b, w.head...)
	if q.accept != "" {
		b = append(b, "Accept: "...)
		b = append(b, q.accept...)
		b = append(b, "\r\n"...)
	}
	if q.token != "" {
		b = append(b, "Authorization: Bearer "...)
		b = append(b, q.token...)
		b = append(b, "\r\n"...)
	}
	for _, h := range q.headers {
		b = append(b, h[0]...)
		b = append(b, ": "...)
		b = append(b, h[1]...)
		b = append(b, "\r\n"...)
	}
	if q.body != nil {
		b = append(b, "Content-Type: "...)
		b = append(b, q.kind...)
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(q.body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, q.body...)
}

// stamp sets an instant that is not set yet.
func stamp(at *int64, now int64) {
	if *at == 0 {
		*at = now
	}
}

// wasStale reports whether err shows that the server had closed the pooled connection before the request reached
// it. A server that dies with our request in hand looks almost the same, and that must not be hidden by
// a retry, so everything has to fit: nothing was received, the connection had been idle for as long as servers'
// idle timeouts are, and the refusal came within a round trip.
func (c *conn) wasStale(err error) bool {
	return !c.heard && c.idleAt != 0 && c.wroteAt-c.idleAt >= int64(staleAfter) && closed(err) &&
		c.now()-c.wroteAt <= int64(2*c.rtt+staleMargin)
}

// closed reports whether err says that the other side closed or reset the connection.
func closed(err error) bool {
	return errors.Is(err, errClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
