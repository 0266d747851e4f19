package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// maxBody bounds the body of one answer.
const maxBody = 64 << 20

// An Endpoint is where a client sends and how: the settings that all clients share.
type Endpoint struct {
	URL     string
	Clock   *clock.Clock
	Headers [][2]string                               // sent with each request
	Token   func(ctx context.Context) (string, error) // bearer token, asked for each request; nil: none
	TLS     *tls.Config                               // nil: the system's roots

	// Stall is how long a stream must have been silent when its deadline passes for the outcome to be cut_stall and
	// not timeout; 0: a third of the deadline.
	Stall time.Duration

	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer
}

// A query is one HTTP request.
type query struct {
	method  string
	accept  string
	kind    string      // content type of the body
	token   string      // bearer token
	headers [][2]string // of the call
	body    []byte
}

// An answer is the head of an HTTP response, with its body to be read.
type answer struct {
	status  int
	sse     bool // text/event-stream
	json    bool
	coded   bool // compressed, which we did not ask for
	loading bool // a header says that the model is loading
	retry   int64
	body    io.Reader
	readAt  func() int64     // when the last socket read returned
	finish  func(clean bool) // gives the connection back; clean: the body was read to its end
	wait    func(time.Duration)
}

// A transport does one exchange up to the head of the response. It stamps Sent, FirstByte and BytesOut.
type transport interface {
	exchange(ctx context.Context, q *query, r *assay.Request) (*answer, error)
	close()
}

// site is an endpoint in use: what the clients embed.
type site struct {
	Endpoint
	url     *url.URL
	now     func() int64
	carrier transport
	scratch sync.Pool
}

// open checks the endpoint and chooses its transport.
func (e Endpoint) open(adjust func(*url.URL)) (*site, error) {
	u, err := url.Parse(strings.TrimSpace(e.URL))
	if err != nil {
		return nil, errors.New("url: not a valid URL") // the parser's error would repeat a password
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("url %s: want http:// or https://", u.Redacted())
	case u.Host == "":
		return nil, fmt.Errorf("url %s: it names no host", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("url %s: credentials do not belong into a URL: give a token from the environment or a file", u.Redacted())
	case e.Clock == nil:
		return nil, errors.New("client: no clock")
	}
	for _, h := range e.Headers {
		if !safe(h[0]) || h[0] == "" || strings.ContainsAny(h[0], ": ") || !safe(h[1]) {
			return nil, fmt.Errorf("header %q: not a valid HTTP header", h[0])
		}
	}
	u.Fragment = ""
	if adjust != nil {
		adjust(u)
	}
	if e.Dial == nil {
		e.Dial = (&net.Dialer{}).DialContext
	}
	s := &site{Endpoint: e, url: u, now: e.Clock.Now}
	proxy, _ := http.ProxyFromEnvironment(&http.Request{URL: u})
	if u.Scheme == "http" && proxy == nil {
		s.carrier = newWire(s)
	} else {
		s.carrier = newStandard(s)
	}
	return s, nil
}

// Close closes idle connections. The client may still be used.
func (s *site) Close() { s.carrier.close() }

// safe reports whether v may stand in a header.
func safe(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// authorize fetches the token for q.
func (s *site) authorize(ctx context.Context, q *query) error {
	if s.Token == nil {
		return nil
	}
	token, err := s.Token(ctx)
	if err != nil {
		return errCredential
	}
	if token = strings.TrimSpace(token); token == "" || !safe(token) {
		return errCredential
	}
	q.token = token
	return nil
}
