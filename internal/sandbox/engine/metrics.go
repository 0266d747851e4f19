package engine

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Buckets of vLLM's v1 engine, in seconds.
var (
	ttftBuckets = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
	itlBuckets  = []float64{.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	timeBuckets = []float64{.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
)

// metrics is what /metrics shows, under vLLM's names.
type metrics struct {
	registry                                *prometheus.Registry
	labels                                  prometheus.Labels
	preemptions, promptTokens, answerTokens prometheus.Counter
	success                                 *prometheus.CounterVec
	ttft, itl, e2e, queue, prefill, decode  prometheus.Histogram
}

func newMetrics(modelName string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), labels: prometheus.Labels{"model_name": modelName, "engine": "0"}}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: m.labels})
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, ConstLabels: m.labels, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	m.preemptions = counter("vllm:num_preemptions_total", "Cumulative number of preemptions from the engine.")
	m.promptTokens = counter("vllm:prompt_tokens_total", "Number of prefill tokens processed.")
	m.answerTokens = counter("vllm:generation_tokens_total", "Number of generation tokens processed.")
	m.success = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vllm:request_success_total",
		Help: "Count of successfully processed requests.", ConstLabels: m.labels}, []string{"finished_reason"})
	m.registry.MustRegister(m.success)
	for _, reason := range []string{"stop", "length", "abort"} {
		m.success.WithLabelValues(reason)
	}
	m.ttft = histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", ttftBuckets)
	m.itl = histogram("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", itlBuckets)
	m.e2e = histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", timeBuckets)
	m.queue = histogram("vllm:request_queue_time_seconds", "Histogram of time spent in WAITING phase for request.", timeBuckets)
	m.prefill = histogram("vllm:request_prefill_time_seconds", "Histogram of time spent in PREFILL phase for request.", timeBuckets)
	m.decode = histogram("vllm:request_decode_time_seconds", "Histogram of time spent in DECODE phase for request.", timeBuckets)
	return m
}

// watch adds the gauges that are read from the scheduler.
func (m *metrics) watch(s *scheduler) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: m.labels}, read))
	}
	gauge("vllm:num_requests_running", "Number of requests in model execution batches.",
		func() float64 { return float64(s.runningN.Load()) })
	gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.",
		func() float64 { return float64(s.queuedN.Load()) })
	gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.",
		func() float64 { return float64(s.kvUsed.Load()) / float64(s.runner.kv.blocks) })
}

// token counts a token just produced; previous is the time of the one before, 0 for the first.
func (m *metrics) token(q *sequence, previous int64) {
	m.answerTokens.Inc()
	if previous == 0 {
		m.promptTokens.Add(float64(q.prompt))
		m.ttft.Observe(seconds(q.firstToken - q.arrived))
		return
	}
	m.itl.Observe(seconds(q.lastToken - previous))
}

// ended counts a sequence that has ended.
func (m *metrics) ended(q *sequence) {
	if q.outcome != finished {
		m.success.WithLabelValues("abort").Inc()
		return
	}
	m.success.WithLabelValues("length").Inc()
	m.e2e.Observe(seconds(q.lastToken - q.arrived))
	m.queue.Observe(seconds(q.queued()))
	m.prefill.Observe(seconds(q.total[prefill]))
	m.decode.Observe(seconds(q.total[decode]))
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
