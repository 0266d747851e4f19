package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// A Store is where a worker asks, before it reads its weights from the disk, whether they are the right ones. Its host is looked
// up by name at the name server at Resolver, by the standard library's own resolver.
type Store struct {
	Host     string `json:"host"`     // name; empty: nobody is asked
	Port     string `json:"port"`     // of the store
	Resolver string `json:"resolver"` // host:port of the name server
}

// A Stored file is what the store says of the weights.
type Stored struct {
	Model string `json:"model"`
}

// storeLimit bounds one worker's question to the store, the lookup included. It is longer than two attempts of a lookup.
const storeLimit = 30 * time.Second

func (s Store) check() error {
	if s.Host == "" {
		return nil
	}
	for what, addr := range map[string]string{"port": "127.0.0.1:" + s.Port, "resolver": s.Resolver} {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			return fmt.Errorf("store.%s %q: want an address such as 127.0.0.1:53", what, addr)
		}
	}
	return nil
}

// ask looks the store up and asks it. A worker whose store cannot be found or reached does not start.
func (s Store) ask(ctx context.Context, model string, log *slog.Logger) error {
	if s.Host == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	names := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.Resolver)
	}}
	began := time.Now()
	addrs, err := names.LookupHost(ctx, s.Host+".") // the dot keeps the machine's search list out
	if err != nil {
		return fmt.Errorf("look up the store of weights: %w", err)
	}
	log.Info(fmt.Sprintf("Looking up %s took %.3f seconds", s.Host, time.Since(began).Seconds()), "addresses", addrs)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, net.JoinHostPort(addrs[0], s.Port))
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(s.Host, s.Port)+"/"+model, nil)
	if err != nil {
		return fmt.Errorf("ask the store of weights: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the store of weights: %w", err)
	}
	defer res.Body.Close()
	var got Stored
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&got); err != nil || got.Model != model {
		return fmt.Errorf("ask the store of weights at %s: it has %q, want %q: %v", addrs[0], got.Model, model, err)
	}
	return nil
}
