package live

import (
	"encoding/hex"
	"math"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/assay-dev/assay"
)

// A goal is one bound of an objective.
type goal struct{ metric, bound string }

// SetObjectives sets what assay_objective_goal exposes. Where several objectives bound the same metric, the tightest counts.
func (w *Window) SetObjectives(os []assay.Objective) {
	goals := make(map[goal]float64)
	tighten := func(metric, bound string, v *float64, tighter func(a, b float64) float64) {
		if v == nil {
			return
		}
		g := goal{metric, bound}
		if have, ok := goals[g]; ok {
			goals[g] = tighter(have, *v)
		} else {
			goals[g] = *v
		}
	}
	for _, o := range os {
		tighten(o.Metric, "min", o.Min, math.Max)
		tighten(o.Metric, "max", o.Max, math.Min)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.goals = goals
}

// Handler returns the run's own Prometheus exposition, with exemplars where the reader takes OpenMetrics.
func (w *Window) Handler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newCollector(w))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

var outcomeNames = func() (names [assay.Credential + 1]string) {
	for o := range names {
		names[o] = assay.Outcome(o).String()
	}
	return names
}()

// A collector turns the window's numbers into series at each look. The window
// counts by itself rather than in the client library's metrics, so that taking a request costs
// one short lock and no allocation.
type collector struct {
	w *Window

	info, phase, requests, ttft, e2e, itl, lateness, inFlight, offered,
	instances, starts, fault, goal, refused, spans, scrapes, warnings *prometheus.Desc
}

func newCollector(w *Window) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("assay_"+name, help, labels, prometheus.Labels{"run": w.o.Run})
	}
	return &collector{
		w:         w,
		info:      desc("run_info", "The run that is going on: always 1.", "target"),
		phase:     desc("phase", "1 for the load phase that is active.", "phase", "role"),
		requests:  desc("requests_total", "Requests that ended, by load phase and outcome.", "phase", "outcome"),
		ttft:      desc("request_ttft_seconds", "Time from when a served request was due to its first token.", "phase", "cold"),
		e2e:       desc("request_e2e_seconds", "Time from when a served request was due to its end.", "phase", "cold"),
		itl:       desc("request_itl_seconds", "Time between consecutive tokens of served requests.", "phase", "cold"),
		lateness:  desc("send_lateness_seconds", "Time from when a request was due to when it was sent: our own error."),
		inFlight:  desc("requests_in_flight", "Requests that are open now."),
		offered:   desc("offered_rate", "Requests per second that the plan asks for now."),
		instances: desc("instances", "Instances of the target, by state.", "state"),
		starts:    desc("instance_starts_total", "Starts of instances, by reason.", "reason"),
		fault:     desc("fault_active", "1 while an injected fault is in force, or was reverted and its users are not well again.", "fault", "kind", "state"),
		goal:      desc("objective_goal", "What the plan asks of a metric, in its base unit.", "metric", "bound"),
		refused:   desc("refused_by_cap_total", "Requests that our own cap on open requests refused: not the target's fault."),
		spans:     desc("spans_total", "Spans received from the target."),
		scrapes:   desc("scrape_errors_total", "Scrapes that failed, by target.", "target"),
		warnings:  desc("warnings_total", "Warnings about the run itself: something was not recorded or not reachable."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.info, c.phase, c.requests, c.ttft, c.e2e, c.itl, c.lateness, c.inFlight, c.offered,
		c.instances, c.starts, c.fault, c.goal, c.refused, c.spans, c.scrapes, c.warnings} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.w.State(c.w.o.Clock.Now())
	for _, m := range c.snapshot(&s) { // sent without the lock
		ch <- m
	}
}

func (c *collector) snapshot(s *State) (out []prometheus.Metric) {
	w := c.w
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out = append(out, prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...))
	}
	gauge(c.info, 1, w.o.Target)
	if s.InFlight >= 0 {
		gauge(c.inFlight, float64(s.InFlight))
	}
	gauge(c.offered, s.Offered)
	gauge(c.instances, float64(s.Ready), "ready")
	gauge(c.instances, float64(s.Starting), "starting")
	if s.Desired >= 0 {
		gauge(c.instances, float64(s.Desired), "desired")
	}
	counter(c.refused, s.Refused)
	counter(c.spans, s.Spans)

	w.mu.Lock()
	defer w.mu.Unlock()
	counter(c.warnings, w.warnings)
	for name, role := range w.roles {
		gauge(c.phase, bit(w.current != nil && w.current.name == name), name, role)
	}
	for name, p := range w.phases {
		for o, n := range p.outcomes {
			counter(c.requests, n, name, outcomeNames[o])
		}
		for cold := range p.latency {
			if l := &p.latency[cold]; l.seen {
				state := assay.Cold(cold).String()
				out = append(out, c.histogram(c.ttft, &l.ttft, name, state), c.histogram(c.e2e, &l.e2e, name, state), c.histogram(c.itl, &l.itl, name, state))
			}
		}
	}
	out = append(out, c.histogram(c.lateness, &w.lateness))
	for reason, n := range w.starts {
		counter(c.starts, n, reason)
	}
	for id, f := range w.known {
		gauge(c.fault, bit(f.State == FaultInjected), id, f.Kind, FaultInjected)
		gauge(c.fault, bit(f.State == FaultRecovering), id, f.Kind, FaultRecovering)
	}
	for target, n := range w.scrapes {
		counter(c.scrapes, n, target)
	}
	for g, v := range w.goals {
		gauge(c.goal, v, g.metric, g.bound)
	}
	return out
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) histogram(d *prometheus.Desc, h *histogram, labels ...string) prometheus.Metric {
	cumulative := make(map[float64]uint64, buckets)
	var n uint64
	for i, s := range h.bounds.seconds {
		n += h.counts[i]
		cumulative[s] = n
	}
	n += h.counts[buckets]
	m := prometheus.MustNewConstHistogram(d, n, float64(h.sum)/1e9, cumulative, labels...)
	if h.exemplars == nil {
		return m
	}
	var es []prometheus.Exemplar
	for _, e := range h.exemplars {
		if !e.trace.IsZero() {
			es = append(es, prometheus.Exemplar{Value: float64(e.value) / 1e9, Labels: prometheus.Labels{"trace_id": hex.EncodeToString(e.trace[:])}, Timestamp: c.w.o.Clock.Time(e.at)})
		}
	}
	return prometheus.MustNewMetricWithExemplars(m, es...)
}
