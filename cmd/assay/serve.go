package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// metricsServer serves the live metrics of a run; nil serves nothing.
type metricsServer struct {
	server *http.Server
	addr   string
	done   chan struct{}
}

// metricsOptions are the flags of the live metrics, which run and load share.
type metricsOptions struct {
	addr     string // empty: none are served
	tokenEnv string // environment variable that holds the bearer token that scrapers must show
}

// flags adds the flags to a command.
func (o *metricsOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.addr, "metrics", "", "serve live metrics for Prometheus on this address, for example 127.0.0.1:9464; beyond loopback behind --metrics-token-env")
	f.StringVar(&o.tokenEnv, "metrics-token-env", "", "environment variable that holds the bearer token that who scrapes --metrics must show")
}

// token checks the flags and returns the token, empty where none is asked for.
func (o metricsOptions) token() (string, error) {
	if o.addr == "" {
		if o.tokenEnv != "" {
			return "", errors.New("--metrics-token-env goes with --metrics")
		}
		return "", nil
	}
	hostname, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return "", fmt.Errorf("--metrics %q is not an address; write for example 127.0.0.1:9464", o.addr)
	}
	if ip := net.ParseIP(hostname); o.tokenEnv == "" && hostname != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("--metrics %q can be reached from other machines, so scrapers must show a token: name the environment variable that holds one by --metrics-token-env, "+
			"and give it to Prometheus as authorization.credentials_file; or serve on loopback, for example 127.0.0.1:9464", o.addr)
	}
	token := strings.TrimSpace(os.Getenv(o.tokenEnv))
	if token == "" && o.tokenEnv != "" {
		return "", fmt.Errorf("--metrics-token-env: the environment variable %s is not set", o.tokenEnv)
	}
	return token, nil
}

// serveMetrics serves h at /metrics; without an address nothing.
func serveMetrics(o metricsOptions, h http.Handler) (*metricsServer, error) {
	token, err := o.token()
	if err != nil || o.addr == "" {
		return nil, err
	}
	if token != "" {
		h = bearerOnly(token, h)
	}
	lis, err := net.Listen("tcp", o.addr)
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

// bearerOnly lets only requests through that show the token, which is compared in constant time.
func bearerOnly(token string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") || subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "show the token of --metrics-token-env as a bearer token", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
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
