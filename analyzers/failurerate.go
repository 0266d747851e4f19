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
// MTBF and failure rate are those of the watch as a whole: its failures are Poisson about their mean number whatever the rate did meanwhile, so that the chi-square interval of their mean over the watch is
// exact, with a trend or without (any non-homogeneous Poisson process). What they were at the end of the watch is another question and has a figure of its own, with the label at=end: by Crow's power law (AMSAA), from five failures
// on whether or not a trend shows. It is not told of those alone in which one shows: where there is none, a trend found by luck comes with a figure that is wrong one time in three.
//
// Three tests ask whether the rate was constant, and that of MIL-HDBK-189 decides, which is the most powerful against a power law. Where it finds a trend (p < 0.05), or Laplace's test finds that the rate
// changed though by no power law, an objective is held to the worse of both figures. Below four failures no trend can be tested; of a few more only a strong one shows, and the finding says which.

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

	trended bool   // the rate is not constant
	doubt   string // which test doubts a constant rate where the one that decides does not
}

// How the mean over the watch was told, and the same where a test says that the rate changed meanwhile.
const (
	meanOver = "chi-square, time-terminated; mean over the watch"
	meanRate = meanOver + ", whose rate was not constant"
)

// atEnd is the label of what a rate was at the end of the watch.
const atEnd = "end"

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
	mtbf.Quantity, rate.Quantity = steadyRate(x.n, x.exposure)
	said := x.unseen()
	switch {
	case trend != "":
		x.trended = true
		said = fmt.Sprintf("the rate is not constant (%s): MTBF and rate are the mean over the watch", trend)
	case x.doubt != "":
		said = x.doubt
	}
	if x.trended || x.doubt != "" {
		mtbf.Quantity.Method, rate.Quantity.Method = meanRate, meanRate
	}
	var ends []assay.Finding
	if g, ok := stat.GrowthOf(x.ages, x.exposure, false, Confidence); ok && (g.N >= leastGrowth || x.trended) {
		ends = x.ends(&g)
		if x.trended || x.doubt != "" {
			m, h := ends[0].Quantity, ends[1].Quantity
			said += fmt.Sprintf("; at its end it was %s between failures, %.3g failures an hour, and an objective is held to the worse of both", duration(m.Value), h.Value)
		}
	}
	if said != "" {
		mtbf.Warnings, rate.Warnings = append(mtbf.Warnings, said), append(rate.Warnings, said)
	}
	if x.n == 0 {
		mtbf.Evidence = append(mtbf.Evidence, fmt.Sprintf("an MTBF of 720 h needs %s without a failure", duration(720*3600*stat.PlanningFactor(0, Confidence))))
	}
	return append([]assay.Finding{mtbf, rate}, ends...)
}

// ends returns what MTBF and failure rate were at the end of the watch.
func (x *failing) ends(g *stat.Growth) []assay.Finding {
	m, h := changingRate(g)
	at := func(metric string, q assay.Quantity) assay.Finding {
		f := assay.Finding{Metric: metric + "/" + x.subject, Labels: map[string]string{"at": atEnd}, Ledger: assay.Natural, Quantity: q, Evidence: slices.Clone(x.evidence)}
		if x.doubt != "" && !x.trended {
			f.Warnings = []string{"by a power law, which the tests do not find"}
		}
		return f
	}
	return []assay.Finding{at("mtbf", m), at("failure_rate", h)}
}

// steadyRate returns the mean MTBF and failure rate over t seconds after n failures in them.
func steadyRate(n int, t float64) (mtbf, rate assay.Quantity) {
	in := stat.MTBF(t, n, Confidence)
	method := meanOver
	value, hourly, lo := math.NaN(), math.NaN(), 0.0
	if n == 0 {
		method = "one-sided bound without a failure: exposure/ln 20; mean over the watch"
	} else {
		value, hourly, lo = t/float64(n), 3600*float64(n)/t, 3600/in.Hi
	}
	mtbf = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	rate = assay.Quantity{Value: hourly, Lo: lo, Hi: 3600 / in.Lo, Confidence: Confidence, Unit: assay.PerHour, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	return mtbf, rate
}

// changingRate returns MTBF and failure rate at the end of a watch.
func changingRate(g *stat.Growth) (mtbf, rate assay.Quantity) {
	method := fmt.Sprintf("Crow-AMSAA power law at the end of the watch, shape %.3g; NIST/SEMATECH 8.4.5.2", g.BetaU)
	mtbf = assay.Quantity{Value: g.MTBF, Lo: g.In.Lo, Hi: g.In.Hi, Confidence: Confidence, Unit: assay.Seconds, N: g.N, Of: "failures", Method: method, Basis: assay.Estimated}
	rate = assay.Quantity{Value: 3600 / g.MTBF, Lo: 3600 / g.In.Hi, Hi: 3600 / g.In.Lo, Confidence: Confidence, Unit: assay.PerHour, N: g.N, Of: "failures", Method: method, Basis: assay.Estimated}
	return mtbf, rate
}

// trend says what the tests of a constant rate showed, and in trend, where it is not constant, which way it goes.
func (x *failing) trend() (tested, trend string) {
	x.trended, x.doubt = false, ""
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
			x.doubt = fmt.Sprintf("a test doubts that the rate is constant (Laplace %.3g, p %.2g; MIL-HDBK-189 finds no power law): MTBF and rate are the mean over the watch, and not what to expect at any time of it", tr.Laplace, tr.LaplaceP)
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
		return fmt.Sprintf("MTBF and rate are the mean over the watch: whether they changed meanwhile shows from %d failures on", leastTrend)
	}
	lo, hi := stat.TrendSeen(n, 1-Confidence, trendPower)
	if lo >= 1./trendWeak && hi <= trendWeak {
		return ""
	}
	return fmt.Sprintf("no trend was found, and %d failures show one of a shape below %.2g or above %.2g only (four times in five; 1 is a constant rate): MTBF and rate are the mean over the watch, and by a weaker one those at its end may be others",
		n, lo, hi)
}

// share returns the failure rate of those of x's failures that have one cause, over the whole watch: the rates of all causes sum to that of all.
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
	return f
}
