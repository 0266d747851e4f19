package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// MTBF reports how often the service and its instances fail of themselves.
//
// The exposure of the service is the natural time for which requests say that it was up; that of the instances
// is the sum over them of the natural time in routing. Time inside fault windows, washouts and overload is in neither. Where faults fill more than
// four fifths of the watch there is no MTBF: what is left lies between one fault and the next, and is no sample of the service as it runs.
type MTBF struct{}

// Describe returns the metrics.
func (MTBF) Describe() []assay.Desc {
	return append(describeLifetimes(), []assay.Desc{
		{Metric: "mtbf/service", Unit: assay.Seconds, Better: "higher", Help: "Up time in the natural ledger per failure episode of the service; the mean over the watch, with a chi-square interval, one-sided without a failure; with at=end what it was at the end of the watch, by Crow-AMSAA."},
		{Metric: "mtbf/instance", Unit: assay.Seconds, Better: "higher", Help: "Time in routing in the natural ledger, summed over instances, per failure episode of an instance: the mean over the watch, and with at=end at its end."},
		{Metric: "failure_rate/service", Unit: assay.PerHour, Better: "lower", Help: "Failure episodes of the service per hour of up time in the natural ledger. Those with label cause sum to the mean over the watch."},
		{Metric: "failure_rate/instance", Unit: assay.PerHour, Better: "lower", Help: "Failure episodes of instances per hour in routing in the natural ledger. Those with label cause sum to the mean over the watch."},
	}...)
}

// Begin starts a pass.
func (MTBF) Begin(f *assay.Facts) assay.Pass {
	p := &mtbfPass{f: f, watch: watchOf(f), lost: lostBy{}, mends: mendings(f), leave: facts.RulesOf(f.Manifest, f.Phases).Leave}
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.Service && e.Ledger == assay.Natural {
			p.service = append(p.service, e)
		}
	}
	return p
}

// watchOf returns the watch of the service, which requests fill where there are any.
func watchOf(f *assay.Facts) facts.Watch {
	rules := facts.RulesOf(f.Manifest, f.Phases)
	w := facts.Watch{Silence: rules.Silence, Users: rules.Users}
	if isCounted(f) {
		w.Spans = f.Counted.Spans
	}
	if isProbed(f) {
		w.Spans = f.Probed.Spans
	}
	return w
}

type mtbfPass struct {
	f       *assay.Facts
	watch   facts.Watch
	service []*assay.Episode // natural ones
	lost    lostBy
	judged  int // requests of the natural ledger
	mends   []mending
	mended  int // of these, told in full
	leave   int // good requests in a row that end an episode
}

func (p *mtbfPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		p.watch.Add(r)
		p.lost.add(p.f, p.service, r)
		p.mended = verify(p.f.Manifest, p.mends, p.mended, p.leave, r)
		if p.f.Manifest.Judged(r.Outcome) && !r.Forced {
			if l, _ := facts.LedgerOf(p.f, r); l == assay.Natural {
				p.judged++
			}
		}
	}
}

// mostInjected is the share of the watch that faults may fill for there to be an MTBF.
const mostInjected = 0.8

func (p *mtbfPass) Finish(r *assay.Report) error {
	f := p.f
	var instance []*assay.Episode
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.InstanceOf && e.Ledger == assay.Natural {
			instance = append(instance, e)
		}
	}
	withheld := ""
	natural, injected, total := facts.Within(f, assay.Natural, f.Begin, f.End), facts.Within(f, assay.Injected, f.Begin, f.End), f.End-f.Begin
	if total > 0 && float64(injected) > mostInjected*float64(total) {
		withheld = fmt.Sprintf("faults and their washout fill %.0f %% of the watch, more than %.0f %%: what is left between them is no sample of the service", 100*float64(injected)/float64(total), 100*mostInjected)
	}
	var warnings []string
	if total > 0 && natural*5 < total && withheld == "" {
		warnings = append(warnings, "less than a fifth of the run is natural: the rest is faults, washout or overload")
	}
	if x := r.Find("episodes/service"); x != nil {
		warnings = append(warnings, x.Warnings...)
	}
	up := p.watch.States(f, assay.Natural)
	within := up.Failures(f)
	if n := len(p.service) - len(within); n > 0 {
		warnings = append(warnings, fmt.Sprintf("%s that had begun when the service was first seen is not counted: it began before the time that rates are of", things(n, "failure")))
	}
	service := failing{subject: "service", n: len(within), exposure: seconds(up.Good), down: seconds(up.Bad), warnings: warnings, withheld: withheld}
	tell := "requests"
	if isProbed(f) {
		tell = "looks"
	}
	service.evidence = append(service.evidence, fmt.Sprintf("%.0f s of %.0f s watched are natural; %s tell of %.0f s of them", seconds(natural), seconds(total), tell, seconds(up.Good+up.Bad)))
	if isCounted(f) {
		service.evidence = append(service.evidence, countedBy(f))
	}
	if isProbed(f) {
		service.evidence = append(service.evidence, probedBy(f))
	}
	for _, e := range within {
		service.ages = ageAt(service.ages, up.Until(e.Begin))
	}
	found := service.findings()
	if n := len(within); n > 0 && p.judged > 0 {
		found[1].Evidence = append(found[1].Evidence, fmt.Sprintf("%d in %d requests: an hour of another load may bring more or fewer", n, p.judged))
	}
	soaked(f, r, &up, found)
	r.Findings = append(r.Findings, found...)
	r.Findings = append(r.Findings, perCause(f, &service, within, func(e *assay.Episode) string { return causeOfService(f, e, p.lost[e]) })...)
	nameCauses(f, r, p.lost)
	for i := range p.mends {
		e := p.mends[i].e
		r.Repairs = append(r.Repairs, repair(f, &p.mends[i], cmp.Or(e.Cause, causeOfService(f, e, p.lost[e]))))
	}
	r.Findings = append(r.Findings, p.instances(instance, seconds(up.Good), withheld)...)
	r.Findings = append(r.Findings, lifetimes(f, instance)...)
	return nil
}

