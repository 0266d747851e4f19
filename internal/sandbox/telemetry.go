package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The services under which the platform emits spans.
const (
	gatewayService  = "sandbox-gateway"
	platformService = "sandbox-platform"
)

const (
	exportEvery = 200 * time.Millisecond
	spanQueue   = 1 << 16 // spans held while an export is under way
)

var traceContext = propagation.TraceContext{}

// telemetry holds the tracers of the platform.
type telemetry struct {
	gateway, platform trace.Tracer
	providers         []*sdktrace.TracerProvider
	lost              *atomic.Int64 // spans whose export failed
}

// newTelemetry returns tracers that export to endpoint, or to nowhere if it is empty; trace ids are made and
// passed on all the same.
func newTelemetry(ctx context.Context, endpoint string) (*telemetry, error) {
	t := &telemetry{lost: new(atomic.Int64)}
	for _, service := range []string{gatewayService, platformService} {
		opts := []sdktrace.TracerProviderOption{
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
			sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.namespace", "assay"))),
		}
		if endpoint != "" {
			exp, err := newExporter(ctx, endpoint)
			if err != nil {
				return nil, errors.Join(err, t.shutdown(ctx))
			}
			opts = append(opts, sdktrace.WithBatcher(&countingExporter{exp, t.lost},
				sdktrace.WithBatchTimeout(exportEvery), sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithExportTimeout(5*time.Second)))
		}
		t.providers = append(t.providers, sdktrace.NewTracerProvider(opts...))
	}
	t.gateway = t.providers[0].Tracer("assay/sandbox/gateway")
	t.platform = t.providers[1].Tracer("assay/sandbox/platform")
	return t, nil
}

func newExporter(ctx context.Context, endpoint string) (sdktrace.SpanExporter, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("read OTLP endpoint %q: %w", endpoint, err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	exp, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(5*time.Second),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: 4 * time.Second}))
	if err != nil {
		return nil, fmt.Errorf("open OTLP exporter to %s: %w", endpoint, err)
	}
	return exp, nil
}

// shutdown sends what is left.
func (t *telemetry) shutdown(ctx context.Context) error {
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// A countingExporter counts the spans that could not be delivered. The SDK would print each failure to
// the process's stderr.
type countingExporter struct {
	sdktrace.SpanExporter
	lost *atomic.Int64
}

func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.lost.Add(int64(len(spans)))
	}
	return nil
}
