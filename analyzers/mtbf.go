package analyzers

import (
	"cmp"
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// MTBF reports how often the service and its instances fail of themselves.
//
// The exposure of the service is the natural time for which requests say that it was up; that of the instances
// is the sum over them of the natural time in routing. Time inside fault windows, washouts and overload is in neither.
type MTBF struct{}

// Describe returns the metrics.
func (MTBF) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "mtbf/service", Unit: assay.Seconds, Better: "higher", Help: "Up time in the natural ledger per failure episode of the service; chi-square interval, one-sided bound without a failure."},
		{Metric: "mtbf/instance", Unit: assay.Seconds, Better: "higher", Help: "Time in routing in the natural ledger, summed over instances, per failure episode of an instance."},
		{Metric: "failure_rate/service", Unit: assay.PerHour, Better: "lower", Help: "Failure episodes of the service per hour of up time in the natural ledger."},
		{Metric: "failure_rate/instance", Unit: assay.PerHour, Better: "lower", Help: "Failure episodes of instances per hour in routing in the natural ledger."},
	}
}

// Begin starts a pass.
func (MTBF) Begin(f *assay.Facts) assay.Pass {
	rules := facts.RulesOf(f.Manifest, f.Phases)
	p := &mtbfPass{f: f, watch: facts.Watch{Silence: rules.Silence},
		strict: facts.NewDetector(rules.Scaled(0.5), f.Faults), loose: facts.NewDetector(rules.Scaled(2), f.Faults)}
	if isCounted(f) {
		p.watch.Spans = f.Counted.Spans
	}
	return p
}

type mtbfPass struct {
	f             *assay.Facts
	watch         facts.Watch
	strict, loose *facts.Detector // definitions halved and doubled
}

func (p *mtbfPass) Requests(block []assay.Request) {
	for i := range block {
		p.watch.Add(&block[i])
		if !block[i].Canary && !block[i].Forced {
			p.strict.Add(&block[i])
			p.loose.Add(&block[i])
		}
	}
}

func (p *mtbfPass) Finish(r *assay.Report) error {
	f := p.f
	var service, instance []*assay.Episode
	var down int64
	for i := range f.Episodes {
		e := &f.Episodes[i]
		if e.Ledger != assay.Natural {
			continue
		}
		switch e.Subject {
		case assay.Service:
			service = append(service, e)
			down += facts.Within(f, assay.Natural, e.Begin, e.EndHi)
		case assay.InstanceOf:
			instance = append(instance, e)
		}
	}
	up := p.watch.In(f, assay.Natural) - down
	var evidence []string
	natural, total := facts.Within(f, assay.Natural, f.Begin, f.End), f.End-f.Begin
	evidence = append(evidence, fmt.Sprintf("%.0f s of %.0f s watched are natural; requests tell of %.0f s of them", seconds(natural), seconds(total), seconds(up+down)))
	var warnings []string
	if total > 0 && natural*5 < total {
		warnings = append(warnings, "less than a fifth of the run is natural: the rest is faults, washout or overload")
	}
	if isCounted(f) {
		evidence = append(evidence, countedBy(f))
	} else if n := loadShown(service); n > 0 {
		few, many := natural2(f, p.loose.Finish(f.End)), natural2(f, p.strict.Finish(f.End))
		if few != n || many != n {
			warnings = append(warnings, fmt.Sprintf("the count hangs on the definition of an episode: %d as defined, %d with its numbers halved, %d with them doubled", n, many, few))
		}
	}
	add(r, f, "service", service, up, evidence, warnings)

	evidence, warnings = nil, nil
	var exposure int64
	for i := range f.Lives {
		exposure += inService(f, &f.Lives[i])
	}
	unsure := unsureTime(f)
	if w := lowly(instance); w != "" {
		warnings = append(warnings, w)
	}
	if len(f.Lives) == 0 && len(instance) > 0 && up > 0 {
		evidence = append(evidence, fmt.Sprintf("nothing told of the life of instances: that it was up is taken from the %.0f s of which requests tell", seconds(up)))
		add(r, f, "instance", instance, up, evidence, warnings)
		return nil
	}
	if len(f.Lives) == 0 {
		for _, m := range []string{"mtbf", "failure_rate"} {
			unit := assay.Seconds
			if m == "failure_rate" {
				unit = assay.PerHour
			}
			r.Findings = append(r.Findings, assay.Finding{Metric: m + "/instance", Ledger: assay.Natural, Quantity: assay.NotMeasured(unit, "nothing told of the life of instances")})
		}
		return nil
	}
	evidence = append(evidence, fmt.Sprintf("%d instances, %.0f s in routing in the natural ledger", len(f.Lives), seconds(exposure)))
	n := len(r.Findings)
	add(r, f, "instance", instance, exposure+unsure, evidence, warnings)
	undated(r.Findings[n:], f, exposure, unsure)
	return nil
}

