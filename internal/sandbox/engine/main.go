package engine

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
	set.Memory = 3*size.WeightBytes() + size.KVBytesPerToken()*int64(cfg.KVTokens) + 256<<20
	return worker.Main(ctx, set, weightsOf(cfg.WeightsDir, size, cfg.Seed), func(p *worker.Process) worker.Model {
		s := &server{cfg: cfg, size: size, process: p, words: words(size.Vocab), metrics: newMetrics(cfg.ModelName), created: p.Unix() / 1e9}
		s.dcgm = worker.NewDCGM(cfg.Instance, dcgmText, p.Meter, p.Unix, s.memory)
		return &transformer{server: s}
	}, stdout, stderr)
}

var dcgmText = worker.DCGMText{
	Device: "assay sandbox CPU engine",
	Tensor: "the busy share times the share of prefill rows in each pass.",
	Memory: "the busy share times the share of decode rows in each pass.",
	Used:   "weights and the KV blocks in use, with fractions.",
	Free:   "KV blocks not in use, with fractions.",
}

// A transformer is the model of this package as its process sees it.
type transformer struct {
	server *server
	model  *model
	pool   *compute.Pool
	sched  *scheduler
}

// Handler implements [worker.Model].
func (t *transformer) Handler() http.Handler { return t.server.handler() }

// Load implements [worker.Model].
func (t *transformer) Load(f *worker.Fetched) (err error) {
	if t.model, err = loadModel(t.server.size, f); err == nil {
		t.server.loaded.Store(t.server.size.WeightBytes())
	}
	return err
}

// Warm implements [worker.Model].
func (t *transformer) Warm() func(context.Context) {
	began := time.Now()
	cfg, size, log := t.server.cfg, t.server.size, t.server.process.Log
	kv := newKVCache(size, cfg.KVTokens)
	log.Info(fmt.Sprintf("GPU KV cache size: %d tokens", kv.blocks*blockTokens), "simulated", true)
	log.Info(fmt.Sprintf("Maximum concurrency for %d tokens per request: %.2fx", size.Context, float64(kv.blocks*blockTokens)/float64(size.Context)))
	t.pool = compute.NewPool(cfg.Threads)
	r := newRunner(t.model, kv, t.pool, cfg.StepTokens, cfg.MaxSeqs)
	warm(r, min(64, cfg.StepTokens, kv.blocks*blockTokens-1))
	log.Info(fmt.Sprintf("init engine (profile, create kv cache, warmup model) took %.2f seconds", time.Since(began).Seconds()))
	t.sched = newScheduler(cfg, r, t.server.process.Unix, t.server.process.Meter, t.server.metrics)
	t.server.metrics.watch(t.sched)
	return t.sched.run
}

// Open implements [worker.Model].
func (t *transformer) Open() { t.server.scheduler.Store(t.sched) }

// Drain implements [worker.Model].
func (t *transformer) Drain() { t.server.draining.Store(true) }

// Close implements [worker.Model].
func (t *transformer) Close() {
	if t.pool != nil {
		t.pool.Close()
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
