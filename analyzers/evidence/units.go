package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
	"github.com/assay-dev/assay/internal/timeset"
)

// unit says how often units of one kind fail; ok is false where nothing was watched and nothing failed.
func (l *ledger) unit(s assay.Subject) (u assay.UnitEvidence, ok bool) {
	pieces, failures := l.exposure[s], l.failures[s]
	if len(pieces) == 0 && len(failures) == 0 {
		return u, false
	}
	u = assay.UnitEvidence{Subject: s, Units: len(l.units[s]), Failures: len(failures)}
	at := make([]int64, len(failures))
	for i, f := range failures {
		at[i] = f.begin
	}
	ages, total := clock(pieces, at)
	u.Exposure = total
	if total <= 0 {
		u.MTBF = assay.NotEstimable(assay.Seconds, len(failures), "failures", "no natural time was watched")
		u.Rate = assay.NotEstimable(assay.PerHour, len(failures), "failures", "no natural time was watched")
		return u, true
	}
	u.Trend = trend(ages, total)
	switch {
	case len(failures) > 0 && len(failures) < 4:
		u.Doubts = append(u.Doubts, fmt.Sprintf("whether the rate is constant cannot be seen from %s: it needs 4 at least", things(len(failures), "failure")))
	case u.Trend != nil && !u.Trend.Constant:
		u.Doubts = append(u.Doubts, fmt.Sprintf("the rate is not constant (%s): the MTBF is the mean over the watch, and an objective is held to the worse of it and that at the end", u.Trend.Way))
	}
	u.Releases = l.byRelease(s)
	if doubt := uneven(s, u.Releases); doubt != "" {
		u.Doubts = append(u.Doubts, doubt)
	}
	u.MTBF, u.Rate = mean(total, len(failures), confidence)
	u.AtEnd = atEnd(ages, total, u.Trend, confidence)
	u.Causes = causes(failures, total)
	return u, true
}

// clock returns where instants lie on the clock of an exposure, in seconds, and all of it. The instants are in order.
func clock(pieces []piece, at []int64) (ages []float64, total float64) {
	type edge struct {
		at   int64
		each float64
	}
	var edges []edge
	for _, p := range pieces {
		edges = append(edges, edge{p.in.Begin, p.each}, edge{p.in.End, -p.each})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	ages = make([]float64, len(at))
	i, last, each := 0, int64(0), 0.0
	for _, e := range edges {
		for ; i < len(at) && at[i] < e.at; i++ {
			ages[i] = total + max(0, each)*seconds(at[i]-last)
		}
		if each > 1e-9 { // sums of what comes and goes leave dust
			total += each * seconds(e.at-last)
		}
		last, each = e.at, each+e.each
	}
	for ; i < len(at); i++ {
		ages[i] = total
	}
	return ages, total
}

// trend tests for a constant rate, by MIL-HDBK-189 as the assessment of one run does; nil with fewer than 4 failures.
func trend(ages []float64, end float64) *assay.TrendEvidence {
	var inside []float64
	for _, a := range ages {
		if a > 0 { // what failed before anything was watched has no age
			inside = append(inside, min(a, end))
		}
	}
	if len(inside) < 4 {
		return nil
	}
	t := stat.TrendOf(inside, end)
	x := &assay.TrendEvidence{Constant: t.MilHdbkP >= 0.05, Way: "worsening", MilHdbkP: t.MilHdbkP, LaplaceP: t.LaplaceP, N: t.N}
	if t.MilHdbk > 2*float64(t.N) {
		x.Way = "improving"
	}
	return x
}

// leastEnd is how many failures tell what the rate was at the end of the watch, whether or not it changed.
const leastEnd = 5

// atEnd returns MTBF and failure rate per hour at the end of the watch, after failures at some ages, by a power law; nil where too few tell it.
func atEnd(ages []float64, total float64, t *assay.TrendEvidence, c float64) *assay.RateEvidence {
	var inside []float64
	for _, a := range ages {
		if a > 0 {
			inside = append(inside, min(a, total))
		}
	}
	g, ok := stat.GrowthOf(inside, total, false, c)
	if !ok || !(g.MTBF > 0) || g.N < leastEnd && (t == nil || t.Constant) {
		return nil
	}
	const method = "Crow-AMSAA at the end of the watch, bias-corrected; approximate interval"
	return &assay.RateEvidence{
		MTBF: assay.Quantity{Value: g.MTBF, Lo: g.In.Lo, Hi: g.In.Hi, Confidence: c, Unit: assay.Seconds, N: len(ages), Of: "failures", Method: method, Basis: assay.Estimated},
		Rate: assay.Quantity{Value: 3600 / g.MTBF, Lo: 3600 / g.In.Hi, Hi: 3600 / g.In.Lo, Confidence: c, Unit: assay.PerHour, N: len(ages), Of: "failures", Method: method, Basis: assay.Estimated},
	}
}

// mean returns MTBF and failure rate per hour over the whole watch: exact for failures that come as a Poisson process, at a constant rate or not.
func mean(total float64, n int, c float64) (mtbf, rate assay.Quantity) {
	in := stat.MTBF(total, n, c)
	method, value, hourly, least := "chi-square, time-terminated; mean over the watch", math.NaN(), math.NaN(), 0.0
	if n == 0 {
		method = "one-sided bound without a failure: exposure/ln(1/(1-confidence)); mean over the watch"
	} else {
		value, hourly, least = total/float64(n), 3600*float64(n)/total, 3600/in.Hi
	}
	mtbf = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: c, Unit: assay.Seconds, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	rate = assay.Quantity{Value: hourly, Lo: least, Hi: 3600 / in.Lo, Confidence: c, Unit: assay.PerHour, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	return mtbf, rate
}

// causes tells failures apart by their cause, the most frequent first.
func causes(failures []failure, total float64) []assay.CauseEvidence {
	count := map[string]int{}
	for _, f := range failures {
		count[cmp.Or(f.cause, "unknown")]++
	}
	var out []assay.CauseEvidence
	for cause, n := range count {
		x := assay.CauseEvidence{Cause: cause, Failures: n}
		x.MTBF, x.Rate = mean(total, n, confidence)
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b assay.CauseEvidence) int {
		return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(a.Cause, b.Cause))
	})
	return out
}

