package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// metricsServer serves the live metrics of a run; nil serves nothing.
type metricsServer struct {
	server *http.Server
	addr   string
	done   chan struct{}
}

// serveMetrics serves h at /metrics on addr; an empty address serves nothing. Only loopback: the metrics carry no token.
func serveMetrics(addr string, h http.Handler) (*metricsServer, error) {
	if addr == "" {
		return nil, nil
	}
	hostname, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--metrics %q is not an address; write for example 127.0.0.1:9464", addr)
	}
	if ip := net.ParseIP(hostname); hostname != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("--metrics %q is not on loopback; let a scraper beside it forward the metrics, for example 127.0.0.1:9464", addr)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	m := &metricsServer{server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, addr: lis.Addr().String(), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		m.server.Serve(lis) // returns when closed
	}()
	return m, nil
}

func (m *metricsServer) close() {
	if m == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		m.server.Close()
	}
	<-m.done
}
