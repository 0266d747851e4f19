package live

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func get(t *testing.T, h http.Handler, accept string) (string, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, _ := http.NewRequest("GET", srv.URL, nil)
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		t.Fatalf("status %s: %s", resp.Status, b)
	}
	return string(b), resp.Header.Get("Content-Type")
}

func ptr(v float64) *float64 { return &v }

func busy(t *testing.T) *Window {
	w := New(Options{Clock: clock.New(), Run: "demo", Target: "sandbox tiny", InFlight: func() int { return 3 }, Phases: []assay.Phase{{Name: "steady"}, {Name: "stress"}}})
	w.SetObjectives([]assay.Objective{{Metric: "ttft/p95", Max: ptr(0.8)}, {Metric: "ttft/p95", Max: ptr(0.5), Labels: map[string]string{"phase": "x"}}, {Metric: "availability/natural", Min: ptr(0.99)}})
	for _, e := range []*assay.Event{
		event(assay.EventInstanceCreated, 1, "instance", "w-1", "reason", "scale_from_zero"), event(assay.EventInstanceReady, 2, "instance", "w-1"),
		event(assay.EventInstanceCreated, 3, "instance", "w-2", "reason", "scale_out"), event(assay.EventScale, 3, "desired", "2"),
		event(assay.EventPhaseBegin, 4, "phase", "steady", "role", "steady", "rate", "8"),
		event(assay.EventFaultArmed, 5, "fault", "f1", "kind", "kill"), event(assay.EventFaultApplied, 6, "fault", "f1"),
		event(assay.EventFaultArmed, 5, "fault", "f0", "kind", "hang"), event(assay.EventFaultApplied, 6, "fault", "f0"), event(assay.EventFaultReverted, 6, "fault", "f0"),
		event(assay.EventWarning, 7),
	} {
		w.Observe(e)
	}
	ms := int64(1e6)
	w.Observe(&assay.Request{Phase: "steady", Due: 1000 * ms, Sent: 1002 * ms, FirstToken: 1300 * ms, Arrivals: []int64{1300 * ms, 1320 * ms, 1321 * ms}, End: 1400 * ms, Outcome: assay.OK, Cold: assay.ColdNo, TraceID: assay.TraceID{0xab}})
	w.Observe(&assay.Request{Phase: "steady", Due: 1000 * ms, Sent: 1000 * ms, FirstToken: 201000 * ms, Arrivals: []int64{201000 * ms}, End: 201001 * ms, Outcome: assay.OK, Cold: assay.ColdYes, TraceID: assay.TraceID{0xcd}})
	w.Observe(&assay.Request{Phase: "steady", Due: 1000 * ms, Sent: 1000 * ms, End: 1400 * ms, Outcome: assay.CutRST})
	w.Observe(&assay.Request{Phase: "steady", Due: 1000 * ms, Outcome: assay.RefusedByCap})
	w.Observe(&assay.Request{Phase: "steady", Due: 1000 * ms, Sent: 1000 * ms, End: 1400 * ms, Outcome: assay.OK, Canary: true})
	w.Observe(&assay.Span{})
	w.Observe(&assay.Scrape{Target: "w-1/metrics"})
	w.Observe(&assay.Scrape{Target: "w-2/metrics", Error: "scrape: refused"})
	w.Observe(&assay.Scrape{Target: "w-2/metrics", Error: "scrape: refused"})
	w.Observe(&assay.Scrape{Target: "w-3/metrics", Gone: true})
	return w
}

