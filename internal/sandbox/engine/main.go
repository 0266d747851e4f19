package engine

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

	"github.com/assay-dev/assay/internal/clock"
)

// flushTime bounds how long the last spans may take to leave when the worker stops.
const flushTime = 2 * time.Second

// Main runs one worker until ctx is done, then stops taking requests, lets those under way
// finish for at most cfg.Drain, flushes its spans and returns nil. On
// stdout it prints JSON lines: {"listening":…} as soon as it listens, a [Phase] as each phase of
// the start ends, and {"ready":true,…} when it is warm; on stderr its log.
//
// Main is the process: it sets priority, GOMAXPROCS (one more than the computing threads, so that
// requests are read while a pass is computed), the memory limit and OpenTelemetry's error handler.
func Main(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	clk := clock.New()
	if cfg.SpawnedUnixNS == 0 {
		cfg.SpawnedUnixNS = clk.Epoch()
	}
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configure worker: %w", err)
	}
	cfg = cfg.WithDefaults()
	size, err := sizeOf(cfg.Model)
	if err != nil {
		return err
	}
	if cfg.Nice > 0 {
		if err := renice(cfg.Nice); err != nil {
			return err
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cfg.Threads + 1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(3*size.WeightBytes() + size.KVBytesPerToken()*int64(cfg.KVTokens) + 256<<20))

	truth, err := openTruth(cfg.TruthPath)
	if err != nil {
		return err
	}
	w := &worker{cfg: cfg, size: size, clock: clk, out: json.NewEncoder(stdout),
		log: slog.New(slog.NewTextHandler(stderr, nil)).With("instance", cfg.Instance)}
	err = w.serve(ctx, truth)
	if cerr := truth.close(); err == nil {
		err = cerr
	}
	return err
}

// A worker is the process between its listener and its end.
type worker struct {
	cfg    Config
	size   ModelSize
	clock  *clock.Clock
	out    *json.Encoder
	log    *slog.Logger
	server *server
	pool   *pool
}

func (w *worker) unix() int64 { return w.clock.Epoch() + w.clock.Now() }

