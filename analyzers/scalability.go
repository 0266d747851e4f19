package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Scalability reports how throughput goes with concurrency over the steps of a search. From each step it takes the throughput X of what was served and
// the mean time R that it took; by Little's law N = X·R were in flight on average. Since each step begins and ends with nothing in flight, that holds
// exactly, whether the target kept up or not.
//
// The knee is where X/R, Kleinrock's power, is largest: beyond it each further request costs more waiting than it brings throughput. It is told from the
// steps themselves: the rates next to those whose power cannot be told from the largest. Gunther's universal scalability law is fitted to N and X; its
// peak lies beyond what was tried unless throughput was seen to fall.
type Scalability struct{}

const (
	uslFit    = 0.9  // least share of the variance of the throughput that the law must explain
	stepServe = 0.95 // least share of the sent requests that a step must serve to be a point
	stepLeast = 10   // served requests of a point
	uslPoints = 60   // of the curve that is drawn
)

// Describe returns the metrics.
func (Scalability) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "limit/knee", Unit: assay.PerSecond, Better: "higher", Help: "Rate of requests at which throughput over residence time is largest, from the steps of a search."},
		{Metric: "usl/lambda", Unit: assay.PerSecond, Better: "higher", Help: "Throughput of a single request in flight by the universal scalability law; over the steps of a search, weighted least squares, interval by Student's t."},
		{Metric: "usl/sigma", Unit: assay.Ratio, Better: "lower", Help: "Contention by the universal scalability law: the share of the work that cannot be done at once."},
		{Metric: "usl/kappa", Unit: assay.Ratio, Better: "lower", Help: "Coherence by the universal scalability law: what each pair in flight costs the others."},
		{Metric: "usl/peak", Unit: assay.PerSecond, Better: "higher", Help: "Largest throughput that the universal scalability law gives; interval by the delta method."},
		{Metric: "usl/peak/concurrency", Unit: assay.Count, Help: "Requests in flight at that throughput."},
	}
}

// Begin starts a pass.
func (Scalability) Begin(f *assay.Facts) assay.Pass {
	p := &scalabilityPass{f: f, steps: map[string]*searchStep{}}
	for i := range f.Phases {
		if ph := &f.Phases[i]; ph.Of != "" && ph.Rate > 0 {
			p.steps[ph.Name] = &searchStep{phase: ph}
		}
	}
	return p
}

// searchStep is what one step of a search showed.
type searchStep struct {
	phase   *assay.Phase
	sent    int
	took    []float64 // seconds, of what was served, in order of due
	last    int64     // end of the last served
	x, r, n float64   // throughput, residence time, concurrency
	rel     float64   // standard error of the two, relative
	power   stat.Interval
}

type scalabilityPass struct {
	f     *assay.Facts
	steps map[string]*searchStep
}

func (p *scalabilityPass) Requests(block []assay.Request) {
	if len(p.steps) == 0 {
		return
	}
	for i := range block {
		r := &block[i]
		s := p.steps[r.Phase]
		if s == nil || r.Canary || r.Sent == 0 {
			continue
		}
		if s.sent++; r.Outcome == assay.OK {
			s.took = append(s.took, seconds(r.End-r.Due))
			s.last = max(s.last, r.End)
		}
	}
}

func (p *scalabilityPass) Finish(r *assay.Report) error {
	var searches []string
	for i := range p.f.Phases {
		if of := p.f.Phases[i].Of; of != "" && !slices.Contains(searches, of) {
			searches = append(searches, of)
		}
	}
	best, most := "", -1
	points := map[string][]*searchStep{}
	for _, name := range searches {
		points[name] = p.points(name)
		if n := len(points[name]); n >= most {
			best, most = name, n
		}
	}
	for _, name := range searches {
		if len(searches) > 1 {
			p.report(r, points[name], map[string]string{"phase": name})
		}
	}
	p.report(r, points[best], nil)
	if len(points[best]) > 0 {
		p.draw(r, points[best])
	}
	return nil
}

