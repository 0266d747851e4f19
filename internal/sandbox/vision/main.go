package vision

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/compute"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// Main runs one worker until ctx is done, then stops taking requests, lets those under way
// finish for at most cfg.Drain, flushes its spans and returns nil. What it prints and what it
// does to its process is described at [worker.Main].
func Main(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configure worker: %w", err)
	}
	cfg = cfg.WithDefaults()
	size, err := sizeOf(cfg.Model)
	if err != nil {
		return err
	}
	set := cfg.process()
	set.Memory = 3*size.WeightBytes() + 512<<20
	return worker.Main(ctx, set, weightsOf(cfg.WeightsDir, size, cfg.Seed), func(p *worker.Process) worker.Model {
		s := &server{cfg: cfg, size: size, process: p, decoding: make(chan struct{}, cfg.Threads+1)}
		s.metrics = newMetrics(cfg.ModelName, func() float64 { return float64(s.inFlight.Load()) })
		s.dcgm = worker.NewDCGM(cfg.Instance, dcgmText, p.Meter, p.Unix, s.memory)
		return &classifier{server: s}
	}, stdout, stderr)
}

var dcgmText = worker.DCGMText{
	Device: "assay sandbox CPU classifier",
	Tensor: "the busy share times the share of each pass in products of matrices.",
	Memory: "the busy share times the share of each pass in gathering and pooling.",
	Used:   "weights, with fractions.",
	Free:   "memory not held, with fractions.",
}

// A classifier is the model of this package as its process sees it.
type classifier struct {
	server  *server
	net     *network
	pool    *compute.Pool
	batcher *batcher
}

// Handler implements [worker.Model].
func (c *classifier) Handler() http.Handler { return c.server.handler() }

// Load implements [worker.Model].
func (c *classifier) Load(f *worker.Fetched) (err error) {
	if c.net, err = loadNetwork(c.server.size, f); err == nil {
		c.server.loaded.Store(c.server.size.WeightBytes())
	}
	return err
}

// Warm implements [worker.Model].
func (c *classifier) Warm() func(context.Context) {
	began := time.Now()
	cfg, p := c.server.cfg, c.server.process
	c.pool = compute.NewPool(cfg.Threads)
	r := newRunner(c.net, c.pool, cfg.MaxBatch)
	// A whole batch, so that the first request meets memory that has been touched.
	images, out := make([][]float32, cfg.MaxBatch), make([][]float32, cfg.MaxBatch)
	for i := range images {
		images[i], out[i] = make([]float32, 3*c.net.Input*c.net.Input), make([]float32, c.net.Classes)
	}
	r.forward(images, out)
	p.Log.Info(fmt.Sprintf("Warm-up of a batch of %d images took %.2f seconds", cfg.MaxBatch, time.Since(began).Seconds()))
	c.batcher = &batcher{maxBatch: cfg.MaxBatch, maxQueue: cfg.MaxQueue, window: cfg.Window, overhead: cfg.StepOverhead, unix: p.Unix,
		forward: r.forward, classes: c.net.Classes, meter: p.Meter, wake: make(chan struct{}, 1),
		observe: func(images int) { c.server.metrics.batch.Observe(float64(images)) }}
	c.server.metrics.watch(c.batcher)
	return c.batcher.run
}

// Open implements [worker.Model].
func (c *classifier) Open() { c.server.batcher.Store(c.batcher) }

// Drain implements [worker.Model].
func (c *classifier) Drain() { c.server.draining.Store(true) }

// Close implements [worker.Model].
func (c *classifier) Close() {
	if c.pool != nil {
		c.pool.Close()
	}
}
