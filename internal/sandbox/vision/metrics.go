package vision

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	timeBuckets  = []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	batchBuckets = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// metrics is what /metrics shows: KServe's names, and what it lacks in its style.
type metrics struct {
	registry                                *prometheus.Registry
	labels                                  prometheus.Labels
	preprocess, queue, predict, postprocess prometheus.Histogram
	batch                                   prometheus.Histogram
	outcomes                                *prometheus.CounterVec
}

func newMetrics(model string, inFlight func() float64) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), labels: prometheus.Labels{"model_name": model}}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, ConstLabels: m.labels, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	m.preprocess = histogram("request_preprocess_seconds", "pre-processing request latency", timeBuckets)
	m.queue = histogram("request_queue_seconds", "time from pre-processing to the first pass", timeBuckets)
	m.predict = histogram("request_predict_seconds", "prediction request latency", timeBuckets)
	m.postprocess = histogram("request_postprocess_seconds", "post-processing request latency", timeBuckets)
	m.batch = histogram("predict_batch_images", "images in one forward pass", batchBuckets)
	m.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "requests by how they ended", ConstLabels: m.labels}, []string{"outcome"})
	m.registry.MustRegister(m.outcomes)
	for _, o := range []string{outcomeOK, outcomeCancelled, outcomeAborted, outcomeRefused} {
		m.outcomes.WithLabelValues(o)
	}
	m.gauge("requests_in_flight", "requests between their arrival and the end of their answer", inFlight)
	return m
}

func (m *metrics) gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: m.labels}, read))
}

// watch adds the gauges that are read from the batcher.
func (m *metrics) watch(b *batcher) {
	m.gauge("images_waiting", "images that wait for a pass", func() float64 { return float64(b.waitingN.Load()) })
	m.gauge("images_running", "images in the running pass", func() float64 { return float64(b.runningN.Load()) })
}

// ended counts a request that has ended.
func (m *metrics) ended(t *TruthRequest) {
	m.outcomes.WithLabelValues(t.Outcome).Inc()
	if t.Outcome != outcomeOK {
		return
	}
	m.preprocess.Observe(seconds(t.Preprocess))
	m.queue.Observe(seconds(t.Queued))
	m.predict.Observe(seconds(t.Predict))
	m.postprocess.Observe(seconds(t.Postprocess))
}
