package main

import (
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/recorded"
	"github.com/assay-dev/assay/collectors/tables"
)

// listOptions lists what may follow the file of each kind of input after a comma.
func listOptions() (out []listed) {
	for _, k := range recorded.Kinds {
		for _, o := range k.Options {
			out = append(out, listed{Part: "option", Name: k.Name + "," + o.Name, Help: capital(o.Help) + "."})
		}
	}
	for _, o := range input.Common {
		out = append(out, listed{Part: "option", Name: "any," + o.Name, Help: "Of every kind of input: " + o.Help + "."})
	}
	return out
}

// unitWords are the units of quantities as people say them.
var unitWords = map[assay.Unit]string{assay.Ratio: "a share of 1", assay.Seconds: "s", assay.Bytes: "bytes", assay.Count: "a number", assay.Celsius: "degrees Celsius"}

// listQuantities lists what a column of a table can be said to hold.
func listQuantities() (out []listed) {
	for _, q := range tables.Quantities() {
		unit := string(q.Unit)
		if w := unitWords[q.Unit]; w != "" {
			unit = w
		}
		help := q.Help + " Of a table: values=COLUMN:" + q.Name + " for " + unit
		if len(q.Units) > 0 {
			help += ", or with :" + strings.Join(q.Units, ", :") + " after it"
		}
		out = append(out, listed{Part: "quantity", Name: q.Name, Help: help + "."})
	}
	return out
}
