package analyzers

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Coverage and what it would cost
//
// The share of faults that were recovered from is one of those injected. What strikes in operation comes in other proportions: coverage weighs each kind of fault by how often the plan
// assumes it to strike (assume), and all alike where it assumes nothing. How often a plan injects a fault weighs nothing.
//
// The projection multiplies assumed rates with the degraded area of each kind, the seconds of full service that a fault cost. It is a what-if: as good as the assumption, and its interval is what
// the mildest and the worst fault of each kind would make of it, by the bounds of what each cost, no more. One that was not recovered from costs more than was seen. Of a kind with one fault the
// interval takes what one costs for exponential, and where none cost anything, nothing bounds it above.

func describeCoverage() []assay.Desc {
	return []assay.Desc{
		{Metric: "recovery/coverage", Unit: assay.Ratio, Better: "higher", Help: "Chance that users come through a fault as it strikes in operation: share of faults recovered from or never felt, by kind, weighed by the plan's assumed rates or alike; weighted sum of Jeffreys' posteriors."},
		{Metric: "whatif/unavailability", Unit: assay.Ratio, Better: "lower", Help: "What-if: share of full service that would be lost if failures came as often as the plan assumes (assume) and each cost what the fault that stands for it did. Rests on assumptions, not on this run alone."},
	}
}

// coverage returns the coverage of the faults that could be felt. Nothing where none was injected.
func coverage(f *assay.Facts, xs []assay.FaultResult) []assay.Finding {
	n, came := map[string]int{}, map[string]int{}
	for i := range xs {
		switch x := &xs[i]; {
		case x.Window.Simulated:
		case x.State == assay.Tolerated, x.State == assay.Recovered:
			n[x.Window.Kind]++
			came[x.Window.Kind]++
		case x.State == assay.Unrecovered:
			n[x.Window.Kind]++
		}
	}
	out := assay.Finding{Metric: "recovery/coverage", Ledger: assay.Injected}
	if len(n) == 0 {
		out.Quantity = assay.NotEstimable(assay.Ratio, 0, "faults", "no fault was in effect and could be felt")
		return []assay.Finding{out}
	}
	weights, how := map[string]float64{}, "weighed alike, for the plan assumes no rates"
	if len(f.Manifest.Assume) > 0 {
		how = "weighed by assumed rates"
		for _, a := range f.Manifest.Assume {
			if n[a.Fault] == 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("%s is assumed to strike and was not seen to: coverage speaks of the others", a.Fault))
				continue
			}
			weights[a.Fault] = 1 / float64(a.Every)
		}
		for _, k := range keys(n) {
			if weights[k] == 0 {
				out.Warnings = append(out.Warnings, fmt.Sprintf("%s is not assumed to strike, and counts for nothing", k))
			}
		}
	} else {
		for k := range n {
			weights[k] = 1
		}
	}
	sum := 0.0
	for _, k := range keys(weights) {
		sum += weights[k]
	}
	var strata []stat.Stratum
	var parts []string
	total := 0
	for _, k := range keys(weights) {
		strata = append(strata, stat.Stratum{Weight: weights[k] / sum, N: n[k], Recovered: came[k]})
		parts = append(parts, fmt.Sprintf("%s %d of %d, weight %.3g", k, came[k], n[k], weights[k]/sum))
		total += n[k]
	}
	if len(strata) == 0 {
		out.Quantity = assay.NotEstimable(assay.Ratio, 0, "faults", "no fault that the plan assumes to strike was in effect and could be felt")
		return []assay.Finding{out}
	}
	c, err := stat.CoverageOf(strata, Confidence)
	if err != nil {
		out.Quantity = assay.NotEstimable(assay.Ratio, total, "faults", err.Error())
		return []assay.Finding{out}
	}
	out.Evidence = append(parts, fmt.Sprintf("at least %.3g one-sided", c.Lower))
	// Where all were recovered from, the middle of the posteriors lies below the share.
	out.Quantity = assay.Quantity{Value: c.Value, Lo: math.Min(c.In.Lo, c.Value), Hi: math.Max(c.In.Hi, c.Value), Confidence: Confidence, Unit: assay.Ratio, N: total, Of: "faults",
		Method: "by kind of fault, " + how + "; weighted sum of Jeffreys' posteriors", Basis: assay.Estimated}
	return []assay.Finding{out}
}

