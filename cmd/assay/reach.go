package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/probes"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// A reach is a target that is asked for by a name that does not lead to it: a virtual host of an ingress, which target.host names and no DNS knows yet. Its
// URL then has the name, so that all that follows from a URL does (Host or :authority, the name in TLS, what is signed), and connections to that name go
// to where target.url points. A nil reach is a target whose URL says both.
type reach struct {
	url  string // with the name
	name string // with its port
	at   string // where it is reached, with its port
}

// dialer connects.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// reachOf returns how a plan's target is reached; nil: as its URL says.
func reachOf(t *plan.Target) *reach {
	u, err := url.Parse(t.URL)
	if t.Host == "" || err != nil {
		return nil
	}
	r := &reach{at: withPort(u)}
	u.Host = t.Host
	r.url, r.name = u.String(), withPort(u)
	return r
}

// withPort returns where a URL leads, with its port.
func withPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "grpc": "80", "grpcs": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// dial returns next with connections to the name led to where it is reached.
func (r *reach) dial(next dialer) dialer {
	if r == nil {
		return next
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.EqualFold(addr, r.name) {
			addr = r.at
		}
		return next(ctx, network, addr)
	}
}

// lead makes an endpoint go there. A proxy would look the name up itself, so none is used.
func (r *reach) lead(e *loadgen.Endpoint) {
	if r == nil {
		return
	}
	e.URL, e.Dial = r.url, r.dial((&net.Dialer{}).DialContext)
	e.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
}

// asked is the URL that requests to a plan's target name.
func asked(t *plan.Target) string {
	if r := reachOf(t); r != nil {
		return r.url
	}
	return t.URL
}

// urlOf says in words where a plan's target is.
func urlOf(t *plan.Target) string {
	if t.Host == "" {
		return t.URL
	}
	return t.URL + " (host " + t.Host + ")"
}

// looker returns what looks at the plan's target and at other addresses.
func looker(t *plan.Target, timeout time.Duration) *http.Client {
	c := probes.Client(timeout)
	if r := reachOf(t); r != nil {
		way := c.Transport.(*http.Transport)
		way.DialContext = r.dial(way.DialContext)
	}
	return c
}

const hostHelp = "name that requests ask for where the URL only says where to connect: a virtual host such as llama.models.example.com; sent as Host, and as the TLS server name"
