package grafana

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/assay-dev/assay"
)

// A run exposes what the live endpoint of a run does, under the same names, and changes as one does.
type run struct {
	name   string
	hurt   bool
	rnd    *rand.Rand
	reg    *prometheus.Registry
	phase  *prometheus.GaugeVec
	total  *prometheus.CounterVec
	ttft   *prometheus.HistogramVec
	e2e    *prometheus.HistogramVec
	itl    *prometheus.HistogramVec
	late   prometheus.Observer
	flight prometheus.Gauge
	rate   prometheus.Gauge
	inst   *prometheus.GaugeVec
	starts *prometheus.CounterVec
	fault  *prometheus.GaugeVec
	goal   *prometheus.GaugeVec
	capped prometheus.Counter
	spans  prometheus.Counter
	scrape *prometheus.CounterVec
	warned prometheus.Counter
	n      int
}

var buckets = prometheus.ExponentialBuckets(0.001, 2, 18) // to 131 s

func newRun(name string, hurt bool) *run {
	r := &run{name: name, hurt: hurt, rnd: rand.New(rand.NewPCG(1, uint64(len(name)))), reg: prometheus.NewRegistry()}
	with := prometheus.Labels{"run": name}
	reg := prometheus.WrapRegistererWith(with, r.reg)
	gauges := func(n string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: n, Help: n}, labels)
		reg.MustRegister(v)
		return v
	}
	counters := func(n string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: n, Help: n}, labels)
		reg.MustRegister(v)
		return v
	}
	histograms := func(n string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: n, Help: n, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	gauges("assay_run_info", "target").WithLabelValues("sandbox tiny").Set(1)
	r.phase, r.total = gauges("assay_phase", "phase", "role"), counters("assay_requests_total", "phase", "outcome")
	r.ttft, r.e2e, r.itl = histograms("assay_request_ttft_seconds", "phase", "cold"), histograms("assay_request_e2e_seconds", "phase", "cold"), histograms("assay_request_itl_seconds", "phase", "cold")
	r.late = histograms("assay_send_lateness_seconds").WithLabelValues()
	r.flight, r.rate = gauges("assay_requests_in_flight").WithLabelValues(), gauges("assay_offered_rate").WithLabelValues()
	r.inst, r.starts = gauges("assay_instances", "state"), counters("assay_instance_starts_total", "reason")
	r.fault, r.goal = gauges("assay_fault_active", "fault", "kind", "state"), gauges("assay_objective_goal", "metric", "bound")
	r.capped, r.spans = counters("assay_refused_by_cap_total").WithLabelValues(), counters("assay_spans_total").WithLabelValues()
	r.scrape, r.warned = counters("assay_scrape_errors_total", "target"), counters("assay_warnings_total").WithLabelValues()

	for _, p := range []string{"warmup", "steady"} {
		for o := assay.OutcomeUnknown; o <= assay.Credential; o++ {
			r.total.WithLabelValues(p, o.String())
		}
	}
	r.phase.WithLabelValues("warmup", "warmup").Set(1)
	r.phase.WithLabelValues("steady", "steady").Set(0)
	r.starts.WithLabelValues("scale_from_zero").Inc()
	if hurt {
		// Only the hurt run has goals and faults: without them their panels may be empty.
		for _, m := range []string{"ttft/p95", "e2e/p95", "itl/p95", "error_ratio"} {
			r.goal.WithLabelValues(m, "max").Set(0.8)
		}
		for _, state := range []string{"injected", "recovering"} {
			r.fault.WithLabelValues("f1", "kill", state).Set(0)
		}
	}
	r.at(0)
	return r
}

func (r *run) handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// at brings the run to its next moment: some requests end, and in the hurt run a fault comes and goes.
func (r *run) at(since time.Duration) {
	s := since.Seconds()
	phase := "warmup"
	if s > 2 {
		phase = "steady"
		r.phase.WithLabelValues("warmup", "warmup").Set(0)
		r.phase.WithLabelValues("steady", "steady").Set(1)
	}
	injected, recovering := r.hurt && s > 6 && s < 8, r.hurt && s >= 8 && s < 10
	if r.hurt {
		r.fault.WithLabelValues("f1", "kill", "injected").Set(bit(injected))
		r.fault.WithLabelValues("f1", "kill", "recovering").Set(bit(recovering))
		if injected && r.n%10 == 0 {
			r.scrape.WithLabelValues("w-1").Inc()
			r.warned.Inc()
			r.starts.WithLabelValues("replace").Inc()
		}
	}
	ready := 2 - bit(injected || recovering)
	r.inst.WithLabelValues("desired").Set(2)
	r.inst.WithLabelValues("ready").Set(ready)
	r.inst.WithLabelValues("starting").Set(2 - ready)
	r.rate.Set(20)
	r.flight.Set(3 + 10*bit(injected))
	r.spans.Add(6)
	r.late.Observe(0.0001 + 0.0002*r.rnd.Float64())
	r.n++
	outcome, cold := assay.OK, "warm"
	if injected && r.n%4 == 0 {
		outcome = assay.CutRST
	}
	if s < 1 || r.n%25 == 0 {
		cold = "cold"
	}
	wait := 0.1 + 0.2*r.rnd.Float64() + 3*bit(cold == "cold") + bit(recovering)
	trace := prometheus.Labels{"trace_id": fmt.Sprintf("%032x", r.n)}
	r.total.WithLabelValues(phase, outcome.String()).Inc()
	r.ttft.WithLabelValues(phase, cold).(prometheus.ExemplarObserver).ObserveWithExemplar(wait, trace)
	r.e2e.WithLabelValues(phase, cold).(prometheus.ExemplarObserver).ObserveWithExemplar(wait+0.4, trace)
	for range 8 {
		r.itl.WithLabelValues(phase, cold).Observe(0.004 + 0.004*r.rnd.Float64())
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// play moves the runs on, twenty times a second, until ctx is done.
func play(ctx context.Context, runs ...*run) {
	begin := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, r := range runs {
				r.at(now.Sub(begin))
			}
		}
	}
}
