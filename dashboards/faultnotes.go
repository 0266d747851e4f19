package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// A faultNote is a note and the faults that it is said of.
type faultNote struct {
	Faults []string // by their names in the table
	Text   string
}

func (n faultNote) String() string { return strings.Join(n.Faults, ", ") + ": " + n.Text }

// faultName is what the views call the i-th fault: "3 hang 1/2".
func faultName(i int, f assay.FaultResult) string { return fmt.Sprintf("%d %s", i+1, kindName(f)) }

// allNotes returns the notes of all faults in the order in which they come up. What is said of several faults is said once.
func allNotes(r *assay.Report) []faultNote {
	var out []faultNote
	for i, f := range r.Faults {
		for _, text := range faultNotes(r, f) {
			name := faultName(i, f)
			at := slices.IndexFunc(out, func(n faultNote) bool { return n.Text == text })
			switch {
			case at < 0:
				out = append(out, faultNote{[]string{name}, text})
			case !slices.Contains(out[at].Faults, name):
				out[at].Faults = append(out[at].Faults, name)
			}
		}
	}
	return out
}

// splitNotes returns what is said of each fault alone, by its place in the report, and what is said of several.
func splitNotes(r *assay.Report) (own [][]string, shared []faultNote) {
	own = make([][]string, len(r.Faults))
	for _, n := range allNotes(r) {
		if len(n.Faults) > 1 {
			shared = append(shared, n)
			continue
		}
		for i, f := range r.Faults {
			if faultName(i, f) == n.Faults[0] {
				own[i] = append(own[i], n.Text)
			}
		}
	}
	return own, shared
}
