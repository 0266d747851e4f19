package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// leastSpace is the free space below which a run is not begun.
const leastSpace = 64 << 20

// preflight checks what can be known before anything is made: that the target answers, the formats of logs can be read and the disk has room.
func (s *session) preflight(ctx context.Context) error {
	if s.plan.Target.URL != "" {
		via, err := proxy(s.plan.Target.Proxy)
		if err != nil {
			return err
		}
		if err := reachable(ctx, s.plan.Target.URL, via); err != nil {
			return err
		}
	}
	if err := s.frontFormats(); err != nil {
		return err
	}
	disk := filepath.Dir(s.dir)
	for { // the nearest directory that is there
		if _, err := os.Stat(disk); err == nil || disk == filepath.Dir(disk) {
			break
		}
		disk = filepath.Dir(disk)
	}
	free, err := freeSpace(disk)
	if err != nil {
		return fmt.Errorf("look at the disk of %s: %w", disk, err)
	}
	if free < leastSpace {
		return fmt.Errorf("the disk of %s has %d MiB free; a run needs at least %d MiB", disk, free>>20, leastSpace>>20)
	}
	return nil
}

// reachable opens a connection to the target and sends nothing: whether it serves is what the run finds out.
// via names the proxy; nil leaves it to the environment.
func reachable(ctx context.Context, raw string, via func(*http.Request) (*url.URL, error)) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("target.url: %w", err)
	}
	if via == nil {
		via = http.ProxyFromEnvironment
	}
	if proxy, err := via(&http.Request{URL: u}); err == nil && proxy != nil {
		u = proxy
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "grpc": "80", "grpcs": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return fmt.Errorf("reach the target %s: %w", u.Redacted(), err)
	}
	return conn.Close()
}
