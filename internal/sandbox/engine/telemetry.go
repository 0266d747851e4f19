package engine

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// emitSpans emits the spans of one request, after the fact, with the instants the scheduler noted. It fills in the trace id.
func emitSpans(tracer trace.Tracer, rec *record, cfg Config) {
	q := rec.seq
	finish := "length"
	if q.outcome != finished {
		finish = "abort"
	}
	attrs := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", rec.endpoint.operation),
		attribute.String("gen_ai.provider.name", "assay.sandbox"),
		attribute.String("gen_ai.request.model", cfg.ModelName),
		attribute.Int("gen_ai.request.max_tokens", q.maxNew),
		attribute.Int("gen_ai.usage.input_tokens", q.prompt),
		attribute.Int("gen_ai.usage.output_tokens", q.generated()),
		attribute.StringSlice("gen_ai.response.finish_reasons", []string{finish}),
		attribute.Float64("gen_ai.latency.time_in_queue", seconds(q.queued())),
		attribute.Float64("gen_ai.latency.time_in_model_prefill", seconds(q.total[prefill])),
		attribute.Float64("gen_ai.latency.time_in_model_decode", seconds(q.total[decode])),
		attribute.Float64("gen_ai.latency.e2e", seconds(rec.end-rec.arrived)),
		attribute.Float64("sandbox.accelerator.busy", seconds(q.busy)),
		attribute.String("faas.instance", cfg.Instance),
	}
	if q.firstToken != 0 {
		attrs = append(attrs, attribute.Float64("gen_ai.latency.time_to_first_token", seconds(q.firstToken-rec.arrived)))
	}
	if q.preemptions > 0 {
		attrs = append(attrs, attribute.Int("sandbox.preemptions", q.preemptions))
	}
	ctx, span := tracer.Start(rec.parent, "llm_request", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(time.Unix(0, rec.arrived)), trace.WithAttributes(attrs...))
	rec.trace = span.SpanContext().TraceID()
	if q.outcome != finished {
		span.SetStatus(codes.Error, q.outcome.String())
	}
	for _, g := range q.segments {
		options := []trace.SpanStartOption{trace.WithTimestamp(time.Unix(0, g.start))}
		if g.state.waiting() {
			options = append(options, trace.WithAttributes(attribute.String("wait.reason", g.state.reason())))
		}
		_, child := tracer.Start(ctx, g.state.span(), options...)
		child.End(trace.WithTimestamp(time.Unix(0, g.end)))
	}
	span.End(trace.WithTimestamp(time.Unix(0, rec.end)))
}
