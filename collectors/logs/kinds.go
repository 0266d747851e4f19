package logs

import (
	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Kinds is the table of this package's formats.
var Kinds = []input.Kind{logsKind, ollamaKind, elasticKind, lokiKind}

// Sources is the table of this package's live collectors.
var Sources = []collectors.Kind{
	{Name: "logs", Help: "Follows the logs of vLLM, SGLang, Ollama and Triton on this machine, over rotation, and emits the lives of their processes and the phases of their starts.",
		Proven: collectors.Recorded, By: "the recordings of assay import --logs, written while they are followed", New: func(c collectors.Clock) assay.Source { return &Tail{Clock: c} }},
	{Name: "loki", Help: "Follows the lines of engines in Loki that a LogQL query chooses, and reads after the run what comes late.",
		Proven: collectors.Documents, By: "a stand-in of Loki's query_range, with short pages, failures and late lines", New: func(c collectors.Clock) assay.Source { return &Query{Store: Loki, Clock: c} }},
	{Name: "elasticsearch", Help: "Follows the lines of engines in an index of Elasticsearch or OpenSearch, and reads after the run what comes late.",
		Proven: collectors.Documents, By: "a stand-in of the search API of Elasticsearch 8 and OpenSearch 2, with failures and late lines", New: func(c collectors.Clock) assay.Source { return &Query{Store: Elasticsearch, Clock: c} }},
}