// mostAges bounds what it takes to lay the failures of instances on the clock of their exposure.
const mostAges = 5_000_000

// ageAt adds the age of a failure. One that began with the watch has none.
func ageAt(ages []float64, ns int64) []float64 {
	if ns > 0 {
		return append(ages, seconds(ns))
	}
	return ages
}

// instances returns the findings of instances. up is how long the service was up, in seconds.
func (p *mtbfPass) instances(es []*assay.Episode, up float64, withheld string) []assay.Finding {
	f := p.f
	x := failing{subject: "instance", n: len(es), withheld: withheld}
	if w := lowly(es); w != "" {
		x.warnings = append(x.warnings, w)
	}
	until := func(t int64) (sum int64) {
		for i := range f.Lives {
			sum += inService(f, &f.Lives[i], t)
		}
		return sum
	}
	var known, unsure int64
	switch {
	case len(f.Lives) > 0:
		known, unsure = until(f.End), unsureTime(f)
		x.exposure = seconds(known)
		x.evidence = append(x.evidence, fmt.Sprintf("%d instances, %.0f s in routing in the natural ledger", len(f.Lives), x.exposure))
	case len(f.Fleet) > 0:
		until = func(t int64) (sum int64) {
			for i := range f.Fleet {
				sum += facts.Within(f, assay.Natural, f.Fleet[i].Begin, min(t, f.Fleet[i].End))
			}
			return sum
		}
		known = until(f.End)
		x.exposure = seconds(known)
		x.evidence = append(x.evidence, fmt.Sprintf("%.0f s of pods in routing in the natural ledger, by the autoscaler's count of ready ones, looked at each %s: a pod that was lost and replaced between two looks does not show",
			x.exposure, duration(seconds(f.Fleet[0].Resolution))))
	case len(es) > 0 && up > 0:
		x.exposure = up
		until = func(t int64) int64 { return facts.Within(f, assay.Natural, f.Begin, t) }
		x.evidence = append(x.evidence, fmt.Sprintf("nothing told of the life of instances: that it was up is taken from the %.0f s of which requests tell", up))
	default:
		return []assay.Finding{
			{Metric: "mtbf/instance", Ledger: assay.Natural, Quantity: assay.NotMeasured(assay.Seconds, untoldLives(f))},
			{Metric: "failure_rate/instance", Ledger: assay.Natural, Quantity: assay.NotMeasured(assay.PerHour, untoldLives(f))},
		}
	}
	if len(es) >= leastTrend {
		if len(es)*len(f.Lives) > mostAges { // so many instances that the clock of the watch is theirs
			until = func(t int64) int64 { return facts.Within(f, assay.Natural, f.Begin, t) }
		}
		whole := seconds(until(f.End))
		for _, e := range es {
			if age := until(e.Begin); age > 0 && whole > 0 {
				x.ages = append(x.ages, seconds(age)*x.exposure/whole)
			}
		}
	}
	x.exposure += seconds(unsure)
	out := append(x.findings(), perCause(f, &x, es, func(e *assay.Episode) string { return causeOfInstance(f, e) })...)
	if unsure > 0 || f.Undated > 0 {
		undated(out, f, known, unsure)
	}
	return out
}

// perCause returns the rate of each cause that was seen or is asked for, the most frequent first.
func perCause(f *assay.Facts, x *failing, es []*assay.Episode, cause func(*assay.Episode) string) (out []assay.Finding) {
	n := map[string]int{}
	such := map[string]string{}
	for _, e := range es {
		c := cause(e)
		if n[c]++; n[c] == 1 {
			such[c] = asTold(e)
		}
	}
	for i := range f.Manifest.Objectives {
		if o := &f.Manifest.Objectives[i]; o.Metric == "failure_rate/"+x.subject && o.Labels["cause"] != "" {
			n[o.Labels["cause"]] += 0
		}
	}
	causes := keys(n)
	slices.SortStableFunc(causes, func(a, b string) int { return cmp.Compare(n[b], n[a]) })
	for _, c := range causes {
		var evidence []string
		if such[c] != "" {
			evidence = []string{such[c]}
		}
		out = append(out, x.share(c, n[c], evidence))
	}
	return out
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

// inService returns how long an instance was in routing in the natural ledger until t. Where nothing told when that began it is taken to be from its first good answer on.
func inService(f *assay.Facts, l *assay.Life, t int64) int64 {
	return inServiceWithin(f, l, math.MinInt64, t)
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
	if end <= begin {
		return 0
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

// untoldLives is why the lives of instances are not known.
func untoldLives(f *assay.Facts) string {
	if n := len(f.Inits); n > 0 {
		return fmt.Sprintf("spans tell of %s, and not of which instance: they name none, so that nothing shows for how long one lived", things(n, "start"))
	}
	return "nothing told of the life of instances"
}
