package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// unsureTime is the natural time of instances of which it is not known whether they were in routing, since they were started anew in it, or became ready, at no known instant.
func unsureTime(f *assay.Facts) (sum int64) {
	for _, u := range f.Unsure {
		t := facts.Within(f, assay.Natural, u.Begin, u.End)
		for i := range f.Lives {
			if l := &f.Lives[i]; l.Instance == u.Name {
				t -= inServiceWithin(f, l, u.Begin, u.End)
			}
		}
		sum += max(0, t)
	}
	return sum
}

// undated has the findings on instances, which take the unsure time for exposure, say what they would be without it, and withholds them where restarts lie at no known time at all.
func undated(findings []assay.Finding, f *assay.Facts, exposure, unsure int64) {
	for i := range findings {
		x := &findings[i]
		if f.Undated > 0 {
			x.Quantity = assay.NotEstimable(x.Quantity.Unit, x.Quantity.N, "failures", fmt.Sprintf("%d restarts more are known by their count alone, and nothing tells between which instants they were", f.Undated))
			continue
		}
		if unsure <= 0 || !x.Quantity.Bounded() {
			continue
		}
		x.Evidence = append(x.Evidence[:len(x.Evidence):len(x.Evidence)], fmt.Sprintf("of %.0f s more it is not known whether an instance was in routing, since nothing tells when it was started anew in them, or ready: the estimate counts them, the bound on the side of more failures does not", seconds(unsure)))
		least := 0.0
		if exposure > 0 {
			least = stat.MTBF(seconds(exposure), x.Quantity.N, Confidence).Lo
		}
		switch {
		case x.Quantity.Unit == assay.Seconds:
			x.Quantity.Lo = least
		case least > 0:
			x.Quantity.Hi = 3600 / least
		default:
			x.Quantity.Hi = math.Inf(1)
		}
	}
}
