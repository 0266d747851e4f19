package vision

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A TruthRequest is the truth line of one request. Times are Unix nanoseconds; the parts follow one another from arrival to end.
type TruthRequest struct {
	Kind        string           `json:"kind"` // "request"
	TraceID     string           `json:"trace_id,omitempty"`
	Instance    string           `json:"instance"`
	Protocol    string           `json:"protocol"` // v1 or v2
	Arrived     int64            `json:"arrived_unix_ns"`
	Preprocess  int64            `json:"preprocess_ns"` // reading, decoding and resizing
	Queued      int64            `json:"queued_ns"`
	QueuedBy    map[string]int64 `json:"queued_by_ns,omitempty"` // by reason: max_seqs, batch_window, step
	Predict     int64            `json:"predict_ns"`             // from the first pass to the end of the last
	Postprocess int64            `json:"postprocess_ns"`
	Busy        int64            `json:"busy_ns"`
	End         int64            `json:"end_unix_ns"`
	Images      int              `json:"images"`
	Batch       int              `json:"batch,omitempty"`  // most images in one of its passes
	Outcome     string           `json:"outcome"`          // ok, cancelled, aborted or refused
	Status      int              `json:"status,omitempty"` // of a refused one
	Code        string           `json:"code,omitempty"`   // of a refused one, such as loading
}

// A record is what is told about one request when it is over.
type record struct {
	protocol string
	parent   context.Context // carries the client's span, if it sent one
	arrived  int64
	end      int64
	request  *request // nil of a refused one
	fault    *fault   // why it was refused
}

// truth returns the truth of the request; id is that of its trace.
func (rec *record) truth(id trace.TraceID, instance string) TruthRequest {
	t := TruthRequest{Kind: "request", Instance: instance, Protocol: rec.protocol, Arrived: rec.arrived, End: rec.end, Outcome: outcomeRefused}
	if !id.IsValid() {
		id = trace.SpanContextFromContext(rec.parent).TraceID()
	}
	if id.IsValid() {
		t.TraceID = id.String()
	}
	if rec.fault != nil {
		t.Status, t.Code = rec.fault.status, rec.fault.code
	}
	q := rec.request
	if q == nil {
		return t
	}
	t.Outcome, t.Images, t.Batch, t.Busy = q.outcome, len(q.images), q.batch, q.busy
	t.Preprocess, t.Queued = q.submitted-rec.arrived, q.queued()
	t.QueuedBy = map[string]int64{}
	for _, g := range q.segments {
		t.QueuedBy[g.why.String()] += g.end - g.start
	}
	at := q.submitted + t.Queued
	if q.last > 0 {
		t.Predict = q.last - q.first
		at = q.last
	}
	t.Postprocess = rec.end - at
	return t
}

// emit sends the spans of a request that was submitted, after the fact, and returns the id of its trace.
func (rec *record) emit(tracer trace.Tracer, cfg Config) trace.TraceID {
	q := rec.request
	at := func(ns int64) trace.SpanStartOption { return trace.WithTimestamp(time.Unix(0, ns)) }
	ctx, span := tracer.Start(rec.parent, "inference_request", trace.WithSpanKind(trace.SpanKindServer), at(rec.arrived), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "predict"),
		attribute.String("gen_ai.provider.name", "assay.sandbox"),
		attribute.String("gen_ai.request.model", cfg.ModelName),
		attribute.Float64("gen_ai.latency.time_in_queue", seconds(q.queued())),
		attribute.Float64("gen_ai.latency.e2e", seconds(rec.end-rec.arrived)),
		attribute.Float64("sandbox.accelerator.busy", seconds(q.busy)),
		attribute.Int("sandbox.images", len(q.images)),
		attribute.Int("sandbox.batch", q.batch),
		attribute.String("faas.instance", cfg.Instance)))
	if q.outcome != outcomeOK {
		span.SetStatus(codes.Error, q.outcome)
	}
	child := func(name string, from, to int64, attrs ...attribute.KeyValue) {
		if to > from {
			_, c := tracer.Start(ctx, name, at(from), trace.WithAttributes(attrs...))
			c.End(trace.WithTimestamp(time.Unix(0, to)))
		}
	}
	child("preprocess", rec.arrived, q.submitted)
	for _, g := range q.segments {
		child("queue", g.start, g.end, attribute.String("wait.reason", g.why.String()))
	}
	from := q.submitted + q.queued()
	if q.last > 0 {
		child("predict", q.first, q.last)
		from = q.last
	}
	child("postprocess", from, rec.end)
	span.End(trace.WithTimestamp(time.Unix(0, rec.end)))
	return span.SpanContext().TraceID()
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }
