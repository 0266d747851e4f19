package dashboards

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// useNone says of a run that could not measure what its figures are worth.
const useNone = "no figure of this report may be used for a decision"

// notServed says beside the verdict which share of the natural requests was not served, by outcome; "" where all were. A verdict that does not ask for it must not hide it.
func notServed(r *assay.Report) string {
	f := r.Find("error_ratio")
	if f == nil || !f.Quantity.Known() || !(f.Quantity.Value > 0) {
		return ""
	}
	var rows []assay.ErrorRow
	for _, e := range r.Errors {
		if e.Ledger == assay.Natural && e.Outcome.Bad() {
			rows = append(rows, e)
		}
	}
	slices.SortStableFunc(rows, func(a, b assay.ErrorRow) int { return cmp.Compare(b.Count, a.Count) })
	var parts []string
	for _, e := range rows {
		parts = append(parts, Integer(e.Count)+" "+words(e.Outcome.String()))
	}
	s := fmt.Sprintf("; %s of %s not served", Value(f.Quantity), Things(f.Quantity.N, "requests"))
	if parts != nil {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	return s
}
