package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const dialTimeout = 5 * time.Second

// newTransport returns the connections to one instance.
func newTransport() *http.Transport {
	return &http.Transport{DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, DisableCompression: true,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}
}

// attempt sends the request to the instance of the ticket and passes its answer on. It returns
// true, having answered nothing, if retry is set and the instance refused the connection.
func (g *gateway) attempt(x *exchange, t ticket, retry bool) (again bool) {
	begin := time.Now()
	// The end of a client's connection ends the upstream request too, so does a failed write to it.
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	ctx, span := g.tracer.Start(ctx, "upstream", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(begin),
		trace.WithAttributes(attribute.String("faas.instance", t.b.id), attribute.String("server.address", strings.TrimPrefix(t.b.url, "http://"))))
	x.truth.UpstreamFrom = begin.UnixNano()
	err := g.exchange(ctx, x, t, span)
	end := time.Now()
	x.truth.UpstreamTo = end.UnixNano()
	if err != nil {
		span.SetAttributes(attribute.String("error.type", errorType(err)))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End(trace.WithTimestamp(end))
	switch refused := errors.Is(err, syscall.ECONNREFUSED); {
	case err == nil:
		x.truth.Outcome = outcomeOK
	case x.ctx.Err() != nil, errors.Is(err, errClientWrite):
		x.gone(err)
	default:
		g.failed(t.b, errorType(err))
		switch {
		case refused && retry:
			return true
		case x.began:
			x.truth.Outcome, x.truth.Error, x.reset = outcomeAborted, err.Error(), errors.Is(err, syscall.ECONNRESET)
		case refused:
			x.fail(outcomeRefused, http.StatusBadGateway, "server_error", "instance_refused", "the instance refused the connection")
		default:
			x.fail(outcomeUpstream, http.StatusBadGateway, "server_error", "instance_failed", "the instance failed before its answer began: "+errorType(err))
		}
	}
	return false
}

var errClientWrite = errors.New("write to the client")

// exchange does the round trip. An error that is not errClientWrite is the instance's.
func (g *gateway) exchange(ctx context.Context, x *exchange, t ticket, span trace.Span) error {
	req, err := http.NewRequestWithContext(ctx, x.r.Method, t.b.route()+x.r.URL.RequestURI(), bytes.NewReader(x.body))
	if err != nil {
		return fmt.Errorf("make the upstream request: %w", err)
	}
	copyHeader(req.Header, x.r.Header)
	req.Header.Del("Authorization") // the platform's matter, not the worker's
	traceContext.Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := t.b.client.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	copyHeader(x.w.Header(), res.Header)
	x.w.Header().Set("Server-Timing", fmt.Sprintf("activator;dur=%.3f", float64(x.truth.Wait)/1e6))
	x.began = true
	x.truth.Status = res.StatusCode
	x.w.WriteHeader(res.StatusCode)
	out := http.NewResponseController(x.w)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errClientWrite, err)
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			if x.truth.UpstreamFirst == 0 {
				x.truth.UpstreamFirst = time.Now().UnixNano()
			}
			x.truth.BytesOut += int64(n)
			if _, err := x.w.Write(buf[:n]); err != nil {
				return fmt.Errorf("%w: %w", errClientWrite, err)
			}
			if err := out.Flush(); err != nil {
				return fmt.Errorf("%w: %w", errClientWrite, err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reset resets the client's connection, where it is one of HTTP/1.1.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	c.Close()
}

// hopByHop are the headers that speak of one connection, and those the gateway writes anew.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Traceparent", "Tracestate", "Content-Length"}

func copyHeader(dst, src http.Header) {
	for k, v := range src {
		dst[k] = append([]string(nil), v...)
	}
	for _, field := range src.Values("Connection") {
		for name := range strings.SplitSeq(field, ",") {
			dst.Del(strings.TrimSpace(name))
		}
	}
	for _, k := range hopByHop {
		dst.Del(k)
	}
}

// errorType names the cause of a failed connection in one word, for spans and events.
func errorType(err error) string {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection_reset"
	case errors.Is(err, errClientWrite), errors.Is(err, context.Canceled):
		return "client_gone"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection_closed"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	}
	return "connection_error"
}