// loneMean are the bounds of the mean of an exponential, of which one value was seen, over that value: 2 over the quantiles of chi-square with 2 degrees of freedom, two-sided at Confidence.
var loneMean = [2]float64{-1 / math.Log((1-Confidence)/2), -1 / math.Log((1+Confidence)/2)}

// projection returns what assumed rates would cost. Nothing where the plan assumes none.
func projection(f *assay.Facts, xs []assay.FaultResult) []assay.Finding {
	if len(f.Manifest.Assume) == 0 {
		return nil
	}
	out := assay.Finding{Metric: "whatif/unavailability"}
	var value, lo, hi float64
	var missing, open, single, free []string
	n, sure := 0, 1.0
	for _, a := range f.Manifest.Assume {
		var sum, least, most float64
		k, last := 0, 0
		for i := range xs {
			x := &xs[i]
			if x.Window.Kind != a.Fault || x.Window.Simulated || !x.Degraded.Known() {
				continue
			}
			d := &x.Degraded
			if k == 0 || d.Lo < least {
				least = d.Lo
			}
			sum, most, sure = sum+d.Value, max(most, d.Hi), min(sure, d.Confidence)
			if x.State == assay.Unrecovered {
				last++
			}
			k++
		}
		if k == 0 {
			missing = append(missing, a.Fault)
			continue
		}
		if k == 1 { // one shows no spread: what one costs is taken for exponential
			least, most, sure = sum*loneMean[0], max(most, sum*loneMean[1]), min(sure, Confidence)
			single = append(single, a.Fault)
		}
		if most == 0 {
			free = append(free, fmt.Sprintf("%d of %[1]d %s cost nothing: nothing bounds what one that hurts costs", k, a.Fault))
			hi = 1
		}
		mean, rate := sum/float64(k), 1/seconds(a.Every)
		value, lo, hi = value+rate*mean, lo+rate*least, hi+rate*most
		n += k
		out.Evidence = append(out.Evidence, fmt.Sprintf("assumed: one %s each %s; measured: %.3g s of full service lost to one, %d seen", a.Fault, duration(seconds(a.Every)), mean, k))
		if last > 0 {
			open = append(open, fmt.Sprintf("%d of %d %s were not recovered from when last seen: what they cost is more than was seen, and nothing bounds it above", last, k, a.Fault))
			hi = 1
		}
	}
	if len(missing) > 0 {
		out.Quantity = assay.NotEstimable(assay.Ratio, n, "faults", "no "+strings.Join(missing, ", no ")+" that could be felt shows what one costs")
		return []assay.Finding{out}
	}
	method := "what-if: assumed rates × mean degraded area; interval: were each as mild as the mildest and as bad as the worst seen, by the bounds of their areas"
	if len(single) > 0 {
		method += "; of " + strings.Join(single, ", ") + " one was seen: the interval of the mean of an exponential cost"
	}
	out.Quantity = assay.Quantity{Value: min(1, value), Lo: min(1, lo), Hi: min(1, hi), Confidence: sure, Unit: assay.Ratio, N: n, Of: "faults", Method: method, Basis: assay.Assumed}
	out.Evidence = append(out.Evidence, fmt.Sprintf("%s of full service in 30 days", duration(value*30*86400)))
	out.Warnings = append([]string{"a what-if from assumed rates, not a measurement: nothing of it is from how often faults were injected"}, append(open, free...)...)
	return []assay.Finding{out}
}
