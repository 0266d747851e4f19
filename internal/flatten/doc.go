// Package flatten makes samples of the classic shape of Prometheus out of what has another: native histograms ([Histogram]) and the points of
// OpenTelemetry ([OTLP]). The store holds plain numbers, and every reader of a run, DuckDB and an old Prometheus among them, then sees count,
// sum and cumulative buckets by le as from any engine.
//
// # Buckets that come and go
//
// A native histogram has the buckets that it needs, so a boundary may appear in the middle of a run. A series that begins with 12 would lose
// those 12 to every rate. What a new boundary would have shown at the look before is known, since that look's buckets add up to it, and it is
// told too. Resolution is lowered to boundaries a factor of 2^(1/4) apart, about 19 %, so that an engine's latencies need some sixty series.
//
// # Exemplars
//
// An exemplar ties a bucket to a trace. [Exemplars] makes events of them, bounded in number, and counts the rest.
package flatten
