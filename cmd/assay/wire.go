package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/faultproxy"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/resolver"
	"github.com/assay-dev/assay/loadgen"
)

// A wire is the fault proxy of a run whose target is no sandbox, the name server that it asks where lookups are to fail, and the admin
// server through which their faults are undone, whoever is left to do it.
type wire struct {
	proxy *faultproxy.Proxy
	names *resolver.Server // nil unless a step makes lookups fail
	admin *http.Server
	url   string // of the target through the proxy
	at    string // URL of the admin server
}

// startWire puts a fault proxy between the load and the target of the endpoint, and changes the endpoint to lead through it.
func startWire(e *loadgen.Endpoint, r *reach, steps []chaos.Step) (*wire, error) {
	target, err := url.Parse(e.URL)
	if err != nil {
		return nil, fmt.Errorf("target.url: %w", err)
	}
	opt := faultproxy.Options{TLS: e.TLS, Proxy: e.Proxy, Dial: e.Dial,
		Secure: slices.ContainsFunc(steps, func(s chaos.Step) bool { return s.Mode == faultproxy.Expired })}
	if opt.Proxy == nil {
		opt.Proxy = http.ProxyFromEnvironment
	}
	w := &wire{}
	if slices.ContainsFunc(steps, func(s chaos.Step) bool { return s.Fault == "dns" && s.By == chaos.ByWire }) {
		name := target.Hostname()
		if r != nil { // that is never looked up
			name, _, _ = net.SplitHostPort(r.at)
		}
		if w.names, err = resolver.Listen(resolver.Options{Name: name, Find: resolver.Others}); err != nil {
			return nil, err
		}
		opt.Dial = r.dial((&resolver.Dialer{Addr: w.names.Addr(), Dialer: net.Dialer{Timeout: 10 * time.Second}}).DialContext)
	}
	if w.proxy, err = faultproxy.Listen(e.URL, opt); err != nil {
		w.close()
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.close()
		return nil, fmt.Errorf("open the admin server of the fault proxy: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/admin/faults/"+chaos.WireID, w.proxy.Admin())
	if w.names != nil {
		mux.Handle("/admin/dns", w.names.Admin())
	}
	w.admin = &http.Server{Handler: mux}
	go w.admin.Serve(ln) // ends with close
	w.at = "http://" + ln.Addr().String()

	through, _ := url.Parse(w.proxy.URL())
	target.Scheme, target.Host = through.Scheme, through.Host
	w.url = target.String()
	e.URL, e.TLS, e.Dial = w.url, nil, nil
	e.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	if opt.Secure {
		roots, name := w.proxy.Roots()
		e.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: name}
	}
	return w, nil
}

// driver returns the driver of the faults on the wire.
func (w *wire) driver(run string) (*chaos.Wire, error) {
	self, err := chaos.ProcessOf(os.Getpid())
	if err != nil {
		return nil, err
	}
	return &chaos.Wire{RunID: run, Admin: &chaos.AdminPlatform{URL: w.at, Self: self}}, nil
}

// close may be called on nil.
func (w *wire) close() {
	if w == nil {
		return
	}
	if w.proxy != nil {
		w.proxy.Close()
	}
	if w.names != nil {
		w.names.Close()
	}
	if w.admin != nil {
		w.admin.Close()
	}
}

// putOnWire puts the fault proxy of the plan's faults in front of its target, which the report then says too.
func (s *session) putOnWire(e *loadgen.Endpoint) error {
	if !slices.ContainsFunc(s.plan.Chaos, func(f plan.Fault) bool { return f.By == chaos.ByWire }) {
		return nil
	}
	var err error
	if s.wire, err = startWire(e, reachOf(&s.plan.Target), steps(s.plan)); err != nil {
		return &status{assay.ExitPreflight, err}
	}
	return s.store.Emit(&assay.Event{Time: s.clock.Now(), Source: "chaos", Kind: assay.EventWarning, Text: onWire})
}

const onWire = "faults lie in a proxy of ours between the load and the target: the target itself is not hurt, and all requests pass the proxy"
