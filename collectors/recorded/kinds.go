// Package recorded is the table of all that can be read as recorded: last week's traces, metrics, logs and dumps, as assay import takes them.
package recorded

import (
	"slices"

	"github.com/assay-dev/assay/collectors/captures"
	"github.com/assay-dev/assay/collectors/cloud"
	"github.com/assay-dev/assay/collectors/front"
	"github.com/assay-dev/assay/collectors/gpu"
	"github.com/assay-dev/assay/collectors/importers"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/kubernetes"
	"github.com/assay-dev/assay/collectors/logs"
	"github.com/assay-dev/assay/collectors/series"
	"github.com/assay-dev/assay/collectors/tables"
	"github.com/assay-dev/assay/collectors/traces"
)

// Kinds is the table, in the order people should read it. Each area's package has its own.
var Kinds = slices.Concat(
	[]input.Kind{importers.Requests},
	tables.Kinds,
	captures.Kinds,
	gpu.Kinds,
	cloud.Kinds,
	front.Kinds,
	traces.Kinds,
	logs.Kinds,
	series.Kinds,
	kubernetes.Kinds,
)

// Of returns the kind that a file seems to be of, or nil.
func Of(path string, head []byte) *input.Kind {
	for i := range Kinds {
		if k := &Kinds[i]; k.Is != nil && k.Is(path, head) {
			return k
		}
	}
	return nil
}
