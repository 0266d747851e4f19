package collectors

import "github.com/assay-dev/assay"

// A Clock gives run time: nanoseconds since the run's epoch.
type Clock interface {
	Now() int64
	FromUnix(ns int64) int64 // run time of a wall-clock stamp; never 0
}

// Proof says how an integration was shown to work, so that people know how far to trust it.
type Proof string

// The proofs, strongest first.
const (
	Live      Proof = "live"           // against the real program, in our tests
	Recorded  Proof = "recorded"       // against recordings of the real program
	Documents Proof = "documents only" // against its documentation
)

// A Kind is one kind of collector.
type Kind struct {
	Name   string
	Help   string // one sentence: what it watches, what it emits
	Proven Proof
	By     string                     // what exactly was proven
	New    func(c Clock) assay.Source // settings at their defaults; fill in the fields before Run
}

// Kinds is the table of collectors, in the order people should read it.
var Kinds = []Kind{
	{"otlp", "Takes OpenTelemetry traces and metrics over OTLP gRPC and HTTP (protobuf, JSON, gzip) and records each span and each point.",
		Live, "OpenTelemetry Go SDK exporters, gRPC and HTTP", func(c Clock) assay.Source { return &OTLP{Clock: c} }},
	{"prometheus", "Scrapes Prometheus and OpenMetrics expositions at an interval: static URLs and HTTP service discovery.",
		Live, "client_golang over HTTP; vLLM, DCGM and Knative names from recordings and documents", func(c Clock) assay.Source { return &Prometheus{Clock: c} }},
	{"remotewrite", "Takes what a Prometheus or an agent sends by remote write 1.0 and 2.0: samples, native histograms, exemplars, markers of stale series.",
		Live, "Prometheus 2.42; its own messages of 2.0", func(c Clock) assay.Source { return &RemoteWrite{Clock: c} }},
	{"events", "Follows a platform's stream of life-cycle events (newline-delimited JSON), resuming where it broke off.",
		Live, "the embedded sandbox", func(c Clock) assay.Source { return &Events{Clock: c} }},
}
