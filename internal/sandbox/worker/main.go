package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay/internal/clock"
)

// flushTime bounds how long the last spans may take to leave when the worker stops.
const flushTime = 2 * time.Second

// A Model is what one kind of model adds to the process. Main calls Handler first and the others in the order of their
// declaration, each at most once but for Load, which is called again after a file was made again.
type Model interface {
	// Handler serves from the moment the process listens, thus before the model is there.
	Handler() http.Handler
	// Load builds the tensors. An ErrCorrupt has the file made again, once.
	Load(f *Fetched) error
	// Warm computes a real forward pass and returns the loop that computes until its context is done and then
	// ends what is left. The loop runs when Open is called.
	Warm() (compute func(context.Context))
	// Open lets requests in. They may come from then on.
	Open()
	// Drain turns new requests away.
	Drain()
	// Close frees what Warm made. The loop has ended, and no request is left; Warm may not have been called.
	Close()
}

// A Process is what a model may use of the process it runs in.
type Process struct {
	Settings
	Log    *slog.Logger
	Tracer trace.Tracer
	Truth  *TruthLog
	Meter  *Meter

	clock   *clock.Clock
	weights Weights
	out     *json.Encoder
	flush   func(context.Context) error
}

// Unix returns the time in Unix nanoseconds, on the monotonic clock.
func (p *Process) Unix() int64 { return p.clock.Epoch() + p.clock.Now() }

// Main runs one worker until ctx is done, then stops taking requests, lets those under way
// finish for at most Drain, flushes its spans and returns nil. On
// stdout it prints JSON lines: {"listening":…} as soon as it listens, a [Phase] as each phase of
// the start ends, and {"ready":true,…} when it is warm; on stderr its log.
//
// Main is the process: it sets priority, GOMAXPROCS (one more than the computing threads, so that
// requests are read while a pass is computed), the memory limit and OpenTelemetry's error handler.
func Main(ctx context.Context, set Settings, weights Weights, open func(*Process) Model, stdout, stderr io.Writer) error {
	clk := clock.New()
	if set.SpawnedUnixNS == 0 {
		set.SpawnedUnixNS = clk.Epoch()
	}
	if set.Nice > 0 {
		if err := Renice(set.Nice); err != nil {
			return err
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(set.Threads + 1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(set.Memory))

	truth, err := openTruth(set.TruthPath)
	if err != nil {
		return err
	}
	p := &Process{Settings: set, Truth: truth, Meter: &Meter{}, clock: clk, weights: weights, out: json.NewEncoder(stdout),
		Log: slog.New(slog.NewTextHandler(stderr, nil)).With("instance", set.Instance)}
	err = p.serve(ctx, open)
	if cerr := truth.close(); err == nil {
		err = cerr
	}
	return err
}

// serve is the process between its listener and its end.
func (p *Process) serve(ctx context.Context, open func(*Process) Model) error {
	var once sync.Once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		once.Do(func() { p.Log.Warn("Exporting spans did not work; further failures are not logged", "err", err) })
	}))
	listener, err := net.Listen("tcp", p.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", p.Listen, err)
	}
	if p.Tracer, p.flush, err = newTracer(ctx, p.OTLPEndpoint, p.Service, p.Instance); err != nil {
		_ = listener.Close()
		return err
	}
	m := open(p)
	hs := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelWarn)}
	serving := make(chan error, 1)
	go func() { serving <- hs.Serve(listener) }()

	computeCtx, stopCompute := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCompute()
	var compute sync.WaitGroup
	err = p.start(ctx, listener.Addr().String(), m, func(loop func(context.Context)) {
		compute.Go(func() { loop(computeCtx) })
	})
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-serving:
		}
	}
	if err != nil && ctx.Err() != nil {
		err = nil // told to stop while starting
	}
	p.Log.Info("Shutting down", "drain", p.Settings.Drain)
	m.Drain()
	within := func(d time.Duration, do func(context.Context) error) error {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
		defer cancel()
		return do(c)
	}
	if within(p.Settings.Drain, hs.Shutdown) != nil {
		stopCompute() // ends what is still running; its handlers then return
		if within(time.Second, hs.Shutdown) != nil {
			_ = hs.Close()
		}
	}
	stopCompute()
	compute.Wait()
	m.Close()
	if err := within(flushTime, p.flush); err != nil {
		p.Log.Warn("Flushing spans did not work", "err", err)
	}
	return err
}

// start goes through the phases of a cold start; begin runs the loop that computes.
func (p *Process) start(ctx context.Context, addr string, m Model, begin func(func(context.Context))) error {
	p.print(map[string]string{"listening": addr})
	p.Log.Info("Starting API server on http://"+addr, "model", p.ModelName)
	at := p.phase("runtime_start", p.SpawnedUnixNS)
	at, err := p.load(ctx, at, m)
	if err != nil {
		return err
	}
	loop := m.Warm()
	if err := ctx.Err(); err != nil {
		return err
	}
	begin(loop)
	at = p.phase("warmup", at)
	m.Open()
	p.Log.Info("Application startup complete.")
	p.print(struct {
		Ready bool  `json:"ready"`
		Unix  int64 `json:"unix_ns"`
	}{true, at})
	return nil
}

// load fetches and loads the weights. A damaged file is made again, once.
func (p *Process) load(ctx context.Context, at int64, m Model) (int64, error) {
	w := p.weights
	atLeast := fetchPlan(w.Bytes(), p.LoadFloor, p.LoadRate)
	p.Log.Info(fmt.Sprintf("Starting to load model %s...", p.ModelName), "weights", w.Path, "bytes", w.Bytes())
	if atLeast > 0 {
		p.Log.Info(fmt.Sprintf("Reading of weights is rate-limited: it takes at least %.2f seconds", atLeast.Seconds()))
	}
	began := time.Now()
	if err := p.Store.ask(ctx, w.Model, p.Log); err != nil {
		return 0, err
	}
	for attempt := 0; ; attempt++ {
		if _, err := os.Stat(w.Path); errors.Is(err, os.ErrNotExist) || attempt > 0 {
			p.Log.Info("Making the weights file", "weights", w.Path)
			if err := w.Ensure(); err != nil {
				return 0, err
			}
		}
		f, err := w.Fetch(ctx, atLeast)
		var fetched int64
		if err == nil {
			fetched = p.Unix()
			err = m.Load(f)
		}
		if errors.Is(err, ErrCorrupt) && attempt == 0 {
			p.Log.Warn("The weights file cannot be used and is made again", "err", err)
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("load weights %s: %w", w.Path, err)
		}
		p.phaseUntil("weights_fetch", at, fetched)
		p.Log.Info(fmt.Sprintf("Loading weights took %.2f seconds", time.Since(began).Seconds()))
		at = p.phase("weights_load", fetched)
		p.Log.Info(fmt.Sprintf("Model loading took %.4f GiB memory and %.2f seconds", float64(w.Bytes())/(1<<30), time.Since(began).Seconds()))
		return at, nil
	}
}

// phase tells of a phase that ends now, and returns now.
func (p *Process) phase(name string, start int64) int64 {
	now := p.Unix()
	p.phaseUntil(name, start, now)
	return now
}

func (p *Process) phaseUntil(name string, start, end int64) {
	p.print(Phase{Phase: name, Start: start, End: end})
	p.Truth.Write(Phase{Kind: "phase", Instance: p.Instance, Phase: name, Start: start, End: end})
}

// print writes a JSON line on stdout. A parent that has gone away is noticed elsewhere.
func (p *Process) print(v any) { _ = p.out.Encode(v) }