// time returns for how long the service was known to be up and down in natural time, in seconds, how often it was down, and how often that had
// not ended; lengths are those of its failures.
func (l *ledger) time() (up, down float64, k, open int, lengths stat.Lengths) {
	for _, p := range l.exposure[assay.Service] {
		up += p.each * seconds(p.in.End-p.in.Begin)
	}
	for _, f := range l.failures[assay.Service] {
		length := seconds(timeset.Length(timeset.Minus([]assay.Stretch{{Begin: f.begin, End: f.end}}, l.apart)))
		down += length
		lengths.Add(length)
		k++
		if f.open {
			open++
		}
	}
	return up, down, k, open, lengths
}

// availability returns it by time and by request.
func (l *ledger) availability(c float64) []assay.Finding {
	byTime := assay.Finding{Metric: "availability/natural", Labels: map[string]string{"by": "time"}, Ledger: assay.Natural}
	byRequest := assay.Finding{Metric: "availability/natural", Labels: map[string]string{"by": "request"}, Ledger: assay.Natural}
	const because = "no natural failure was seen, and so nothing bounds how long one would last"
	estimate := func(f *assay.Finding, up, down float64, k int, sigma float64, method string) {
		in := stat.Unavailability(up, down, k, sigma, c)
		f.Quantity = assay.Quantity{Value: up / (up + down), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: c, Unit: assay.Ratio, N: k, Of: "failures", Method: method, Basis: assay.Estimated}
	}
	switch up, down, k, open, lengths := l.time(); {
	case up <= 0:
		byTime.Quantity = assay.NotMeasured(assay.Ratio, "requests tell of no natural time")
	case k == 0:
		byTime.Quantity = assay.NotEstimable(assay.Ratio, 0, "failures", because)
	default:
		estimate(&byTime, up, down, k, lengths.Sigma(), "up of known time; interval: rate of failures × mean length")
		byTime.Evidence = []string{fmt.Sprintf("down for %s of %s", span(down), span(up+down))}
		if open > 0 {
			byTime.Warnings = []string{fmt.Sprintf("%s had not ended when last seen, so that the time down is a lower bound", things(open, "failure"))}
		}
	}
	switch r := l.asked; {
	case r.judged == 0:
		byRequest.Quantity = assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	case r.bad == 0:
		byRequest.Quantity = assay.NotEstimable(assay.Ratio, r.judged, "requests", because)
	case r.clusters == 0:
		byRequest.Quantity = assay.NotEstimable(assay.Ratio, r.judged, "requests", "its failures were not counted by the episode")
	default:
		sigma := r.sizes.Sigma()
		if r.unsized > 0 {
			sigma = stat.SigmaMost
			byRequest.Warnings = []string{fmt.Sprintf("of %s nothing tells how many requests each took: the interval takes them for as variable as can be", things(r.unsized, "failure"))}
		}
		estimate(&byRequest, float64(r.judged-r.bad), float64(r.bad), r.clusters, sigma, "good of judged requests; interval: rate of failures × requests lost to one")
		byRequest.Evidence = []string{fmt.Sprintf("%d of %d requests were served; %s took %d", r.judged-r.bad, r.judged, things(r.clusters, "failure"), r.bad)}
	}
	return []assay.Finding{byTime, byRequest}
}

// span writes seconds as people say them.
func span(s float64) string {
	switch {
	case s < 120:
		return fmt.Sprintf("%.3g s", s)
	case s < 7200:
		return fmt.Sprintf("%.4g min", s/60)
	case s < 10*86400:
		return fmt.Sprintf("%.4g h", s/3600)
	}
	return fmt.Sprintf("%.4g days", s/86400)
}

// things writes a count with its noun, given in the singular.
func things(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
