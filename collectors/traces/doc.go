// Package traces reads what tracing systems recorded: OTLP files, Jaeger's and Zipkin's JSON, X-Ray's segment documents, and the answers of
// Tempo and Jaeger over HTTP. All of it passes through [collectors.Spans], so that a span means the same whether it arrived during a run or
// was stored last week.
//
// Each format is a [input.Kind] in [Kinds]. What it counts are spans, those of X-Ray included that are subsegments.
//
// # What the formats have that OpenTelemetry has not
//
// Jaeger and Zipkin stamp microseconds, X-Ray milliseconds at least. Zipkin gives a client's span and its server's one id; the server's half gets an id of its
// own, derived from it, and what was called below it hangs there, so that both halves stay. An id that is not hexadecimal is replaced by a
// hash of itself. A segment of X-Ray that is in progress has no end: it is not a span yet.
//
// X-Ray's Initialization tells a cold start. Its absence tells nothing: a start after a crash has none either.
package traces