// points returns the steps of a search that say something, by concurrency.
func (p *scalabilityPass) points(search string) []*searchStep {
	var out []*searchStep
	for _, s := range p.steps {
		served := len(s.took)
		if s.phase.Of != search || served < stepLeast || float64(served) < stepServe*float64(s.sent) || s.last <= s.phase.Begin {
			continue
		}
		mean, in := stat.MeanInterval(s.took, Confidence)
		s.x = float64(served) / seconds(s.last-s.phase.Begin)
		s.r, s.n = mean, s.x*mean
		half := (in.Hi - mean) / 2
		s.rel = math.Sqrt(1/float64(served) + half/mean*half/mean)
		s.power = stat.Interval{Lo: s.x / in.Hi, Hi: math.Inf(1), Confidence: Confidence}
		if in.Lo > 0 {
			s.power.Hi = s.x / in.Lo
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *searchStep) int {
		return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.phase.Begin, b.phase.Begin))
	})
	return out
}

func (p *scalabilityPass) report(r *assay.Report, points []*searchStep, labels map[string]string) {
	add := func(metric string, q assay.Quantity, warnings ...string) {
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Labels: labels, Ledger: assay.Overload, Quantity: q, Warnings: warnings})
	}
	knee, warnings := kneeOf(points)
	add("limit/knee", knee, warnings...)
	metrics := Scalability{}.Describe()[1:]
	none := func(because string) {
		for _, m := range metrics {
			q := assay.NotEstimable(m.Unit, len(points), "steps of a search", because)
			if len(p.steps) == 0 {
				q = assay.NotMeasured(m.Unit, "the plan has no search")
			}
			add(m.Metric, q)
		}
	}
	u, err := fitSteps(points)
	switch {
	case err != nil:
		none("the law of scalability: " + err.Error())
		return
	case math.IsNaN(u.SE[0] + u.SE[1] + u.SE[2]):
		none("the law of scalability: the loads cannot tell its coefficients apart")
		return
	case u.R2 < uslFit:
		none(fmt.Sprintf("the law of scalability explains %.0f %% of the variance of the throughput only", 100*max(0, u.R2)))
		return
	}
	const of = "steps of a search"
	quantity := func(v float64, in stat.Interval, unit assay.Unit, how string) assay.Quantity {
		return assay.Quantity{Value: v, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: unit, N: len(points), Of: of,
			Method: fmt.Sprintf("universal scalability law by weighted least squares (R² %.3f); %s", u.R2, how), Basis: assay.Estimated}
	}
	lambda, sigma, kappa := u.Coefficients(Confidence)
	add("usl/lambda", quantity(u.Lambda, lambda, assay.PerSecond, "Student's t"))
	add("usl/sigma", quantity(u.Sigma, sigma, assay.Ratio, "Student's t"))
	add("usl/kappa", quantity(u.Kappa, kappa, assay.Ratio, "Student's t"))
	n, x, inN, inX, ok := u.Peak(Confidence)
	highest := points[len(points)-1]
	switch {
	case !ok:
		why := "throughput was not seen to fall with concurrency, so the law has no peak"
		if u.Kappa > 0 {
			why = "the interval of kappa reaches 0: there may be no peak"
		}
		add("usl/peak", assay.NotEstimable(assay.PerSecond, len(points), of, why))
		add("usl/peak/concurrency", assay.NotEstimable(assay.Count, len(points), of, why))
	case n > 2*highest.n:
		why := fmt.Sprintf("the law's peak at %.3g in flight lies far beyond the %.3g that were seen", n, highest.n)
		add("usl/peak", assay.NotEstimable(assay.PerSecond, len(points), of, why))
		add("usl/peak/concurrency", assay.NotEstimable(assay.Count, len(points), of, why))
	default:
		var warn []string
		if n > highest.n {
			warn = append(warn, fmt.Sprintf("it lies beyond the %.3g in flight that were seen", highest.n))
		}
		add("usl/peak", quantity(x, inX, assay.PerSecond, "delta method"), warn...)
		add("usl/peak/concurrency", quantity(n, inN, assay.Count, "delta method, of the logarithm"), warn...)
	}
}

