package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Lifetimes
//
// How long an instance lives until it fails says what a rate cannot: whether it fails young or wears out. A life begins when the instance is ready and ends with its first natural failure; one that was
// scaled in, hurt by a fault or still there at the end was only seen to live so long. Below leastLives failures nothing is fitted.

const leastLives = 3

func describeLifetimes() []assay.Desc {
	return []assay.Desc{
		{Metric: "lifetime/instance", Unit: assay.Seconds, Better: "higher", Help: "Median time from ready until an instance fails of itself, by Kaplan-Meier with those that did not fail as censored; interval of Brookmeyer and Crowley."},
		{Metric: "lifetime/instance/shape", Unit: assay.Count, Help: "Shape of the Weibull distribution of that time: below 1 instances fail young, above 1 they wear out."},
	}
}

// lifetimes returns the lifetimes of instances that failed as given. Nothing where no life is known or none failed: the rate says all then.
func lifetimes(f *assay.Facts, failed []*assay.Episode) []assay.Finding {
	lives := livesOf(f, failed)
	n := 0
	for _, l := range lives {
		if !l.Censored {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	evidence := []string{fmt.Sprintf("%d lives of instances, %d ended by a failure of their own and %d not seen to fail", len(lives), n, len(lives)-n)}
	median := assay.Finding{Metric: "lifetime/instance", Ledger: assay.Natural, Evidence: evidence}
	shape := assay.Finding{Metric: "lifetime/instance/shape", Ledger: assay.Natural, Evidence: evidence}
	if n < leastLives {
		why := fmt.Sprintf("%d lives ended by a failure of their own; want %d", n, leastLives)
		median.Quantity, shape.Quantity = assay.NotEstimable(assay.Seconds, n, "failures", why), assay.NotEstimable(assay.Count, n, "failures", why)
		return []assay.Finding{median, shape}
	}
	m, in := stat.SurvivalMedian(stat.KaplanMeier(lives, Confidence))
	median.Quantity = assay.Quantity{Value: m, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: n, Of: "failures", Method: "Kaplan-Meier, right-censored; Brookmeyer-Crowley", Basis: assay.Estimated}
	if !median.Quantity.Bounded() || math.IsNaN(m) && in.Lo == 0 {
		median.Quantity = assay.NotEstimable(assay.Seconds, n, "failures", "more than half of the instances outlived the watch")
	}
	w, err := stat.FitWeibull(lives, Confidence)
	if err != nil {
		shape.Quantity = assay.NotEstimable(assay.Count, n, "failures", err.Error())
		return []assay.Finding{median, shape}
	}
	shape.Quantity = assay.Quantity{Value: w.Shape, Lo: w.InShape.Lo, Hi: w.InShape.Hi, Confidence: Confidence, Unit: assay.Count, N: n, Of: "failures", Method: "Weibull by maximum likelihood, right-censored; Wald on the logarithm", Basis: assay.Estimated}
	shape.Evidence = append(slices.Clone(evidence), fmt.Sprintf("scale %s, mean %s", duration(w.Scale), duration(w.Mean)))
	return []assay.Finding{median, shape}
}

// livesOf returns how long each instance was seen to live, in seconds.
func livesOf(f *assay.Facts, failed []*assay.Episode) []stat.Life {
	var out []stat.Life
	for i := range f.Lives {
		l := &f.Lives[i]
		begin := cmp.Or(l.Ready, l.Worked)
		if begin == 0 || l.Vague {
			continue
		}
		end := f.End
		for _, t := range []int64{l.Draining, l.Exited} {
			if t != 0 {
				end = min(end, t)
			}
		}
		for j := range f.Faults {
			if w := &f.Faults[j]; w.Applied > begin && w.Hurts(l.Instance) {
				end = min(end, w.Applied)
			}
		}
		died := false
		for _, e := range failed {
			if e.Instance == l.Instance && e.Begin > begin && (e.Begin < end || e.Begin == l.Exited && l.Exited == end) {
				end, died = e.Begin, true
			}
		}
		if end > begin {
			out = append(out, stat.Life{Time: seconds(end - begin), Censored: !died})
		}
	}
	return out
}
