package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
)

// standard speaks over net/http: https, HTTP/2, proxies. Sent is stamped when the first header field is
// written, which is before the write to the socket by what buffering and encryption take. With HTTP/1.1 the stamps of reads are
// those of the socket; with HTTP/2, where a connection is shared, they are taken when the body's read returns.
type standard struct {
	site *site
	http *http.Transport
	ours certified
}

func newStandard(s *site) *standard {
	dial := s.Dial
	t := &standard{site: s}
	t.http = &http.Transport{
		Proxy: s.Proxy, Protocols: protocols(s.HTTP2),
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stampedConn{Conn: nc, now: s.now}, nil
		},
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode/100 != 2 {
				return &proxyError{resp.StatusCode}
			}
			return nil
		},
		TLSClientConfig: t.ours.watch(s.TLS), DisableCompression: true,
		MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleFor,
		MaxResponseHeaderBytes: maxHead,
	}
	return t
}

// protocols are those spoken; with prior knowledge, HTTP/2 alone where there is no TLS to negotiate it.
func protocols(known bool) *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(!known)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(known)
	return p
}

func (t *standard) close() { t.http.CloseIdleConnections() }

// stampedConn keeps when its last read returned.
type stampedConn struct {
	net.Conn
	now    func() int64
	readAt atomic.Int64
}

func (c *stampedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.readAt.Store(c.now())
	}
	return n, err
}

// hooks gathers the instants of one exchange. Some hooks run after it has ended, so it shares nothing with the request.
type hooks struct {
	now               func() int64
	asked, sent, byte atomic.Int64
	conn              atomic.Pointer[stampedConn]
	connected         atomic.Bool
}

// lastRead returns when the last read of the socket returned, or the time where the socket is shared.
func (h *hooks) lastRead() int64 {
	if c := h.conn.Load(); c != nil {
		return c.readAt.Load()
	}
	return h.now()
}

func (h *hooks) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { h.asked.CompareAndSwap(0, h.now()) },
		GotConn: func(info httptrace.GotConnInfo) {
			h.connected.Store(true)
			if !info.Reused {
				h.sent.CompareAndSwap(0, h.asked.Load())
			}
			nc := info.Conn
			if secure, ok := nc.(*tls.Conn); ok {
				if secure.ConnectionState().NegotiatedProtocol == "h2" {
					return // other requests read from it too
				}
				nc = secure.NetConn()
			}
			if c, ok := nc.(*stampedConn); ok {
				h.conn.Store(c)
			}
		},
		WroteHeaderField:     func(string, []string) { h.sent.CompareAndSwap(0, h.now()) },
		GotFirstResponseByte: func() { h.byte.Store(h.lastRead()) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			h.byte.Store(0)
			return nil
		},
	}
}

// exchange implements transport.
func (t *standard) exchange(ctx context.Context, q *query, r *assay.Request) (*answer, error) {
	s := t.site
	h := &hooks{now: s.now}
	ctx, cancel := context.WithCancel(httptrace.WithClientTrace(ctx, h.trace()))
	var content io.Reader
	if q.body != nil {
		content = strings.NewReader(string(q.body)) // a copy: it may be read after the exchange has ended
	}
	req, err := http.NewRequestWithContext(ctx, q.method, s.target(q), content)
	if err != nil {
		cancel()
		return nil, &protocolError{"request: " + err.Error()}
	}
	req.Header.Set("User-Agent", "assay")
	for _, list := range [][][2]string{s.Headers, q.headers} {
		for _, f := range list {
			req.Header.Set(f[0], f[1])
		}
	}
	if q.accept != "" {
		req.Header.Set("Accept", q.accept)
	}
	if q.body != nil {
		req.Header.Set("Content-Type", q.kind)
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	resp, err := t.http.RoundTrip(req)
	r.Sent = h.sent.Load()
	stamp(&r.Sent, h.asked.Load())
	left := ctx.Err() // a server that sees us leave may still answer before the socket is closed: that is no answer in time
	switch {
	case err != nil && left == nil && h.byte.Load() == 0 && t.ours.blame(err):
		err = errCertificate
	case err != nil && !h.connected.Load():
		err = &dialError{err}
	case err != nil && left == nil:
		r.FirstByte = h.byte.Load()
	case err == nil && left != nil:
		resp.Body.Close()
		err = left
	}
	if err != nil {
		cancel()
		return nil, err
	}
	t.ours.welcome.Store(true)
	r.FirstByte = h.byte.Load()
	stamp(&r.FirstByte, h.lastRead())
	r.BytesOut = int64(len(q.body))
	return t.answer(resp, h, cancel), nil
}

// answer wraps a response.
func (t *standard) answer(resp *http.Response, h *hooks, cancel func()) *answer {
	a := &answer{status: resp.StatusCode, body: &limited{Reader: resp.Body}, readAt: h.lastRead}
	a.sse, a.json = kindOf(resp.Header.Get("Content-Type"))
	a.framed = resp.ContentLength >= 0 || len(resp.TransferEncoding) > 0 || resp.ProtoMajor > 1
	a.field = resp.Header.Get
	coding := resp.Header.Get("Content-Encoding")
	a.coded = coding != "" && !strings.EqualFold(coding, "identity")
	fields := head{status: resp.StatusCode}
	for name, values := range resp.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "retry-after") || fields.status == http.StatusServiceUnavailable {
			for _, v := range values {
				_ = fields.field([]byte(name), []byte(v)) // framing was checked by net/http
			}
		}
	}
	a.retry, a.loading = fields.retry, fields.loaded
	var timer *time.Timer
	a.wait = func(d time.Duration) { timer = time.AfterFunc(d, cancel) }
	a.finish = func(bool) {
		resp.Body.Close()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
	return a
}

// limited bounds a body.
type limited struct {
	io.Reader
	total int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if l.total += int64(n); l.total > maxBody {
		return n, &protocolError{fmt.Sprintf("body larger than %d bytes", maxBody)}
	}
	return n, err
}
