package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// The ends of a probe, as its client sees them.
const (
	endAnswer  = "an answer"
	endReset   = "a reset"
	endEOF     = "an orderly end without an answer"
	endRefused = "a refused connect"
	endSilence = "no answer"
	endStopped = "nothing before it was stopped"
)

// A sight is what one probe saw.
type sight struct {
	end   string
	first time.Duration // until the first byte, or the end
	close time.Duration // from the first byte until the end, where that was asked for
	err   error         // of other ends
}

// probe asks addr for the driver's probe path on a connection of its own and sees how long the first
// byte of any answer takes, or how the connection ends. It speaks HTTP/1.1 by hand, since
// a client that retries or keeps connections would hide what is measured.
func (d *Local) probe(ctx context.Context, addr string) sight {
	return d.probePadded(ctx, addr, 0, false)
}

// probePadded is probe with so many bytes more in the head. It sees the end of the connection too if closes.
func (d *Local) probePadded(ctx context.Context, addr string, pad int, closes bool) sight {
	start := time.Now()
	saw := func(err error) sight {
		s := sight{first: time.Since(start), err: err}
		var ne net.Error
		switch {
		case err == nil:
			s.end = endAnswer
		case errors.Is(err, syscall.ECONNREFUSED):
			s.end = endRefused
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			s.end = endReset
		case errors.Is(err, io.EOF):
			s.end = endEOF
		case ctx.Err() != nil, errors.As(err, &ne) && ne.Timeout():
			s.end = endSilence
		default:
			s.end = err.Error()
		}
		return s
	}
	var dial net.Dialer
	c, err := dial.DialContext(ctx, "tcp", addr)
	if err != nil {
		return saw(err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	path := d.Probe
	if path == "" {
		path = "/health"
	}
	header := ""
	if d.RunID != "" {
		header = "X-Assay-Run: " + d.RunID + "\r\n"
	}
	if pad > 0 {
		header += "X-Assay-Pad: " + strings.Repeat("x", pad) + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: assay\r\n%sConnection: close\r\n\r\n", path, addr, header); err != nil {
		return saw(err)
	}
	_, err = c.Read(make([]byte, 1))
	s := saw(err)
	if closes && err == nil {
		begin := time.Now()
		if _, err := io.Copy(io.Discard, c); err != nil {
			return saw(err)
		}
		s.close = time.Since(begin)
	}
	return s
}

// both probes the victim directly and through its link at once. The probe through the link goes on for
// grace after the direct one has ended, if grace is not 0. A probe that was stopped because ctx was done
// says nothing, and its silence is not taken for an end.
func (d *Local) both(ctx context.Context, v Victim, grace time.Duration) (direct, through sight) {
	return d.padded(ctx, v, grace, 0, false)
}

// ending reports whether ctx is done, or about to be: a dial ends at its deadline by a timer of its own, which may be the first.
func ending(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// padded is both with so many bytes more in the heads, and with the ends if closes.
func (d *Local) padded(ctx context.Context, v Victim, grace time.Duration, pad int, closes bool) (direct, through sight) {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan sight, 1)
	go func() { done <- d.probePadded(probing, v.Link, pad, closes) }()
	direct = d.probePadded(probing, v.Addr, pad, closes)
	if grace > 0 {
		defer time.AfterFunc(grace, cancel).Stop()
	}
	through = <-done
	for _, s := range []*sight{&direct, &through} {
		if s.end == endSilence && ending(ctx) {
			s.end = endStopped
		}
	}
	return direct, through
}