func (w *worker) serve(ctx context.Context, truth *truthLog) error {
	var once sync.Once
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		once.Do(func() { w.log.Warn("Exporting spans did not work; further failures are not logged", "err", err) })
	}))
	listener, err := net.Listen("tcp", w.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", w.cfg.Listen, err)
	}
	spans, err := newTelemetry(ctx, w.cfg)
	if err != nil {
		_ = listener.Close()
		return err
	}
	mt := &meter{}
	s := &server{cfg: w.cfg, size: w.size, clock: w.clock, words: words(w.size.Vocab), metrics: newMetrics(w.cfg.ModelName),
		telemetry: spans, truth: truth, created: w.clock.Epoch() / 1e9}
	s.dcgm = newDCGM(w.cfg, mt, w.unix, s.memory)
	w.server = s
	hs := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelWarn)}
	serving := make(chan error, 1)
	go func() { serving <- hs.Serve(listener) }()

	computeCtx, stopCompute := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCompute()
	var compute sync.WaitGroup
	err = w.start(ctx, listener.Addr().String(), mt, func(sched *scheduler) {
		compute.Go(func() { sched.run(computeCtx) })
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
	w.log.Info("Shutting down", "drain", w.cfg.Drain)
	s.draining.Store(true)
	within := func(d time.Duration, do func(context.Context) error) error {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
		defer cancel()
		return do(c)
	}
	if within(w.cfg.Drain, hs.Shutdown) != nil {
		stopCompute() // aborts what is still running; its handlers then return
		if within(time.Second, hs.Shutdown) != nil {
			_ = hs.Close()
		}
	}
	stopCompute()
	compute.Wait()
	if w.pool != nil {
		w.pool.close()
	}
	if err := within(flushTime, spans.shutdown); err != nil {
		w.log.Warn("Flushing spans did not work", "err", err)
	}
	return err
}

// start goes through the phases of a cold start; begin is called with the warm scheduler.
func (w *worker) start(ctx context.Context, addr string, mt *meter, begin func(*scheduler)) error {
	w.print(map[string]string{"listening": addr})
	w.log.Info("Starting API server on http://"+addr, "model", w.cfg.ModelName)
	at := w.phase("runtime_start", w.cfg.SpawnedUnixNS)
	m, at, err := w.load(ctx, at)
	if err != nil {
		return err
	}
	began := time.Now()
	kv := newKVCache(w.size, w.cfg.KVTokens)
	w.log.Info(fmt.Sprintf("GPU KV cache size: %d tokens", kv.blocks*blockTokens), "simulated", true)
	w.log.Info(fmt.Sprintf("Maximum concurrency for %d tokens per request: %.2fx", w.size.Context, float64(kv.blocks*blockTokens)/float64(w.size.Context)))
	w.pool = newPool(w.cfg.Threads)
	r := newRunner(m, kv, w.pool, w.cfg.StepTokens, w.cfg.MaxSeqs)
	warm(r, min(64, w.cfg.StepTokens, kv.blocks*blockTokens-1))
	w.log.Info(fmt.Sprintf("init engine (profile, create kv cache, warmup model) took %.2f seconds", time.Since(began).Seconds()))
	if err := ctx.Err(); err != nil {
		return err
	}
	sched := newScheduler(w.cfg, r, w.clock, mt, w.server.metrics)
	w.server.metrics.watch(sched)
	begin(sched)
	at = w.phase("warmup", at)
	w.server.scheduler.Store(sched)
	w.log.Info("Application startup complete.")
	w.print(struct {
		Ready bool  `json:"ready"`
		Unix  int64 `json:"unix_ns"`
	}{true, at})
	return nil
}

// load fetches and loads the weights. A damaged file is made again, once.
func (w *worker) load(ctx context.Context, at int64) (*model, int64, error) {
	path := weightsPath(w.cfg.WeightsDir, w.size, w.cfg.Seed)
	atLeast := fetchPlan(w.size.WeightBytes(), w.cfg.LoadFloor, w.cfg.LoadRate)
	w.log.Info(fmt.Sprintf("Starting to load model %s...", w.cfg.ModelName), "weights", path, "bytes", w.size.WeightBytes())
	if atLeast > 0 {
		w.log.Info(fmt.Sprintf("Reading of weights is rate-limited: it takes at least %.2f seconds", atLeast.Seconds()))
	}
	began := time.Now()
	for attempt := 0; ; attempt++ {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || attempt > 0 {
			w.log.Info("Making the weights file", "weights", path)
			if _, _, err := EnsureWeights(w.cfg); err != nil {
				return nil, 0, err
			}
		}
		f, err := fetchWeights(ctx, path, w.size, w.cfg.Seed, atLeast)
		var fetched int64
		var m *model
		if err == nil {
			fetched = w.unix()
			m, err = loadModel(w.size, f)
		}
		if errors.Is(err, errCorrupt) && attempt == 0 {
			w.log.Warn("The weights file cannot be used and is made again", "err", err)
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("load weights %s: %w", path, err)
		}
		w.phaseUntil("weights_fetch", at, fetched)
		w.log.Info(fmt.Sprintf("Loading weights took %.2f seconds", time.Since(began).Seconds()))
		at = w.phase("weights_load", fetched)
		w.log.Info(fmt.Sprintf("Model loading took %.4f GiB memory and %.2f seconds", float64(w.size.WeightBytes())/(1<<30), time.Since(began).Seconds()))
		w.server.loaded.Store(w.size.WeightBytes())
		return m, at, nil
	}
}

// warm computes a prompt of n tokens and a decode step, and leaves the cache empty.
func warm(r *runner, n int) {
	tokens, table := make([]int32, n+1), []int32(nil)
	for i := range tokens {
		tokens[i] = int32(i % r.m.Vocab)
	}
	r.kv.grow(&table, n+1)
	r.forward([]chunk{{tokens: tokens[:n], table: table, want: true}})
	r.forward([]chunk{{tokens: tokens[n:], from: n, table: table, want: true}})
	r.kv.release(&table)
}

// phase tells of a phase that ends now, and returns now.
func (w *worker) phase(name string, start int64) int64 {
	now := w.unix()
	w.phaseUntil(name, start, now)
	return now
}

func (w *worker) phaseUntil(name string, start, end int64) {
	w.print(Phase{Phase: name, Start: start, End: end})
	w.server.truth.write(Phase{Kind: "phase", Instance: w.cfg.Instance, Phase: name, Start: start, End: end})
}

// print writes a JSON line on stdout. A parent that has gone away is noticed elsewhere.
func (w *worker) print(v any) { _ = w.out.Encode(v) }
