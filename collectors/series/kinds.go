package series

import (
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Metrics are expositions in a file.
var Metrics = input.Kind{
	Name: "metrics", Things: "samples", Proven: collectors.Recorded, By: "expositions of llm-d-inference-sim, client_golang and promtool",
	Help:    "Prometheus text or OpenMetrics: one exposition, or many one after another.",
	Options: []input.Option{at, every, {Name: "job", Help: "label job of each series"}, {Name: "instance", Help: "labels instance and instance_id of each series"}},
	Is:      isExposition, Read: readMetrics,
}

// Prometheus is JSON of the HTTP API, from a file or from the API itself.
var Prometheus = input.Kind{
	Name: "prometheus", Things: "samples", Proven: collectors.Live, By: "Prometheus 2.42",
	Help: "Answers of query_range, query and series of a Prometheus-compatible API, or its URL with --from and --to.",
	Options: []input.Option{
		{Name: "step", Help: "of a URL: how far apart points are, such as 30s; by default 15s, and more where the window is long"},
		{Name: "match", Help: "of a URL: regular expression of the names to get; by default all that a profile knows"},
		{Name: "select", Help: "of a URL: one more matcher, such as job=\"vllm\""},
	},
	Is: isAPI, Read: readAPI, Fetch: fetch,
}

// RedisInfo is what INFO prints.
var RedisInfo = input.Kind{
	Name: "redis-info", Things: "lines", Proven: collectors.Documents, By: "the manual of INFO",
	Help:    "What the command INFO of Redis prints, once or many times, under the names of its exporter.",
	Options: []input.Option{at, every, {Name: "instance", Help: "labels instance and instance_id of each series"}},
	Is:      isRedisInfo, Read: readRedisInfo,
}

var (
	at    = input.Option{Name: "at", Help: "when it was taken, RFC 3339, where it does not say itself; the file's time where none is given"}
	every = input.Option{Name: "every", Help: "how far apart looks without a time were, such as 15s"}
)

// Kinds is the table.
var Kinds = []input.Kind{Metrics, Prometheus, RedisInfo}
