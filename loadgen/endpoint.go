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
	Class   string                                    // header that tells the target the request's class; "": none does
	User    string                                    // header that tells the target the request's user, a pseudonym; "": none does
	Token   func(ctx context.Context) (string, error) // bearer token, asked for each request; nil: none
	TLS     *tls.Config                               // nil: the system's roots; see [TLSFiles]

	// Sign signs a request as it is about to be sent, by adding to its header; body is what it carries. The call's own headers are
	// not part of it. nil: requests are not signed. See [SigV4].
	Sign func(ctx context.Context, req *http.Request, body []byte) error

	// Refused is told when the target refused our credential, so that a cached one can be fetched anew; it must not block. nil: nobody is told.
	Refused func()

	// HTTP2 speaks HTTP/2 from the first byte where the URL has no TLS (with https it is negotiated in any case). Such requests go
	// through net/http, which stamps less closely than the client for HTTP/1.1.
	HTTP2 bool

	Proxy  func(*http.Request) (*url.URL, error) // nil: as the environment says (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)
	Expect *Expect                               // what a good answer holds; nil: answers are not looked into

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
	headers [][2]string // of the call, and what the signature adds
	body    []byte
	path    string   // escaped path and query in place of the endpoint's; "": the endpoint's
	fields  bool     // the client will ask for header fields of the answer
	single  bool     // the answer is one piece: only its first and last byte matter
	hide    []string // what the signature added, which must not be recorded
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
	readAt  func() int64             // when the last socket read returned
	framed  bool                     // HTTP's framing tells a whole body from one that was cut
	field   func(name string) string // a header field; only where the query asked for fields
	finish  func(clean bool)         // gives the connection back; clean: the body was read to its end
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
	expect  *expectation
	carrier transport
	trips   sync.Pool // of *trip
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
	if !safe(e.Class) || strings.ContainsAny(e.Class, ": ") {
		return nil, fmt.Errorf("class header %q: not a valid name", e.Class)
	}
	u.Fragment = ""
	if adjust != nil {
		adjust(u)
	}
	if e.Dial == nil {
		e.Dial = (&net.Dialer{}).DialContext
	}
	if e.Proxy == nil {
		e.Proxy = http.ProxyFromEnvironment
	}
	s := &site{Endpoint: e, url: u, now: e.Clock.Now}
	if s.expect, err = e.Expect.ready(); err != nil {
		return nil, err
	}
	proxy, _ := e.Proxy(&http.Request{URL: u})
	if u.Scheme == "http" && proxy == nil && !e.HTTP2 {
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

// authorize fetches the token for q, or signs it.
func (s *site) authorize(ctx context.Context, q *query) error {
	if s.Sign != nil {
		return s.sign(ctx, q)
	}
	if s.Token == nil {
		return nil
	}
	token, err := s.Token(ctx)
	if err != nil {
		return credentialError(ctx, err)
	}
	if token = strings.TrimSpace(token); token == "" || !safe(token) {
		return errCredential
	}
	q.token = token
	return nil
}

// credentialError is a credential that could not be had: our own trouble, unless the request's time ran out or the run ended.
func credentialError(ctx context.Context, err error) error {
	if ctx.Err() != nil && expired(err) {
		return err
	}
	return errCredential
}

// sign has q signed.
func (s *site) sign(ctx context.Context, q *query) error {
	req, err := http.NewRequest(q.method, s.target(q), nil)
	if err != nil {
		return &protocolError{"request: not a valid URL"}
	}
	req.Host = req.URL.Host
	if q.body != nil {
		req.Header.Set("Content-Type", q.kind)
		req.ContentLength = int64(len(q.body))
	}
	for _, list := range [][][2]string{s.Headers, q.headers} {
		for _, h := range list {
			if strings.HasPrefix(strings.ToLower(h[0]), "x-amz") { // what belongs to the protocol is part of the signature
				req.Header.Set(h[0], h[1])
			}
		}
	}
	before := len(req.Header)
	if err := s.Sign(ctx, req, q.body); err != nil {
		return credentialError(ctx, err)
	}
	headers := make([][2]string, len(q.headers), len(q.headers)+len(req.Header)-before+1)
	copy(headers, q.headers) // the call's own list stays as it is
	for name, values := range req.Header {
		if name == "Content-Type" || has(s.Headers, name) || has(q.headers, name) {
			continue
		}
		if len(values) != 1 || !safe(values[0]) {
			return errCredential
		}
		headers = append(headers, [2]string{name, values[0]})
		q.hide = append(q.hide, values[0])
	}
	q.headers = headers
	return nil
}

func has(list [][2]string, name string) bool {
	for _, h := range list {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
}

// target returns the URL that q goes to.
func (s *site) target(q *query) string {
	if q.path == "" {
		return s.url.String()
	}
	return s.url.Scheme + "://" + s.url.Host + q.path
}
