package collectors

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// A sink keeps a copy of all it is given.
type sink struct {
	mu      sync.Mutex
	spans   []assay.Span
	events  []assay.Event
	scrapes []assay.Scrape
	samples []assay.Sample
	refuse  func() error
	closed  bool
	late    int // records after close
}

func (s *sink) emit(r assay.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.late++
	}
	if s.refuse != nil {
		if err := s.refuse(); err != nil {
			return err
		}
	}
	switch r := r.(type) {
	case *assay.Span:
		c := *r
		c.Attrs = append([]assay.Attr(nil), r.Attrs...)
		s.spans = append(s.spans, c)
	case *assay.Event:
		c := *r
		c.Attrs = maps.Clone(r.Attrs)
		s.events = append(s.events, c)
	case *assay.Sample:
		c := *r
		c.Labels = append([]assay.Label(nil), r.Labels...)
		s.samples = append(s.samples, c)
	case *assay.Scrape:
		c := *r
		c.Samples = append([]assay.Sample(nil), r.Samples...)
		s.scrapes = append(s.scrapes, c)
	}
	return nil
}

func (s *sink) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// start runs src until the returned func is called, which also checks that nothing was emitted after Run returned.
func start(t testing.TB, src assay.Source, s *sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, s.emit) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			s.do(func() { s.closed = true })
		})
	}
	t.Cleanup(func() {
		stop()
		s.do(func() {
			if s.late > 0 {
				t.Errorf("%d records were emitted after Run had returned", s.late)
			}
		})
	})
	return stop
}

func listen(t testing.TB, o *OTLP) *OTLP {
	t.Helper()
	if o.Clock == nil {
		o.Clock = clock.New()
	}
	if o.Grace == 0 {
		o.Grace = time.Millisecond
	}
	if err := o.Listen(); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOTLPFromSDK(t *testing.T) {
	for _, name := range []string{"http", "http gzip", "grpc", "grpc gzip"} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			o := listen(t, &OTLP{Token: "s3cret", Grace: 200 * time.Millisecond})
			s := new(sink)
			stop := start(t, o, s)

			auth := map[string]string{"authorization": "Bearer s3cret"}
			var exp *otlptrace.Exporter
			var err error
			if strings.HasPrefix(name, "http") {
				opts := []otlptracehttp.Option{otlptracehttp.WithInsecure(), otlptracehttp.WithEndpoint(o.HTTPAddr()), otlptracehttp.WithHeaders(auth)}
				if strings.HasSuffix(name, "gzip") {
					opts = append(opts, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
				}
				exp, err = otlptracehttp.New(ctx, opts...)
			} else {
				opts := []otlptracegrpc.Option{otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(o.GRPCAddr()), otlptracegrpc.WithHeaders(auth)}
				if strings.HasSuffix(name, "gzip") {
					opts = append(opts, otlptracegrpc.WithCompressor("gzip"))
				}
				exp, err = otlptracegrpc.New(ctx, opts...)
			}
			if err != nil {
				t.Fatal(err)
			}
			tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exp), sdktrace.WithResource(resource.NewSchemaless(
				attribute.String("service.name", "sandbox-engine"), attribute.String("service.instance.id", "w-1"),
				attribute.String("k8s.pod.name", "pod-7"), attribute.String("telemetry.sdk.name", "not kept"))))
			begin := time.Now()
			ctx, parent := tp.Tracer("t").Start(ctx, "llm_request", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begin), trace.WithAttributes(
				attribute.Int("gen_ai.usage.prompt_tokens", 64), attribute.Float64("gen_ai.latency.e2e", 0.25), attribute.Bool("faas.coldstart", true),
				attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop", "length"}), attribute.String("gen_ai.input.messages", "the prompt"),
				attribute.String("gen_ai.system", "vllm")))
			_, child := tp.Tracer("t").Start(ctx, "decode", trace.WithAttributes(attribute.String("faas.instance", "w-2")))
			child.SetStatus(otelcodes.Error, "boom")
			child.End(trace.WithTimestamp(begin.Add(2 * time.Second)))
			parent.End(trace.WithTimestamp(begin.Add(3 * time.Second)))
			if err := tp.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			stop()

			by := map[string]assay.Span{}
			for _, sp := range s.spans {
				by[sp.Name] = sp
			}
			run := o.Clock.FromUnix(begin.UnixNano())
			pc, cc := parent.SpanContext(), child.SpanContext()
			want := map[string]assay.Span{
				"llm_request": {
					TraceID: assay.TraceID(pc.TraceID()), SpanID: assay.SpanID(pc.SpanID()), Name: "llm_request", Service: "sandbox-engine", Instance: "w-1",
					Kind: assay.SpanServer, Start: run, End: run + 3e9,
					Attrs: []assay.Attr{{Key: "k8s.pod.name", Value: "pod-7"}, {Key: "gen_ai.usage.prompt_tokens", Value: "64"}, {Key: "gen_ai.latency.e2e", Value: "0.25"},
						{Key: "faas.coldstart", Value: "true"}, {Key: "gen_ai.response.finish_reasons", Value: `["stop","length"]`}, {Key: "gen_ai.system", Value: "vllm"},
						{Key: "gen_ai.usage.input_tokens", Value: "64"}, {Key: "gen_ai.provider.name", Value: "vllm"}},
				},
				"decode": {
					TraceID: assay.TraceID(cc.TraceID()), SpanID: assay.SpanID(cc.SpanID()), Parent: assay.SpanID(pc.SpanID()), Name: "decode", Service: "sandbox-engine", Instance: "w-2",
					Kind: assay.SpanInternal, Start: by["decode"].Start, End: run + 2e9, Failed: true,
					Attrs: []assay.Attr{{Key: "k8s.pod.name", Value: "pod-7"}, {Key: "faas.instance", Value: "w-2"}},
				},
			}
			if d := cmp.Diff(want, by); d != "" {
				t.Errorf("spans (-want +got):\n%s", d)
			}
			if got := o.Counts(); got.Spans != 2 || got.Private != 1 || len(got.Rejected) != 0 {
				t.Errorf("counts: got %+v, want 2 spans, 1 private attribute, none rejected", got)
			}
		})
	}
}

