package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/assay-dev/assay/internal/pacetest"
)

// A sink is an OTLP endpoint that keeps what it gets.
type sink struct {
	mu    sync.Mutex
	spans []sunk
}

type sunk struct {
	service string
	ptrace.Span
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	req := ptraceotlp.NewExportRequest()
	if err == nil {
		err = req.UnmarshalProto(body)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "bad export", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.Traces().ResourceSpans().All() {
		service, _ := rs.Resource().Attributes().Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				s.spans = append(s.spans, sunk{service.Str(), span})
			}
		}
	}
	out, _ := ptraceotlp.NewExportResponse().MarshalProto()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(out)
}

func (s *sink) find(service, name string) []sunk {
	var out []sunk
	for _, sp := range s.spans {
		if sp.service == service && sp.Name() == name {
			out = append(out, sp)
		}
	}
	return out
}

// Spans of gateway, worker and platform arrive at an OTLP endpoint and hang together.
func TestSpansArrive(t *testing.T) {
	s := &sink{}
	endpoint := httptest.NewServer(s)
	defer endpoint.Close()
	cfg := testConfig(t)
	cfg.OTLPEndpoint = endpoint.URL
	p := startTest(t, cfg)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	if status, _, _, err := ask(t.Context(), p.URL, 4, 4, "traceparent", "00-"+trace+"-00f067aa0ba902b7-01"); err != nil || status != 200 {
		t.Fatalf("got status %d, %v", status, err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := func(service, name string) sunk {
		t.Helper()
		found := s.find(service, name)
		if len(found) != 1 {
			t.Fatalf("got %d spans %s of %s, want one", len(found), name, service)
		}
		return found[0]
	}
	server, wait, upstream, engine := one(gatewayService, "POST /v1/completions"), one(gatewayService, "activator.wait"), one(gatewayService, "upstream"), one("sandbox-engine", "llm_request")
	for _, c := range []struct {
		child  sunk
		parent string
	}{{server, "00f067aa0ba902b7"}, {wait, server.SpanID().String()}, {upstream, server.SpanID().String()}, {engine, upstream.SpanID().String()}} {
		if c.child.TraceID().String() != trace || c.child.ParentSpanID().String() != c.parent {
			t.Errorf("%s is in trace %s under %s, want %s under %s", c.child.Name(), c.child.TraceID(), c.child.ParentSpanID(), trace, c.parent)
		}
	}
	start := one(platformService, "cold_start")
	if v, ok := start.Attributes().Get("faas.instance"); !ok || v.Str() != "w-1" {
		t.Errorf("cold_start is of instance %v", v)
	}
	if v, ok := start.Attributes().Get("reason"); !ok || v.Str() != startFromZero {
		t.Errorf("cold_start has reason %v", v)
	}
	var phases []sunk
	for _, sp := range s.spans {
		if sp.service == platformService && sp.ParentSpanID() == start.SpanID() {
			phases = append(phases, sp)
		}
	}
	slices.SortStableFunc(phases, func(a, b sunk) int { return int(a.StartTimestamp()) - int(b.StartTimestamp()) })
	var names []string
	for _, ph := range phases {
		names = append(names, ph.Name())
	}
	if got := strings.Join(names, " "); got != "schedule runtime_start weights_fetch weights_load warmup readiness" {
		t.Errorf("got phases %s", got)
	}
	if got, want := start.EndTimestamp(), phases[len(phases)-1].EndTimestamp(); got != want {
		t.Errorf("cold_start ends at %d, its last phase at %d", got, want)
	}
	// The wait for the start ends when the instance comes into routing.
	if d := wait.EndTimestamp().AsTime().Sub(start.EndTimestamp().AsTime()); d < -time.Millisecond || d > pacetest.Most(50*time.Millisecond) {
		t.Errorf("the wait ends %s after the start", d)
	}
}

// An endpoint that is not there costs spans, not requests.
func TestSpansLost(t *testing.T) {
	cfg := testConfig(t)
	cfg.OTLPEndpoint = "http://127.0.0.1:1"
	cfg.InitialScale, cfg.MinScale = 1, 1
	p := startTest(t, cfg)
	if status, _, _, err := ask(t.Context(), p.URL, 4, 4); err != nil || status != 200 {
		t.Fatalf("got status %d, %v", status, err)
	}
	for deadline := time.Now().Add(pacetest.Patience); metric(t, p, "sandbox_spans_lost_total") == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the spans that could not be sent are not counted as lost")
		}
	}
}
