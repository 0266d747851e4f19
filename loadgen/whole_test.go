package loadgen

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// errMore is what a connection without any more bytes says.
var errMore = errors.New("there is no more yet")

type dry struct{ net.Conn }

func (dry) Read([]byte) (int, error)        { return 0, errMore }
func (dry) SetReadDeadline(time.Time) error { return nil }

// holding returns a connection that has b in its buffer, waiting for the answer to a GET.
func holding(b []byte) *conn {
	c := newConn(dry{}, func() int64 { return 1 }, 0)
	c.rbuf = append([]byte(nil), b...)
	c.end = len(b)
	c.out.trip = &trip{q: query{method: http.MethodGet}}
	return c
}

func TestWhole(t *testing.T) {
	for _, c := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n, y\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\nTrailer: x\r\n\n",
	} {
		for n := range len(c) {
			if holding([]byte(c[:n])).whole() {
				t.Errorf("%q is whole, want that only with the rest %q", c[:n], c[n:])
			}
		}
		if !holding([]byte(c)).whole() {
			t.Errorf("%q is not whole", c)
		}
	}
	for _, c := range []string{"HTTP/2 200\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"} {
		if !holding([]byte(c)).whole() {
			t.Errorf("%q, which is no answer, is waited for", c)
		}
	}
	if holding([]byte("HTTP/1.1 200 OK\r\n\r\nuntil the end")).whole() {
		t.Error("an answer that ends with the connection is whole before that")
	}
}

// FuzzWhole: reading an answer that is whole never asks for more.
func FuzzWhole(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nmore"))
	f.Add([]byte("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := holding(b)
		if !c.whole() {
			return
		}
		if err := c.readHead(http.MethodGet); errors.Is(err, errMore) {
			t.Fatalf("%q: its head is not whole", b)
		} else if err == nil {
			if _, err := io.Copy(io.Discard, &c.body); errors.Is(err, errMore) {
				t.Fatalf("%q: its body is not whole", b)
			}
		}
	})
}