// at returns a Unix stamp some seconds from now.
func at(seconds float64) int64 { return time.Now().UnixNano() + int64(seconds*1e9) }

// body returns a request with one resource and the spans that f adds.
func body(t testing.TB, f func(ptrace.SpanSlice)) []byte {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "svc")
	f(rs.ScopeSpans().AppendEmpty().Spans())
	b, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addSpan(ss ptrace.SpanSlice, trace, span byte, start, end int64) ptrace.Span {
	s := ss.AppendEmpty()
	s.SetTraceID([16]byte{15: trace})
	s.SetSpanID([8]byte{7: span})
	s.SetName(fmt.Sprintf("s%d", span))
	s.SetStartTimestamp(pcommon.Timestamp(start))
	s.SetEndTimestamp(pcommon.Timestamp(end))
	return s
}

func post(t testing.TB, url string, b []byte, headers ...string) (int, []byte, http.Header) {
	t.Helper()
	req, err := http.NewRequest("POST", url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeProtobuf)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out, resp.Header
}

func partial(t testing.TB, b []byte) (int64, string) {
	t.Helper()
	resp := ptraceotlp.NewExportResponse()
	if err := resp.UnmarshalProto(b); err != nil {
		t.Fatal(err)
	}
	return resp.PartialSuccess().RejectedSpans(), resp.PartialSuccess().ErrorMessage()
}

