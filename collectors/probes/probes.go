// Package probes looks at a target's liveness and readiness as whoever routes to it would: a GET at an interval, nothing more.
//
// Three probes say three things. A process that is alive may not be ready, one that says it is not ready may serve, and one that says it is may not:
// so each has an availability of its own, beside that of real inferences. Of a look that was not good it is told whether the connection was
// refused (nobody listens), the target said that it is not ready (503), it shed the look (429), it has no such endpoint (404) or it failed in another way.
//
// Each look gives two samples, [Good] and [Took]; a change of the outcome, the first look and the last give an event.
package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// The samples of a look, with the label probe.
const (
	Good = "assay_probe_ok"      // 1 or 0
	Took = "assay_probe_seconds" // until the outcome was known
)

// The probes.
const (
	Liveness  = "liveness"
	Readiness = "readiness"
)

// A Result is the outcome of a look.
type Result string

// The results.
const (
	OK       Result = "ok"
	Refused  Result = "refused"     // nobody listens, or no connection was made
	NotReady Result = "not_ready"   // 503
	Shed     Result = "shed"        // 429
	Absent   Result = "no_endpoint" // 404: where no look sees anything else, nothing is there to look at
	Failed   Result = "failed"      // any other status, no answer in time, a broken one
)

const (
	defaultInterval = time.Second
	defaultTimeout  = time.Second
	maxAnswer       = 64 << 10 // bytes that are read of an answer, so that its connection may be closed in order
)

// Probes looks at what is not "". It is a source.
type Probes struct {
	Live     string // URL of the liveness probe
	Ready    string // URL of the readiness probe
	Interval time.Duration
	Timeout  time.Duration // of a look; no longer than the interval
	RunID    string
	Dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer
	Clock    collectors.Clock
}

var _ assay.Source = (*Probes)(nil)

// Sources is the table of this package's live collectors.
var Sources = []collectors.Kind{
	{Name: "probes", Help: "Looks at a target's liveness and readiness at an interval, and tells refused, not ready, shed and failed apart.",
		Proven: collectors.Live, By: "the embedded sandbox, and a server of ours that answers as an inference simulator did in a recording",
		New: func(c collectors.Clock) assay.Source { return &Probes{Clock: c} }},
}

// Run looks until ctx is done.
func (p *Probes) Run(ctx context.Context, emit func(assay.Record) error) error {
	interval := p.Interval
	if interval <= 0 {
		interval = defaultInterval
	}
	client := Client(p.timeout(interval))
	if p.Dial != nil {
		client.Transport.(*http.Transport).DialContext = p.Dial
	}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for _, l := range []*looker{{probe: Liveness, url: p.Live}, {probe: Readiness, url: p.Ready}} {
		if l.url == "" {
			continue
		}
		if u, err := url.Parse(l.url); err != nil || u.Host == "" {
			return fmt.Errorf("probes: %s %q is no URL such as http://host:port/health", l.probe, l.url)
		}
		l.p, l.client, l.emit, l.interval = p, client, emit, interval
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
	return nil
}

func (p *Probes) timeout(interval time.Duration) time.Duration {
	if p.Timeout > 0 {
		return min(p.Timeout, interval)
	}
	return min(defaultTimeout, interval)
}

// Client returns what looks: a connection for each look, as a kubelet does, so that it sees what a new request would, and no redirect followed.
func Client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// A looker makes the looks of one probe.
type looker struct {
	p        *Probes
	probe    string
	url      string
	client   *http.Client
	emit     func(assay.Record) error
	interval time.Duration

	looks int
	last  Result
	since int64 // when the look before this one began
}

func (l *looker) run(ctx context.Context) {
	tick := time.NewTicker(l.interval)
	defer tick.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			l.tell(l.p.Clock.Now(), 0, l.last, "", true)
			return
		case <-tick.C:
		}
	}
}

func (l *looker) look(ctx context.Context) {
	began := l.p.Clock.Now()
	result, why := Look(ctx, l.client, l.url, l.p.RunID)
	if ctx.Err() != nil {
		return // it says nothing of the target
	}
	ended := l.p.Clock.Now()
	l.looks++
	good := 0.0
	if result == OK {
		good = 1
	}
	labels := []assay.Label{{Name: "probe", Value: l.probe}}
	_ = l.emit(&assay.Sample{Name: Good, Labels: labels, Time: ended, Value: good})
	_ = l.emit(&assay.Sample{Name: Took, Labels: labels, Time: ended, Value: float64(ended-began) / 1e9})
	if result != l.last {
		resolution := ended - began
		if l.since != 0 {
			resolution = ended - l.since // it changed after the look before had seen otherwise
		}
		l.tell(ended, resolution, result, why, false)
	}
	l.last, l.since = result, began
}

// tell emits what a probe has come to say, or, at the end, what it said last.
func (l *looker) tell(at, resolution int64, result Result, why string, end bool) {
	if result == "" {
		return // no look was made
	}
	e := &assay.Event{Time: at, Resolution: resolution, Kind: assay.EventInstanceProbe, Source: "probes", Text: why, Attrs: map[string]string{
		"probe": l.probe, "ok": strconv.FormatBool(result == OK), "result": string(result), "period_ns": strconv.FormatInt(int64(l.interval), 10), "looks": strconv.Itoa(l.looks)}}
	if end {
		e.Attrs["end"] = "true"
	}
	_ = l.emit(e)
}

// Look makes one look and says what it saw, and why where that was not good. What is told holds nothing of the answer's content.
func Look(ctx context.Context, client *http.Client, url, runID string) (Result, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Failed, "no URL"
	}
	if runID != "" {
		req.Header.Set("X-Assay-Run", runID)
	}
	res, err := client.Do(req)
	if err != nil {
		return broken(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 400:
		return OK, ""
	case res.StatusCode == http.StatusServiceUnavailable:
		return NotReady, "status 503"
	case res.StatusCode == http.StatusTooManyRequests:
		return Shed, "status 429"
	case res.StatusCode == http.StatusNotFound:
		return Absent, "status 404"
	}
	return Failed, "status " + strconv.Itoa(res.StatusCode)
}

func broken(err error) (Result, string) {
	var timeout net.Error
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused, "connection refused"
	case errors.As(err, &lookup):
		return Refused, "its name was not found"
	case errors.As(err, &timeout) && timeout.Timeout():
		return Failed, "no answer in time"
	case errors.As(err, &op) && op.Op == "dial":
		return Refused, "no connection"
	}
	return Failed, "the connection broke"
}
