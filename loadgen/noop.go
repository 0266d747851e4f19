package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// noop is a streaming endpoint that does nothing but answer: what a client costs at most, and how late its sends
// are, shows best against it.
type noop struct {
	listener net.Listener
	answer   []byte
	conns    sync.WaitGroup
	stop     func() bool
}

// newNoop listens on a free loopback port and answers each request with a stream of the given number of tokens, all in one write.
func newNoop(ctx context.Context, tokens int) (*noop, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	var body strings.Builder
	for range tokens {
		body.WriteString(`data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"none","choices":[{"index":0,"delta":{"content":"time "},"finish_reason":null}]}` + "\n\n")
	}
	body.WriteString(`data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"none","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		fmt.Sprintf(`data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"none","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}`, tokens, tokens+1) + "\n\n" +
		"data: [DONE]\n\n")
	n := &noop{listener: l, answer: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", body.Len(), body.String())}
	n.stop = context.AfterFunc(ctx, func() { l.Close() })
	n.conns.Go(n.accept)
	return n, nil
}

func (n *noop) url() string { return "http://" + n.listener.Addr().String() }

// close ends the listener and waits for the connections, which their clients must have closed.
func (n *noop) close() {
	n.stop()
	n.listener.Close()
	n.conns.Wait()
}

func (n *noop) accept() {
	for {
		c, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.conns.Go(func() { n.serve(c) })
	}
}

// serve answers the requests of one connection; it understands as much HTTP as our own client needs.
func (n *noop) serve(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 0, 16<<10)
	for {
		need := requestLength(buf)
		if need == 0 || len(buf) < need {
			if len(buf) == cap(buf) {
				buf = append(buf, make([]byte, len(buf))...)[:len(buf)]
			}
			got, err := c.Read(buf[len(buf):cap(buf)])
			if err != nil {
				return
			}
			buf = buf[:len(buf)+got]
			continue
		}
		_, path, _ := bytes.Cut(buf[:need], []byte(" "))
		spaced := bytes.HasPrefix(path, []byte(spacedPath))
		buf = append(buf[:0], buf[need:]...)
		if spaced {
			if err := n.drip(c); err != nil {
				return
			}
			continue
		}
		if _, err := c.Write(n.answer); err != nil {
			return
		}
	}
}

// Under spacedPath the answer comes event by event, as from a model.
const (
	spacedPath   = "/spaced"
	spacedEvents = 50
	spacedGap    = 2 * time.Millisecond
)

func (n *noop) drip(c net.Conn) error {
	const event = `data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"none","choices":[{"index":0,"delta":{"content":"time "},"finish_reason":null}]}` + "\n\n"
	text := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(event), event)
	for i := range spacedEvents {
		if i > 0 {
			time.Sleep(spacedGap)
			text = fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
		}
		if _, err := io.WriteString(c, text); err != nil {
			return err
		}
	}
	const done = "data: [DONE]\n\n"
	_, err := fmt.Fprintf(c, "%x\r\n%s\r\n0\r\n\r\n", len(done), done)
	return err
}

// ServeNoop runs the server that a calibration sends to until ctx is done. It writes its URL to out, on a line of its own.
func ServeNoop(ctx context.Context, out io.Writer) error {
	n, err := newNoop(ctx, calibrateTokens)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, n.url()); err != nil {
		n.close()
		return fmt.Errorf("tell the URL: %w", err)
	}
	<-ctx.Done()
	n.stop()
	n.listener.Close() // connections end with the process
	return nil
}

// requestLength returns the length of the request at the beginning of b, 0 while its head is not complete.
func requestLength(b []byte) int {
	n := bytes.Index(b, []byte("\r\n\r\n"))
	if n < 0 {
		return 0
	}
	_, after, ok := bytes.Cut(b[:n+2], []byte("Content-Length: "))
	if !ok {
		return n + 4
	}
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if err != nil || length < 0 {
		return n + 4
	}
	return n + 4 + length
}
