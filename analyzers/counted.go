package analyzers

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// isCounted reports whether counters tell of requests, in a run that holds none.
func isCounted(f *assay.Facts) bool { return f.Counted != nil && f.Counted.Of != "" }

// countedBy says which counters tell, and how well.
func countedBy(f *assay.Facts) string {
	return fmt.Sprintf("by the counters %s, looked at each %s: an instant is known no better, and what fails for less is not told from an error here and there", f.Counted.Of, duration(seconds(f.Counted.Step)))
}

// uncountedWhy is why nothing is said of requests of which a run holds none.
func uncountedWhy(f *assay.Facts) string {
	if f.Counted == nil || len(f.Counted.Unfit) == 0 {
		return noRequests
	}
	return noRequests + ", and its counters do not tell served from failed ones: " + strings.Join(f.Counted.Unfit, ", ")
}
