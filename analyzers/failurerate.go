package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Rates of failure
//
// Before an MTBF stands the question whether there is one: three tests ask whether failures came at a constant rate, and that of MIL-HDBK-189 decides, which is the most
// powerful against a power law. Where it finds a trend (p < 0.05), the MTBF is that at the end of the watch, by Crow's power law (AMSAA), and the mean over the watch is said beside
// it. Below four failures no trend can be tested, and a constant rate is assumed and said to be. Of a few more only a strong trend shows; a weaker one makes the interval of a constant rate miss the
// MTBF at the end more often than it says, so that the finding says what could have been seen, and what the power law makes of the end. Where Laplace's test finds that the rate changed, though by no power law, MTBF and rate are told to be
// a mean over the watch.

// mostArranged bounds the failures whose order is looked at pair by pair.
const mostArranged = 5000

// leastTrend is how many failures a trend can be told from.
const leastTrend = 4

const (
	leastGrowth = 5   // failures, for the end of the watch to be told by the power law where no trend shows
	trendPower  = 0.8 // chance of finding a trend that is called seen
	trendWeak   = 2   // shape, or one over it, of a trend that a test should see for a constant rate to be taken as shown
)

// A failing is what failed, and over what exposure.
type failing struct {
	subject  string // service, instance, gpu
	n        int
	exposure float64   // s
	down     float64   // s of natural time in failures
	ages     []float64 // s of exposure before each failure, of those that did not begin with the watch
	evidence []string
	warnings []string
	withheld string // why there can be no rate, or ""

	trended bool   // the rate is not constant: MTBF and rate are those at the end
	doubt   string // which test doubts a constant rate where the one that decides does not
}

const meanRate = "chi-square, time-terminated, mean over the watch, whose rate was not constant"

// unexposed says why nothing was exposed to failure.
func (x *failing) unexposed() string {
	if x.down > 0 {
		return fmt.Sprintf("it was down for all of the %s watched: nothing was up that could fail", duration(x.down))
	}
	return "no natural time was watched"
}

// findings returns MTBF and failure rate.
func (x *failing) findings() []assay.Finding {
	mtbf := assay.Finding{Metric: "mtbf/" + x.subject, Ledger: assay.Natural, Evidence: slices.Clone(x.evidence), Warnings: slices.Clone(x.warnings)}
	rate := assay.Finding{Metric: "failure_rate/" + x.subject, Ledger: assay.Natural, Evidence: slices.Clone(x.evidence), Warnings: slices.Clone(x.warnings)}
	if no := cmp.Or(x.withheld, x.unexposed()); x.withheld != "" || x.exposure <= 0 {
		mtbf.Quantity, rate.Quantity = assay.NotEstimable(assay.Seconds, x.n, "failures", no), assay.NotEstimable(assay.PerHour, x.n, "failures", no)
		return []assay.Finding{mtbf, rate}
	}
	tested, trend := x.trend()
	if tested != "" {
		mtbf.Evidence, rate.Evidence = append(mtbf.Evidence, tested), append(rate.Evidence, tested)
	}
	if g, ok := stat.GrowthOf(x.ages, x.exposure, false, Confidence); ok && trend != "" {
		x.trended = true
		mtbf.Quantity, rate.Quantity = changingRate(&g)
		said := fmt.Sprintf("the rate is not constant (%s): MTBF and rate are those at the end; over the whole watch it was %s between failures, %.3g failures an hour", trend, duration(x.exposure/float64(x.n)), 3600*float64(x.n)/x.exposure)
		mtbf.Warnings, rate.Warnings = append(mtbf.Warnings, said), append(rate.Warnings, said)
		return []assay.Finding{mtbf, rate}
	}
	mtbf.Quantity, rate.Quantity = steadyRate(x.n, x.exposure)
	if x.doubt != "" {
		mtbf.Quantity.Method, rate.Quantity.Method = meanRate, meanRate
		mtbf.Warnings, rate.Warnings = append(mtbf.Warnings, x.doubt), append(rate.Warnings, x.doubt)
	}
	if unseen := x.unseen(); unseen != "" {
		mtbf.Warnings, rate.Warnings = append(mtbf.Warnings, unseen), append(rate.Warnings, unseen)
	}
	if g, ok := stat.GrowthOf(x.ages, x.exposure, false, Confidence); ok && g.N >= leastGrowth {
		m, h := changingRate(&g)
		mtbf.Evidence = append(mtbf.Evidence, fmt.Sprintf("were the rate not constant, the MTBF at the end of the watch would be %s, %s to %s at %g %% (Crow-AMSAA power law, shape %.2g of %d failures)",
			duration(m.Value), duration(m.Lo), duration(m.Hi), 100*Confidence, g.BetaU, g.N))
		rate.Evidence = append(rate.Evidence, fmt.Sprintf("were it not constant, the rate at the end of the watch would be %.3g an hour, %.3g to %.3g at %g %% (Crow-AMSAA power law, shape %.2g of %d failures)",
			h.Value, h.Lo, h.Hi, 100*Confidence, g.BetaU, g.N))
	}
	if x.n == 0 {
		mtbf.Evidence = append(mtbf.Evidence, fmt.Sprintf("an MTBF of 720 h needs %s without a failure", duration(720*3600*stat.PlanningFactor(0, Confidence))))
	}
	return []assay.Finding{mtbf, rate}
}

