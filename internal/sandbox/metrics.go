package sandbox

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is the platform's Prometheus exposition, under Knative's names with dots as underscores.
type metrics struct {
	handler  http.Handler
	duration *prometheus.HistogramVec
}

func newMetrics(cfg Config, p *pool, a *autoscaler, lost func() float64) *metrics {
	reg := prometheus.NewRegistry()
	labels := prometheus.Labels{"kn_service_name": cfg.Name(), "kn_revision_name": cfg.Name() + "-00001", "k8s_namespace_name": "sandbox"}
	wrapped := prometheus.WrapRegistererWith(labels, reg)
	gauge := func(name, help string, value func() float64) {
		wrapped.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	last := func(f func(*scaling) float64) func() float64 { return func() float64 { return f(a.last.Load()) } }
	now := func(f func(look) int) func() float64 {
		return func() float64 { return float64(f(p.look(time.Now(), cfg.StableWindow, cfg.PanicWindow))) }
	}
	gauge("kn_revision_pods_desired", "Number of instances the autoscaler wants.", last(func(s *scaling) float64 { return float64(s.want) }))
	gauge("kn_revision_pods_requested", "Number of instances asked of the supervisor.", last(func(s *scaling) float64 { return float64(s.want) }))
	gauge("kn_revision_pods_count", "Number of instances in routing.", now(func(l look) int { return l.ready }))
	gauge("kn_revision_pods_not_ready_count", "Number of instances that start or have been ejected.", now(func(l look) int { return l.starting + l.ejected }))
	gauge("kn_revision_pods_terminating_count", "Number of instances that drain.", now(func(l look) int { return l.draining }))
	gauge("kn_revision_panic_mode", "1 while the autoscaler is in panic mode.", last(func(s *scaling) float64 {
		if s.panicking {
			return 1
		}
		return 0
	}))
	gauge("kn_revision_concurrency_stable", "Mean number of requests at the platform over the stable window.", last(func(s *scaling) float64 { return s.look.stable }))
	gauge("kn_revision_concurrency_panic", "Mean number of requests at the platform over the panic window.", last(func(s *scaling) float64 { return s.look.panic }))
	gauge("kn_revision_concurrency_target", "Number of requests per instance that the autoscaler aims at.", func() float64 { return cfg.kpa().Target })
	gauge("kn_revision_request_queued", "Number of requests that wait at the activator.", now(func(l look) int { return l.queued }))
	gauge("kn_revision_request_concurrency", "Number of requests at the platform, waiting or in flight.", now(func(l look) int { return l.queued + l.inFlight }))
	for _, t := range cfg.Tenants {
		wrapped.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sandbox_tenant_request_queued",
			Help: "Number of requests of a tenant that wait at the activator.", ConstLabels: prometheus.Labels{"tenant": t.Name}},
			func() float64 { return float64(p.tenantQueued(t.Name)) }))
	}
	wrapped.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sandbox_spans_lost_total",
		Help: "Spans of the platform that could not be delivered."}, lost))
	m := &metrics{handler: promhttp.HandlerFor(reg, promhttp.HandlerOpts{})}
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "kn_serving_invocation_duration",
		Help:    "Time from a request's arrival at the gateway to the end of its answer, in seconds.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}}, []string{"http_response_status_code"})
	wrapped.MustRegister(m.duration)
	return m
}

// served counts one request; status 0 is a client that left.
func (m *metrics) served(status int, d time.Duration) {
	m.duration.WithLabelValues(strconv.Itoa(status)).Observe(d.Seconds())
}
