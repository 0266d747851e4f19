// Package collectors holds the Sources that watch a target: they listen, scrape
// or follow, and emit what they saw as records. They hold no opinion about what
// it means.
//
//   - [OTLP] takes OpenTelemetry spans and metrics over gRPC and HTTP and emits a Span for each span and Samples for each point.
//   - [Prometheus] scrapes expositions at an interval, static targets and those an
//     HTTP service discovery names, and emits a Scrape for each look.
//   - [RemoteWrite] takes what a Prometheus sends by remote write and emits a Sample for each.
//   - [Events] follows the life-cycle stream of a platform and emits its Events.
//
// Each is a struct whose exported fields are its settings; the zero value of a
// setting means its default. Each needs a [Clock], the run's, since other
// processes stamp Unix time and records carry run time. What a collector cannot
// record it counts and tells: to the sender where the protocol has a place for it,
// and to the run as an event of kind run.warning. It does not log.
//
// Everything that comes from outside is bounded: bodies, decompression, nesting,
// lines, label sets, numbers of samples. A bound that is met is an error that names it.
//
// # Adding a collector
//
// Write one file with a settings struct that implements assay.Source, and add one
// line to [Kinds].
package collectors
