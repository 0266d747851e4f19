package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrParentGone is the cause of ending a platform whose parent has died.
var ErrParentGone = errors.New("the parent process is gone")

const (
	headerTimeout = 5 * time.Second // of a request's header
	flushTimeout  = 2 * time.Second // for the last spans
)

// announcement is the line a platform prints when it serves, or why it does not.
type announcement struct {
	URL   string `json:"url,omitempty"`
	Admin string `json:"admin,omitempty"`
	PID   int    `json:"pid,omitempty"`
	Error string `json:"error,omitempty"`
}

// PlatformMain runs a platform until ctx is done or it is asked to shut down by the admin server;
// then it turns new requests away, lets those in flight finish for the drain timeout, stops
// its workers and flushes its spans. When the cause of ctx is [ErrParentGone] it kills its workers and returns at
// once. When it serves it prints one line of JSON on stdout with its URLs and its pid.
// Output of workers without a log directory goes to stderr. A second
// platform in the same process would share its scheduling priority.
func PlatformMain(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configure the sandbox: %w", err)
	}
	reniceProcess(cfg.Nice)
	p, err := open(cfg, stderr)
	if err != nil {
		return err
	}
	return p.run(ctx, stdout)
}

// A platform is the parts of one running platform.
type platform struct {
	cfg       Config
	public    net.Listener
	private   net.Listener
	pool      *pool
	events    *eventLog
	truth     *truthLog
	telemetry *telemetry
	scaler    *autoscaler
	sup       *supervisor
	store     *vectorStore
	weights   *weightsStore // nil where workers ask nobody
	gateway   *http.Server
	admin     *http.Server
	asked     chan struct{} // closed when the admin server is asked to shut down
}

// open makes everything that can fail, and undoes it if something does.
func open(cfg Config, stderr io.Writer) (_ *platform, err error) {
	p := &platform{cfg: cfg, events: newEventLog(), asked: make(chan struct{})}
	var undo []func()
	defer func() {
		if err != nil {
			for _, u := range undo {
				u()
			}
		}
	}()
	if p.public, err = listen(cfg.Listen, "listen"); err != nil {
		return nil, err
	}
	undo = append(undo, func() { p.public.Close() })
	if p.private, err = listen(cfg.AdminListen, "admin_listen"); err != nil {
		return nil, err
	}
	undo = append(undo, func() { p.private.Close() })
	exe := cfg.Exe
	if exe == "" {
		if exe, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the binary of the workers: %w", err)
		}
	}
	if cfg.LogDir != "" {
		if err = os.MkdirAll(cfg.LogDir, 0o755); err != nil {
			return nil, fmt.Errorf("create the log directory: %w", err)
		}
	}
	// Once, here: workers that start together must not all build the same file.
	if err = cfg.ensureWeights(); err != nil {
		return nil, fmt.Errorf("make the weights: %w", err)
	}
	if p.truth, err = openTruth(cfg.TruthDir); err != nil {
		return nil, err
	}
	undo = append(undo, func() { p.truth.close() })
	if p.telemetry, err = newTelemetry(context.Background(), cfg.OTLPEndpoint); err != nil {
		return nil, err
	}
	if cfg.Retrieval > 0 {
		if p.store, err = newVectorStore(cfg.Retrieval, cfg.Seed); err != nil {
			return nil, err
		}
	}
	p.pool = newPool(cfg, 2*cfg.StableWindow, func() { p.scaler.wake() })
	p.sup = newSupervisor(cfg, exe, p.pool, p.events, p.telemetry.platform, stderr)
	p.scaler = newAutoscaler(cfg, p.pool, p.events, p.sup.scale)
	if cfg.WeightsHost != "" {
		if p.weights, err = newWeightsStore(cfg.WeightsHost, cfg.Model); err != nil {
			return nil, err
		}
		undo = append(undo, p.weights.close)
		p.sup.store = p.weights.where()
	}
	m := newMetrics(cfg, p.pool, p.scaler, func() float64 { return float64(p.telemetry.lost.Load()) })
	gw := &gateway{cfg: cfg, pool: p.pool, tracer: p.telemetry.gateway, truth: p.truth, store: p.store, failed: p.sup.failed,
		served: func(_ string, status int, d time.Duration) { m.served(status, d) }}
	quiet := log.New(io.Discard, "", 0) // a client that breaks off is a record of the client's
	p.gateway = &http.Server{Handler: gw.handler(), ReadHeaderTimeout: headerTimeout, ErrorLog: quiet}
	var once sync.Once
	ad := &admin{cfg: cfg, sup: p.sup, events: p.events, scaler: p.scaler, metrics: m.handler, addr: p.private.Addr().String(), names: p.weights.names(),
		stop: func() { once.Do(func() { close(p.asked) }) }}
	p.admin = &http.Server{Handler: ad.handler(), ReadHeaderTimeout: headerTimeout, ErrorLog: quiet}
	return p, nil
}

func listen(addr, path string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is in use by another process; choose another port, or port 0 for any free one", path, addr)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ln, nil
}

// run serves until ctx is done, a server fails or the platform is asked to stop, and takes everything down again.
func (p *platform) run(ctx context.Context, stdout io.Writer) error {
	p.truth.write(truthLine{Config: &p.cfg})
	work, stopWork := context.WithCancel(context.Background())
	defer stopWork()
	var parts, servers, record sync.WaitGroup
	record.Go(func() {
		from := int64(1)
		for events := p.events.read(context.Background(), from); events != nil; events = p.events.read(context.Background(), from) {
			for i := range events {
				p.truth.write(truthLine{Event: &events[i]})
			}
			from = events[len(events)-1].Seq + 1
		}
	})
	parts.Go(func() { p.sup.run(work) })
	parts.Go(func() { p.scaler.run(work) })
	failed := make(chan error, 2)
	serve := func(s *http.Server, ln net.Listener) {
		servers.Go(func() {
			if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", ln.Addr(), err)
			}
		})
	}
	serve(p.gateway, p.public)
	serve(p.admin, p.private)
	err := json.NewEncoder(stdout).Encode(announcement{URL: "http://" + p.public.Addr().String(),
		Admin: "http://" + p.private.Addr().String(), PID: os.Getpid()})
	if err == nil {
		select {
		case <-ctx.Done():
		case <-p.asked:
		case err = <-failed:
		}
	}
	if errors.Is(context.Cause(ctx), ErrParentGone) {
		p.sup.kill()
		return ErrParentGone
	}

	// Bottom up: no new work, then the work in flight, then the workers, then what tells of it.
	stopWork()
	parts.Wait()
	p.pool.stop()
	drain, stopDrain := context.WithTimeout(context.Background(), p.cfg.DrainTimeout)
	defer stopDrain()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrParentGone) { // while it drains
			p.sup.kill()
			stopDrain()
		}
	})()
	if p.gateway.Shutdown(drain) != nil {
		p.gateway.Close()
	}
	p.sup.shutdown(drain)
	if p.store != nil {
		p.store.close()
	}
	if p.weights != nil {
		p.weights.close()
	}
	flush, stopFlush := context.WithTimeout(context.Background(), flushTimeout)
	defer stopFlush()
	p.telemetry.shutdown(flush) // what could not be delivered is counted as lost
	p.events.close()
	record.Wait()
	if p.admin.Shutdown(flush) != nil {
		p.admin.Close()
	}
	servers.Wait()
	return errors.Join(err, p.truth.close())
}
