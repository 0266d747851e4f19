package tables

import (
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

const (
	unitHelp  = "; a unit follows the column after a colon: s, ms, us or ns"
	ownTables = "tables of our own in CSV, JSON lines and Parquet"
)

// Kinds are the tables that can be read.
var Kinds = []input.Kind{
	{Name: "samples", Things: "cells", Help: "Any table of metrics, long or wide.", Proven: collectors.Recorded, By: ownTables, Read: readSamples, Options: []input.Option{
		{Name: "time", Help: "column of the instant" + unitHelp},
		{Name: "value", Help: "of a long table, column of the value"},
		{Name: "name", Help: "of a long table, column of the metric's name, or the name itself; of a header of several rows, those that make the name, with | between them"},
		{Name: "values", Help: "of a wide table, its metrics' columns with | between them, each as COLUMN, COLUMN:quantity, COLUMN:quantity:unit or COLUMN:metric_name; all that hold numbers where none are given. Of a long one, what its metrics' names mean, in the same way"},
		{Name: "labels", Help: "columns, or rows of a header of several, that tell series apart, with | between them"},
		{Name: "header", Help: "how many rows name the columns, for the metric, the statistic and so on; where none is given, those down to the one that names that of the times"},
		{Name: "prefix", Help: "what goes before each metric's name"},
	}},
	{Name: "happened", Things: "rows", Help: "Any table of things that happened to instances: starts, exits, loads.", Proven: collectors.Recorded, By: ownTables, Read: readEvents, Options: []input.Option{
		{Name: "time", Help: "column of the instant" + unitHelp},
		{Name: "begin", Help: "in place of time, column of the beginning of a stretch" + unitHelp},
		{Name: "end", Help: "column of its end" + unitHelp},
		{Name: "duration", Help: "column of its length, in place of end" + unitHelp},
		{Name: "phase", Help: "the phase of a start that a stretch is, such as weights_load"},
		{Name: "event", Help: "column that says what happened"},
		{Name: "map", Help: "what its values mean, value:event or value:event/reason with | between them"},
		{Name: "instance", Help: "column of the instance, such as the pod"},
		{Name: "text", Help: "column of a short text"},
		{Name: "resolution", Help: "of the clock that stamped it, such as 1s"},
	}},
}