// steadyRate returns MTBF and failure rate after n failures in t seconds at a constant rate.
func steadyRate(n int, t float64) (mtbf, rate assay.Quantity) {
	in := stat.MTBF(t, n, Confidence)
	method := "chi-square, time-terminated, constant rate"
	value, hourly, lo := math.NaN(), math.NaN(), 0.0
	if n == 0 {
		method = "one-sided bound without a failure: exposure/ln 20"
	} else {
		value, hourly, lo = t/float64(n), 3600*float64(n)/t, 3600/in.Hi
	}
	mtbf = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	rate = assay.Quantity{Value: hourly, Lo: lo, Hi: 3600 / in.Lo, Confidence: Confidence, Unit: assay.PerHour, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	return mtbf, rate
}

// changingRate returns MTBF and failure rate at the end of a watch whose rate was not constant.
func changingRate(g *stat.Growth) (mtbf, rate assay.Quantity) {
	method := fmt.Sprintf("Crow-AMSAA power law at the end of the watch, shape %.3g; NIST/SEMATECH 8.4.5.2", g.BetaU)
	mtbf = assay.Quantity{Value: g.MTBF, Lo: g.In.Lo, Hi: g.In.Hi, Confidence: Confidence, Unit: assay.Seconds, N: g.N, Of: "failures", Method: method, Basis: assay.Estimated}
	rate = assay.Quantity{Value: 3600 / g.MTBF, Lo: 3600 / g.In.Hi, Hi: 3600 / g.In.Lo, Confidence: Confidence, Unit: assay.PerHour, N: g.N, Of: "failures", Method: method, Basis: assay.Estimated}
	return mtbf, rate
}

// trend says what the tests of a constant rate showed, and in trend, where it is not constant, which way it goes.
func (x *failing) trend() (tested, trend string) {
	if len(x.ages) < leastTrend {
		return "", ""
	}
	slices.Sort(x.ages)
	tr := stat.TrendOf(x.ages, x.exposure)
	tested = fmt.Sprintf("tests of a constant rate: MIL-HDBK-189 χ² %.4g on %d, p %.2g, which decides; Laplace %.3g, p %.2g", tr.MilHdbk, 2*tr.N, tr.MilHdbkP, tr.Laplace, tr.LaplaceP)
	if len(x.ages) <= mostArranged {
		var between []float64
		was := 0.0
		for _, a := range x.ages {
			between = append(between, a-was)
			was = a
		}
		r, of, atLeast, atMost := stat.Arrangements(between)
		tested += fmt.Sprintf("; %d of %d reverse arrangements, p %.2g", r, of, math.Min(1, 2*math.Min(atLeast, atMost)))
	}
	if tr.MilHdbkP >= 1-Confidence {
		// Failures that come in a part of the watch only are no power law. Two tests may doubt, so that each has half of what both may err by.
		if tr.LaplaceP < (1-Confidence)/2 {
			x.doubt = fmt.Sprintf("a test doubts that the rate is constant (Laplace %.3g, p %.2g; MIL-HDBK-189 finds no power law): MTBF and rate are a mean over the watch, and not what to expect at any time of it", tr.Laplace, tr.LaplaceP)
		}
		return tested, ""
	}
	trend = "worsening"
	if tr.MilHdbk > 2*float64(tr.N) {
		trend = "improving"
	}
	return tested, fmt.Sprintf("%s; MIL-HDBK-189 p = %.3f", trend, tr.MilHdbkP)
}

// unseen says which trend so few failures cannot show, "" where a weak one would have been seen.
func (x *failing) unseen() string {
	n := len(x.ages)
	switch {
	case x.n == 0, x.doubt != "":
		return ""
	case n < leastTrend:
		return fmt.Sprintf("that the rate is constant is assumed: a trend shows from %d failures on", leastTrend)
	}
	lo, hi := stat.TrendSeen(n, 1-Confidence, trendPower)
	if lo >= 1./trendWeak && hi <= trendWeak {
		return ""
	}
	return fmt.Sprintf("no trend was found, and %d failures show one of a shape below %.2g or above %.2g only (four times in five; 1 is a constant rate): of a weaker one MTBF and rate are a mean over the watch, and may lie off what they are at its end by more than the interval says",
		n, lo, hi)
}

// share returns the failure rate of those of x's failures that have one cause, over the whole watch: the rates of all causes sum to the mean rate over it.
func (x *failing) share(cause string, n int, evidence []string) assay.Finding {
	f := assay.Finding{Metric: "failure_rate/" + x.subject, Labels: map[string]string{"cause": cause}, Ledger: assay.Natural, Evidence: evidence}
	if x.withheld != "" || x.exposure <= 0 {
		f.Quantity = assay.NotEstimable(assay.PerHour, n, "failures", cmp.Or(x.withheld, x.unexposed()))
		return f
	}
	_, f.Quantity = steadyRate(n, x.exposure)
	if x.trended || x.doubt != "" {
		f.Quantity.Method = meanRate
	}
	if x.trended {
		f.Warnings = []string{fmt.Sprintf("the mean over the watch, as are those of all causes, and failure_rate/%s is the rate at its end", x.subject)}
	}
	return f
}
