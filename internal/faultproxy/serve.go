package faultproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// hopByHop are the headers that speak of one connection.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

const lingerFor = time.Second // how long an orderly cut waits for the client to close too

// serve is the handler: it judges the request and passes it on, or not.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	s := p.state.Load()
	probe := r.Header[Probe] != nil
	struck := probe && s.Mode != None
	if !probe {
		struck = s.strikes(s.requests.Add(1))
	}
	x := &exchange{p: p, s: s, w: w, r: r, probe: probe}
	if struck {
		switch s.Mode {
		case Status:
			x.hit()
			x.refuse()
			return
		case Latency:
			x.hit()
			if !x.wait(s.Delay) {
				return
			}
		case Hang:
			x.hit()
			if !x.wait(0) {
				return
			}
		default:
			x.struck = s.stream()
		}
	}
	x.pass()
}

// An exchange is one request on its way through the proxy.
type exchange struct {
	p      *Proxy
	s      *state
	w      http.ResponseWriter
	r      *http.Request
	probe  bool
	struck bool // its stream is to be hurt
	tokens int  // of its stream, so far
}

// hit counts the request as hurt.
func (x *exchange) hit() {
	if !x.probe {
		x.s.struck.Add(1)
	}
}

// wait holds the exchange for d, or until the fault is lifted; d of 0 is for ever. It returns false if the client is gone.
func (x *exchange) wait(d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-over:
	case <-x.s.changed:
	case <-x.r.Context().Done():
		return false
	}
	return true
}

// refuse answers with the status of the fault.
func (x *exchange) refuse() {
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Assay-Fault", Status)
	if x.s.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(x.s.RetryAfter/time.Second)))
	}
	x.w.WriteHeader(x.s.Status)
	fmt.Fprintf(x.w, `{"error":{"message":"a fault injected on purpose","type":"injected","code":%d}}`+"\n", x.s.Status)
}

// pass asks the upstream, or answers a probe, and relays the answer.
func (x *exchange) pass() {
	if x.probe {
		x.relay(answerProbe(&x.s.Conditions))
		return
	}
	// Else the server reads away what the upstream has not been sent yet when an answer begins, and the answer breaks.
	_ = http.NewResponseController(x.w).EnableFullDuplex()
	in, up := x.r, x.p.upstream
	out := (&http.Request{Method: in.Method, URL: &url.URL{Scheme: up.Scheme, Host: up.Host, Path: in.URL.Path, RawPath: in.URL.RawPath, RawQuery: in.URL.RawQuery},
		Host: up.Host, Header: in.Header, Body: in.Body, ContentLength: in.ContentLength, ProtoMajor: 1, ProtoMinor: 1}).WithContext(in.Context())
	if in.ContentLength == 0 {
		out.Body = http.NoBody
	}
	for _, k := range hopByHop {
		delete(out.Header, k)
	}
	if out.Header["User-Agent"] == nil {
		out.Header["User-Agent"] = nil // none, instead of that of the standard library
	}
	res, err := x.p.transport.RoundTrip(out)
	if err != nil {
		x.end(errors.Is(err, io.EOF)) // it closed without an answer; all else is a reset
		return
	}
	defer res.Body.Close()
	x.relay(res)
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// relay passes an answer on.
func (x *exchange) relay(res *http.Response) {
	h := x.w.Header()
	for k, v := range res.Header {
		h[k] = v
	}
	for _, k := range hopByHop {
		delete(h, k)
	}
	x.w.WriteHeader(res.StatusCode)
	kind := streamKind(res.Header.Get("Content-Type"))
	if x.struck && kind != notStream {
		x.stream(res.Body, kind)
		return
	}
	rc := http.NewResponseController(x.w)
	flush := res.ContentLength < 0 || kind != notStream
	if flush && rc.Flush() != nil {
		return
	}
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	for {
		n, err := res.Body.Read(*b)
		if n > 0 {
			if _, err := x.w.Write((*b)[:n]); err != nil {
				return
			}
			if flush && rc.Flush() != nil {
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			x.broke(err)
			return
		}
	}
}

// broke ends the exchange as the upstream ended it.
func (x *exchange) broke(err error) {
	if x.r.Context().Err() != nil { // the client went first
		panic(http.ErrAbortHandler)
	}
	x.end(!errors.Is(err, syscall.ECONNRESET))
}

// end ends the client's connection in the middle of an answer, in order if gently, else by reset.
func (x *exchange) end(gently bool) {
	rc := http.NewResponseController(x.w)
	if x.tokens > 0 || gently {
		rc.Flush()
	}
	c, _, err := rc.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if s, ok := c.(*tls.Conn); ok {
		c = s.NetConn()
	}
	defer c.Close()
	t := c.(*net.TCPConn)
	if !gently {
		t.SetLinger(0)
		return
	}
	// Closing a socket with unread bytes would reset it, so read on until the client closes too.
	defer context.AfterFunc(x.r.Context(), func() { t.SetDeadline(time.Unix(1, 0)) })()
	t.SetDeadline(time.Now().Add(lingerFor))
	t.CloseWrite()
	io.Copy(io.Discard, t)
}

// answerProbe is what an upstream would have answered to a probe: a stream long enough for the fault to strike.
func answerProbe(c *Conditions) *http.Response {
	body := strings.Repeat(`data: {"choices":[{"delta":{"content":"x"}}]}`+"\n\n", c.Tokens+3) + "data: [DONE]\n\n"
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, ContentLength: -1,
		Body: io.NopCloser(strings.NewReader(body))}
}