func TestOTLPRejectsSpansThatCannotBeTrue(t *testing.T) {
	o := listen(t, &OTLP{GRPC: Off})
	s := new(sink)
	stop := start(t, o, s)
	b := body(t, func(ss ptrace.SpanSlice) {
		addSpan(ss, 1, 1, at(-1), at(0))
		addSpan(ss, 0, 2, at(-1), at(0))
		addSpan(ss, 1, 0, at(-1), at(0))
		addSpan(ss, 1, 3, at(0), at(-1))
		addSpan(ss, 1, 4, 0, at(0))
		addSpan(ss, 1, 5, at(-25*3600), at(0))
		addSpan(ss, 1, 6, at(0), at(25*3600))
		addSpan(ss, 1, 7, at(0), -1) // past 2262
		addSpan(ss, 1, 8, at(-1), at(0))
	})
	code, out, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b)
	n, msg := partial(t, out)
	wantMsg := "spans rejected: 1 end before start, 1 end too far in the future, 1 no start time, 1 start too far in the past, 1 time out of range, 1 zero span id, 1 zero trace id"
	if code != 200 || n != 7 || msg != wantMsg {
		t.Errorf("got %d, %d rejected, %q\nwant 200, 7, %q", code, n, msg, wantMsg)
	}
	stop()
	var names []string
	for _, sp := range s.spans {
		names = append(names, sp.Name)
	}
	if d := cmp.Diff([]string{"s1", "s8"}, names); d != "" {
		t.Errorf("emitted (-want +got):\n%s", d)
	}
	if intake := s.events[0]; intake.Kind != assay.EventTraceIntake || intake.Attrs["spans"] != "2" || intake.Attrs["ahead"] != "0" {
		t.Errorf("got %+v, want how late 2 spans came", intake)
	}
	if warned := s.events[1:]; len(warned) != 7 || warned[0].Kind != assay.EventWarning || warned[0].Attrs["count"] != "1" {
		t.Errorf("got %d warnings %+v, want one for each reason", len(warned), warned)
	}
}

func TestOTLPBackPressure(t *testing.T) {
	full := errors.New("queue is full")
	for _, tt := range []struct {
		name  string
		after int // spans taken before the run pushes back
		code  int
		lost  int64
	}{{"at once: try again", 0, 503, 0}, {"midway: partial success", 2, 200, 3}} {
		t.Run(tt.name, func(t *testing.T) {
			o := listen(t, &OTLP{})
			left := tt.after
			s := &sink{refuse: func() error {
				if left == 0 {
					return full
				}
				left--
				return nil
			}}
			start(t, o, s)
			b := body(t, func(ss ptrace.SpanSlice) {
				for i := range byte(5) {
					addSpan(ss, 1, i+1, at(-1), at(0))
				}
			})
			code, out, h := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b)
			if code != tt.code {
				t.Fatalf("got %d, want %d: %q", code, tt.code, out)
			}
			c := o.Counts()
			if tt.code == 503 {
				if h.Get("Retry-After") != "1" || c.PushedBack != 1 || len(c.Rejected) != 0 {
					t.Errorf("got Retry-After %q, counts %+v; want 1, one pushed back, none rejected", h.Get("Retry-After"), c)
				}
				err := exportGRPC(t, o, b)
				if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), full.Error()) {
					t.Errorf("gRPC: got %v, want Unavailable: %v", err, full)
				}
				return
			}
			if n, msg := partial(t, out); n != tt.lost || msg != "spans rejected: 3 back-pressure" {
				t.Errorf("got %d rejected, %q; want %d", n, msg, tt.lost)
			}
			if c.Spans != 2 || c.Rejected["back-pressure"] != tt.lost {
				t.Errorf("counts: got %+v, want 2 spans and %d rejected", c, tt.lost)
			}
		})
	}
}

