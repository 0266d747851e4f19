package traces

import (
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Kinds are the formats of this package.
var Kinds = []input.Kind{
	{Name: "otlp", Things: "spans and points", Help: "OpenTelemetry traces and metrics: JSON lines of the collector's file exporter, one OTLP JSON document, protobuf with length prefixes or one bare request.",
		Proven: collectors.Live, By: "messages of the OpenTelemetry collector's own encoder", Is: isOTLP, Read: readOTLP},
	{Name: "jaeger", Things: "spans", Help: "Jaeger's query JSON, as its UI downloads it, or a Jaeger query service at a URL.",
		Proven: collectors.Recorded, By: "traces of uber-research/CRISP; the HTTP API from its documentation", Is: isJaeger, Read: readJaeger, Fetch: fetchJaeger,
		Options: []input.Option{
			{Name: "epoch", Help: "instant that stamps count from where that is not 1970, such as 2026-01-01T00:00:00Z"},
			{Name: "service", Help: "of a URL: the service whose traces are wanted; all where none is given"},
			{Name: "limit", Help: "of a URL: most traces of a service in a slice of the window, 1500 where none is given"},
		}},
	{Name: "zipkin", Things: "spans", Help: "Zipkin's v2 JSON: a list of spans or of traces.",
		Proven: collectors.Recorded, By: "traces of openzipkin/zipkin", Is: isZipkin, Read: readZipkin},
	{Name: "xray", Things: "spans", Help: "AWS X-Ray segment documents: one a line, a list, or the output of aws xray batch-get-traces.",
		Proven: collectors.Recorded, By: "segments of X-Ray's Go SDK; those of Lambda from the documentation", Is: isXRay, Read: readXRay},
	{Name: "tempo", Things: "spans", Help: "A Grafana Tempo at a URL, or what was fetched from one.",
		Proven: collectors.Documents, By: "Tempo's documentation of its HTTP API", Read: readOTLP, Fetch: fetchTempo,
		Options: []input.Option{
			{Name: "query", Help: "TraceQL that chooses traces; all of the window where none is given"},
			{Name: "tenant", Help: "of a Tempo that has several"},
			{Name: "limit", Help: "most traces in a slice of the window, 1000 where none is given"},
		}},
}
