package faultproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Probe is the header of a probe.
const Probe = "X-Assay-Probe"

// Options of a proxy. The zero value listens without TLS on a free port of 127.0.0.1.
type Options struct {
	Secure bool                                                              // listen with TLS, under a certificate of the proxy's own; see Roots
	TLS    *tls.Config                                                       // of the connections to the upstream; nil: the system's roots
	Proxy  func(*http.Request) (*url.URL, error)                             // of the connections to the upstream; nil: none
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error) // opens the connections to the upstream; nil: as usual, within 10 s
}

// Stats counts the requests since the conditions were set, without probes.
type Stats struct {
	Requests int64 `json:"requests"` // arrived
	Struck   int64 `json:"struck"`   // hurt: a stream that ended before its cut was not
}

// A Proxy passes HTTP/1.1 requests to one upstream under conditions that may change at any time. All methods
// may be called at once. Upgrades and trailers are not passed on.
type Proxy struct {
	upstream  *url.URL
	scheme    string
	ln        net.Listener
	server    *http.Server
	transport *http.Transport
	chain     *chain // nil without TLS
	stop      context.CancelFunc
	wg        sync.WaitGroup

	state atomic.Pointer[state]

	mu sync.Mutex // orders changes
}

// state is what lies on the proxy now. Whoever is held under it also waits for changed.
type state struct {
	Conditions
	requests, struck atomic.Int64
	changed          chan struct{}
}

// Listen opens a proxy to the server of an http or https URL; its path is not used.
func Listen(upstream string, opt Options) (*Proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("open fault proxy: upstream %q; want an http or https URL", upstream)
	}
	p := &Proxy{upstream: u, scheme: "http"}
	if opt.Dial == nil {
		opt.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	p.transport = &http.Transport{DialContext: opt.Dial, TLSClientConfig: opt.TLS, Proxy: opt.Proxy,
		DisableCompression: true, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, ReadBufferSize: 16 << 10}
	if p.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("open fault proxy to %s: %w", u.Host, err)
	}
	ln := p.ln
	if opt.Secure {
		if p.chain, err = newChain(u.Hostname()); err != nil {
			p.ln.Close()
			return nil, fmt.Errorf("open fault proxy to %s: %w", u.Host, err)
		}
		p.scheme = "https"
		ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return p.chain.certificate(p.state.Load().Mode == Expired)
			}})
	}
	p.state.Store(&state{changed: make(chan struct{})})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	p.wg.Go(func() { p.server.Serve(ln) })
	return p, nil
}

// URL returns the URL of the proxy, without a path.
func (p *Proxy) URL() string { return p.scheme + "://" + p.ln.Addr().String() }

// Roots returns what to trust to reach a proxy with TLS, and the name its certificate has.
func (p *Proxy) Roots() (roots *x509.CertPool, name string) { return p.chain.roots, p.chain.name }

// Conditions returns what the last Set laid on the proxy; zero after Reset.
func (p *Proxy) Conditions() Conditions { return p.state.Load().Conditions }

// Stats returns the counts since the last Set.
func (p *Proxy) Stats() Stats {
	s := p.state.Load()
	return Stats{s.requests.Load(), s.struck.Load()}
}

// Reset takes away what Set laid on the proxy, and lets go what is held.
func (p *Proxy) Reset() { p.Set(Conditions{}) }

// Set replaces the conditions for requests that arrive from now on. Conditions that do not pass Check are a bug of the
// caller, and panic.
func (p *Proxy) Set(c Conditions) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state.Swap(&state{Conditions: c, changed: make(chan struct{})})
	close(old.changed)
	if p.chain != nil {
		// A connection keeps the certificate that it began with, so idle ones end here and the others after their answer.
		p.server.SetKeepAlivesEnabled(c.Mode != Expired)
	}
}

// Close stops listening and ends all connections.
func (p *Proxy) Close() error {
	p.stop()
	err := p.server.Close()
	p.wg.Wait()
	p.transport.CloseIdleConnections()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close fault proxy: %w", err)
	}
	return nil
}
