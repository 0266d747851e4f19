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
	s := fmt.Sprintf("by the counters %s, looked at each %s: an instant is known no better, and what fails for less is not told from an error here and there", f.Counted.Of, duration(seconds(f.Counted.Step)))
	if n := f.Counted.Aside; n > 0 {
		s += fmt.Sprintf("; %d more requests were throttled, which is neither served nor failed", n)
	}
	return s
}

// uncountedWhy is why nothing is said of requests of which a run holds none.
func uncountedWhy(f *assay.Facts) string {
	if f.Probed != nil && f.Probed.Unfit != "" {
		return noRequests + ", and " + f.Probed.Unfit
	}
	if f.Counted == nil || len(f.Counted.Unfit) == 0 {
		return noRequests
	}
	return noRequests + ", and its counters do not tell served from failed ones: " + strings.Join(f.Counted.Unfit, ", ")
}

// isProbed reports whether looks tell of the service, in a run that holds no requests and no counters of them.
func isProbed(f *assay.Facts) bool { return f.Probed != nil && f.Probed.Of != "" }

// probedBy says what looked, and how well it tells.
func probedBy(f *assay.Facts) string {
	p := f.Probed
	return fmt.Sprintf("by %s: %s, one each %s, %d failed; an instant is known no better, and what fails between two looks does not show", p.Of, things(p.Looks, "look"), duration(seconds(p.Period)), p.Failed)
}