// lowly says how many of the failures rest on little.
func lowly(es []*assay.Episode) string {
	n := 0
	for _, e := range es {
		if e.Confidence == assay.ConfidenceLow {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("of %d failures %d are of low confidence: the instance was started anew, nothing explains it, and neither an unclean exit nor a lost request was seen", len(es), n)
}

func natural2(f *assay.Facts, es []assay.Episode) int {
	n := 0
	for i := range es {
		if l, _ := f.At(es[i].Begin); l == assay.Natural {
			n++
		}
	}
	return n
}

// inService returns how long an instance was in routing in the natural ledger. Where nothing told when that began it is taken to be from its first good answer on.
func inService(f *assay.Facts, l *assay.Life) int64 {
	return inServiceWithin(f, l, math.MinInt64, f.End)
}

// inServiceWithin is inService for what of it lies in [from, end].
func inServiceWithin(f *assay.Facts, l *assay.Life, from, end int64) int64 {
	begin := cmp.Or(l.Ready, l.Worked)
	if begin == 0 {
		return 0
	}
	begin, end = max(begin, from), min(end, f.End)
	for _, t := range []int64{l.Draining, l.Exited} {
		if t != 0 {
			end = min(end, t)
		}
	}
	sum := facts.Within(f, assay.Natural, begin, end)
	for _, u := range l.Unready {
		until := u.End
		if until == 0 {
			until = end
		}
		sum -= facts.Within(f, assay.Natural, max(u.Begin, begin), min(until, end))
	}
	return max(0, sum)
}

func add(r *assay.Report, f *assay.Facts, subject string, es []*assay.Episode, exposure int64, evidence, warnings []string) {
	n := len(es)
	t := seconds(exposure)
	mtbf := assay.Finding{Metric: "mtbf/" + subject, Ledger: assay.Natural, Evidence: evidence, Warnings: warnings}
	rate := assay.Finding{Metric: "failure_rate/" + subject, Ledger: assay.Natural, Evidence: evidence, Warnings: warnings}
	if exposure <= 0 {
		mtbf.Quantity = assay.NotEstimable(assay.Seconds, n, "failures", "no natural time was watched")
		rate.Quantity = assay.NotEstimable(assay.PerHour, n, "failures", "no natural time was watched")
		r.Findings = append(r.Findings, mtbf, rate)
		return
	}
	in := stat.MTBF(t, n, Confidence)
	method := "chi-square, time-terminated, constant rate"
	value, hourly := math.NaN(), math.NaN()
	if n == 0 {
		method = "one-sided bound without a failure: exposure/ln 20"
		mtbf.Evidence = append(evidence[:len(evidence):len(evidence)],
			fmt.Sprintf("an MTBF of 720 h needs %s without a failure", duration(720*3600*stat.PlanningFactor(0, Confidence))))
	} else {
		value, hourly = t/float64(n), 3600*float64(n)/t
	}
	if n >= 4 {
		if w := trend(f, es); w != "" {
			mtbf.Warnings = append(warnings[:len(warnings):len(warnings)], w)
			rate.Warnings = mtbf.Warnings
		}
	}
	mtbf.Quantity = assay.Quantity{Value: value, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	lo := 0.0
	if n > 0 {
		lo = 3600 / in.Hi
	}
	rate.Quantity = assay.Quantity{Value: hourly, Lo: lo, Hi: 3600 / in.Lo, Confidence: Confidence, Unit: assay.PerHour, N: n, Of: "failures", Method: method, Basis: assay.Estimated}
	r.Findings = append(r.Findings, mtbf, rate)
}

// trend tests a constant rate on the clock of natural time alone.
func trend(f *assay.Facts, es []*assay.Episode) string {
	end := seconds(facts.Within(f, assay.Natural, f.Begin, f.End))
	var ages []float64
	for _, e := range es {
		if age := seconds(facts.Within(f, assay.Natural, f.Begin, e.Begin)); age > 0 {
			ages = append(ages, age)
		}
	}
	tr := stat.TrendOf(ages, end)
	if tr.N < 4 || math.Min(tr.MilHdbkP, tr.LaplaceP) >= 0.05 {
		return ""
	}
	way := "worsening"
	if tr.Laplace < 0 {
		way = "improving"
	}
	return fmt.Sprintf("the rate is not constant (%s; MIL-HDBK-189 p = %.3f, Laplace p = %.3f): an MTBF averages over the change", way, tr.MilHdbkP, tr.LaplaceP)
}