func TestExposition(t *testing.T) {
	text, ct := get(t, busy(t).Handler(), "text/plain")
	if !strings.HasPrefix(ct, "text/plain") {
		t.Errorf("content type %q", ct)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	fams, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	types := map[string]dto.MetricType{}
	for name, f := range fams {
		types[name] = f.GetType()
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				if l.GetName() != "run" {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				} else if l.GetValue() != "demo" {
					t.Errorf("%s: run %q", name, l.GetValue())
				}
			}
			if len(labels) == len(m.Label) {
				t.Errorf("%s has no label run", name)
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.Histogram != nil:
				got[key+" count"], got[key+" sum"] = float64(m.Histogram.GetSampleCount()), m.Histogram.GetSampleSum()
				last := m.Histogram.Bucket[len(m.Histogram.Bucket)-2] // before +Inf
				if last.GetUpperBound() != 160 {
					t.Errorf("%s: the last bucket ends at %g, want 160", key, last.GetUpperBound())
				}
			case m.Counter != nil:
				if m.Counter.GetValue() > 0 || !strings.HasPrefix(name, "assay_requests_total") {
					got[key] = m.Counter.GetValue()
				}
			default:
				got[key] = m.Gauge.GetValue()
			}
		}
	}
	want := map[string]float64{
		"assay_run_info{target=sandbox tiny}":                         1,
		"assay_phase{phase=steady,role=steady}":                       1,
		"assay_requests_total{outcome=ok,phase=steady}":               2,
		"assay_requests_total{outcome=cut_rst,phase=steady}":          1,
		"assay_requests_total{outcome=refused_by_cap,phase=steady}":   1,
		"assay_request_ttft_seconds{cold=warm,phase=steady} count":    1,
		"assay_request_ttft_seconds{cold=warm,phase=steady} sum":      0.3,
		"assay_request_ttft_seconds{cold=cold,phase=steady} count":    1,
		"assay_request_ttft_seconds{cold=cold,phase=steady} sum":      200,
		"assay_request_e2e_seconds{cold=warm,phase=steady} count":     1,
		"assay_request_e2e_seconds{cold=warm,phase=steady} sum":       0.4,
		"assay_request_e2e_seconds{cold=cold,phase=steady} count":     1,
		"assay_request_e2e_seconds{cold=cold,phase=steady} sum":       200.001,
		"assay_request_itl_seconds{cold=warm,phase=steady} count":     2,
		"assay_request_itl_seconds{cold=warm,phase=steady} sum":       0.021,
		"assay_request_itl_seconds{cold=cold,phase=steady} count":     0,
		"assay_request_itl_seconds{cold=cold,phase=steady} sum":       0,
		"assay_send_lateness_seconds{} count":                         3,
		"assay_send_lateness_seconds{} sum":                           0.002,
		"assay_requests_in_flight{}":                                  3,
		"assay_offered_rate{}":                                        8,
		"assay_instances{state=desired}":                              2,
		"assay_instances{state=ready}":                                1,
		"assay_instances{state=starting}":                             1,
		"assay_instance_starts_total{reason=scale_from_zero}":         1,
		"assay_instance_starts_total{reason=scale_out}":               1,
		"assay_fault_active{fault=f1,kind=kill,state=injected}":       1,
		"assay_fault_active{fault=f1,kind=kill,state=recovering}":     0,
		"assay_fault_active{fault=f0,kind=hang,state=injected}":       0,
		"assay_fault_active{fault=f0,kind=hang,state=recovering}":     1,
		"assay_objective_goal{bound=max,metric=ttft/p95}":             0.5,
		"assay_objective_goal{bound=min,metric=availability/natural}": 0.99,
		"assay_refused_by_cap_total{}":                                1,
		"assay_spans_total{}":                                         1,
		"assay_scrape_errors_total{target=w-1/metrics}":               0,
		"assay_scrape_errors_total{target=w-2/metrics}":               2,
		"assay_scrape_errors_total{target=w-3/metrics}":               0,
		"assay_warnings_total{}":                                      1,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, typ := range types {
		want := dto.MetricType_GAUGE
		switch {
		case strings.HasSuffix(name, "_total"):
			want = dto.MetricType_COUNTER
		case strings.HasSuffix(name, "_seconds"):
			want = dto.MetricType_HISTOGRAM
		}
		if typ != want {
			t.Errorf("%s is a %s, want %s", name, typ, want)
		}
	}
	// All outcomes of every known phase stand at zero from the start.
	n := 0
	for _, m := range fams["assay_requests_total"].Metric {
		if slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetValue() == "stress" }) {
			n++
		}
	}
	if n != int(assay.Credential)+1 {
		t.Errorf("phase stress has %d outcomes, want all %d", n, assay.Credential+1)
	}
}

func TestExpositionHasExemplars(t *testing.T) {
	text, ct := get(t, busy(t).Handler(), "application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(ct, "application/openmetrics-text") || !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("content type %q", ct)
	}
	for _, want := range []string{
		`assay_request_ttft_seconds_bucket{cold="warm",phase="steady",run="demo",le="0.3"} 1 # {trace_id="ab000000000000000000000000000000"} 0.3 `,
		`assay_request_e2e_seconds_bucket{cold="cold",phase="steady",run="demo",le="+Inf"} 1 # {trace_id="cd000000000000000000000000000000"} 200.001 `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line begins with %s", want)
		}
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "itl") && strings.Contains(line, "trace_id") {
			t.Errorf("exemplar on %s", line)
		}
	}
}

func TestHistogramBuckets(t *testing.T) {
	h := newHistogram(gapBounds)
	var g gapCounts
	arrivals := []int64{0}
	for i := range int64(5000) {
		arrivals = append(arrivals, arrivals[i]+(i*7919%400)*1e6)
	}
	g.add(arrivals)
	h.merge(&g)
	one := newHistogram(gapBounds)
	for i := 1; i < len(arrivals); i++ {
		one.add(arrivals[i]-arrivals[i-1], nil, 0)
	}
	if h.counts != one.counts || h.sum != one.sum {
		t.Errorf("batched: got %v, want %v", h.counts, one.counts)
	}
	for _, b := range []*boundary{latencyBounds, gapBounds, latenessBounds} {
		for i, s := range b.seconds {
			if got := b.find(int64(s * 1e9)); got != i || b.find(b.ns[i]+1) != i+1 {
				t.Errorf("%g s falls in bucket %d, want %d", s, got, i)
			}
		}
	}
}

func TestPhasesAreBounded(t *testing.T) {
	w := New(Options{Clock: clock.New()})
	for i := range 2 * maxPhases {
		w.Observe(&assay.Request{Phase: time.Duration(i).String(), Due: 1, End: 2})
		w.Observe(&assay.Scrape{Target: time.Duration(i).String(), Error: "x"})
	}
	if len(w.phases) > maxPhases+1 || len(w.scrapes) > maxSources+1 || w.phases["other"].outcomes[0] != maxPhases {
		t.Errorf("got %d phases, %d targets", len(w.phases), len(w.scrapes))
	}
}