// exportGRPC sends raw bytes as a trace export over gRPC.
func exportGRPC(t testing.TB, o *OTLP, b []byte) error {
	t.Helper()
	cc, err := grpc.NewClient(o.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	var out []byte
	return cc.Invoke(t.Context(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export", b, &out)
}

func TestOTLPJSON(t *testing.T) {
	o := listen(t, &OTLP{})
	s := new(sink)
	stop := start(t, o, s)
	now := time.Now().UnixNano()
	in := fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"0000000000000002","name":"n","kind":3,
		"startTimeUnixNano":"%d","endTimeUnixNano":"%d","unknown":{"a":[1,2]},
		"attributes":[{"key":"m","value":{"kvlistValue":{"values":[{"key":"b","value":{"intValue":"2"}}]}}}]}]}]}]}`, strings.Repeat("ab", 16), now, now+5)
	code, out, h := post(t, "http://"+o.HTTPAddr()+"/v1/traces", []byte(in), "Content-Type", typeJSON)
	if code != 200 || h.Get("Content-Type") != typeJSON || !strings.HasPrefix(string(out), "{") {
		t.Fatalf("got %d %s %q, want 200 and JSON", code, h.Get("Content-Type"), out)
	}
	stop()
	id, _ := hex.DecodeString(strings.Repeat("ab", 16))
	run := o.Clock.FromUnix(now)
	want := []assay.Span{{TraceID: assay.TraceID(id), SpanID: assay.SpanID{7: 2}, Name: "n", Kind: assay.SpanClient, Start: run, End: run + 5, Attrs: []assay.Attr{{Key: "m", Value: `{"b":2}`}}}}
	if d := cmp.Diff(want, s.spans); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestOTLPLogsAreNotRecorded(t *testing.T) {
	o := listen(t, &OTLP{})
	start(t, o, new(sink))
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("x")
	cc, err := grpc.NewClient(o.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	lr, err := plogotlp.NewGRPCClient(cc).Export(t.Context(), plogotlp.NewExportRequestFromLogs(ld))
	if err != nil || lr.PartialSuccess().RejectedLogRecords() != 1 {
		t.Errorf("logs: got %v, want one record rejected", err)
	}
	if got := o.Counts().Ignored; got != 1 {
		t.Errorf("got %d ignored, want 1", got)
	}
}

func TestOTLPListen(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "example.com:4317"} {
		o := &OTLP{HTTP: addr, Clock: clock.New()}
		if err := o.Listen(); err == nil || !strings.Contains(err.Error(), "needs a token") {
			t.Errorf("%s without a token: got %v, want it refused", addr, err)
		}
		o.Close()
	}
	o := &OTLP{HTTP: "0.0.0.0:0", Token: "t", Clock: clock.New()}
	if err := o.Listen(); err != nil {
		t.Errorf("with a token: %v", err)
	}
	defer o.Close()
	taken := &OTLP{HTTP: o.HTTPAddr(), Token: "t", Clock: clock.New()}
	if err := taken.Listen(); err == nil || !strings.Contains(err.Error(), "otlp: listen for http on ") {
		t.Errorf("port in use: got %v", err)
	}
	if err := (&OTLP{HTTP: Off, GRPC: Off}).Listen(); err == nil {
		t.Error("both off: want an error")
	}
}

func TestOTLPToken(t *testing.T) {
	o := listen(t, &OTLP{Token: "right"})
	s := new(sink)
	start(t, o, s)
	b := body(t, func(ss ptrace.SpanSlice) { addSpan(ss, 1, 1, at(-1), at(0)) })
	for _, h := range []string{"", "Bearer wrong", "Basic right", "right"} {
		if code, _, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b, "Authorization", h); code != 401 {
			t.Errorf("authorization %q: got %d, want 401", h, code)
		}
	}
	if err := exportGRPC(t, o, b); status.Code(err) != codes.Unauthenticated {
		t.Errorf("gRPC: got %v, want Unauthenticated", err)
	}
	if len(s.spans) != 0 {
		t.Errorf("%d spans were taken", len(s.spans))
	}
}

func TestOTLPTakesLateBatchesWithinItsGrace(t *testing.T) {
	hurry := make(chan struct{})
	o := listen(t, &OTLP{Grace: pacetest.Patience, Hurry: hurry})
	s := new(sink)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx, s.emit) }()
	cancel()
	b := body(t, func(ss ptrace.SpanSlice) { addSpan(ss, 1, 1, at(-1), at(0)) })
	if code, _, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", b); code != 200 {
		t.Errorf("got %d, want 200", code)
	}
	close(hurry)
	addr := o.HTTPAddr()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(s.spans) != 1 {
		t.Errorf("got %d spans, want 1", len(s.spans))
	}
	if _, err := http.Get("http://" + addr); err == nil {
		t.Error("still listening after Run has returned")
	}
}