// fitSteps fits the law to steps at a sufficient number of different rates.
func fitSteps(points []*searchStep) (stat.USL, error) {
	var n, x, sd, rates []float64
	for _, s := range points {
		n, x, sd = append(n, s.n), append(x, s.x), append(sd, s.x*s.rel)
		rates = append(rates, s.phase.Rate)
	}
	slices.Sort(rates)
	if k := len(slices.Compact(rates)); k < stat.USLLeast {
		return stat.USL{}, fmt.Errorf("it needs steps at %d different rates at least, in which %.0f %% of the requests were served, and there are %d", stat.USLLeast, 100*stepServe, k)
	}
	return stat.FitUSL(n, x, sd)
}

// kneeOf returns the rate of the step with the most power; the interval ends at the rates next to those whose power may be as large.
func kneeOf(points []*searchStep) (assay.Quantity, []string) {
	const of = "steps of a search"
	if len(points) < 3 {
		if len(points) == 0 {
			return assay.NotMeasured(assay.PerSecond, "no search had a step that was served"), nil
		}
		return assay.NotEstimable(assay.PerSecond, len(points), of, fmt.Sprintf("a knee needs at least 3 steps and there are %d", len(points))), nil
	}
	byRate := slices.Clone(points)
	slices.SortFunc(byRate, func(a, b *searchStep) int { return cmp.Compare(a.phase.Rate, b.phase.Rate) })
	best := byRate[0]
	for _, s := range byRate {
		if s.x/s.r > best.x/best.r {
			best = s
		}
	}
	q := assay.Quantity{Value: best.phase.Rate, Lo: 0, Hi: math.Inf(1), Confidence: Confidence, Unit: assay.PerSecond, N: len(points), Of: of,
		Method: "rate of the step with the largest throughput over residence time; the interval ends at the rates next to those that may have as much", Basis: assay.Measured}
	first, last := best.phase.Rate, best.phase.Rate
	for _, s := range byRate {
		if s.power.Hi >= best.power.Lo {
			first, last = min(first, s.phase.Rate), max(last, s.phase.Rate)
		}
	}
	for _, s := range byRate {
		if s.phase.Rate < first {
			q.Lo = s.phase.Rate
		}
		if s.phase.Rate > last && math.IsInf(q.Hi, 1) {
			q.Hi = s.phase.Rate
		}
	}
	var warnings []string
	if math.IsInf(q.Hi, 1) {
		warnings = append(warnings, "no step was clearly beyond the knee")
	}
	if q.Lo == 0 {
		warnings = append(warnings, "no step was clearly before the knee")
	}
	return q, warnings
}

// draw adds the steps and the curve of the law for views: concurrency in Lo, throughput in Values.
func (p *scalabilityPass) draw(r *assay.Report, points []*searchStep) {
	s := assay.Series{Name: "usl/steps", Unit: assay.PerSecond, Kind: "scatter"}
	for _, x := range points {
		s.Lo, s.Values = append(s.Lo, assay.Num(x.n)), append(s.Values, assay.Num(x.x))
	}
	r.Series = append(r.Series, s)
	u, err := fitSteps(points)
	if err != nil || u.R2 < uslFit {
		return
	}
	fit := assay.Series{Name: "usl/fit", Unit: assay.PerSecond, Kind: "line"}
	top := 1.1 * points[len(points)-1].n
	for i := 1; i <= uslPoints; i++ {
		n := top * float64(i) / uslPoints
		fit.Lo, fit.Values = append(fit.Lo, assay.Num(n)), append(fit.Values, assay.Num(u.At(n)))
	}
	r.Series = append(r.Series, fit)
}
