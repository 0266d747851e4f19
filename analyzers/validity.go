package analyzers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// Validity checks the measurement itself and fills the report's Trust. A problem makes the run invalid: what it then says of
// the target may be about ourselves. A doubt is told and leaves it valid.
type Validity struct{}

const (
	dropShare  = 0.01        // of the load outside stress phases that our own cap may refuse
	spanShare  = 0.95        // of the traced requests that must have spans of the target
	gapShare   = 0.05        // of the scrapes that may fail
	clockLimit = int64(10e6) // ns that the wall clock may step away during a run
)

// Describe returns the metrics.
func (Validity) Describe() []assay.Desc {
	return append(describePacing(), []assay.Desc{
		{Metric: "validity/dropped", Unit: assay.Count, Better: "lower", Help: "Requests outside stress phases that our own in-flight cap refused. Invalid above 1 %."},
		{Metric: "validity/credential", Unit: assay.Count, Better: "lower", Help: "Requests that were not served because our own credential was refused, expired or missing. Any makes the run invalid: it says nothing of the target."},
		{Metric: "validity/refused", Unit: assay.Count, Better: "lower", Help: "Requests that the target refused with a 4xx as wrong in themselves, in a run in which it answered no request otherwise: invalid, since it says nothing of the target. 0 where any was served or failed."},
		{Metric: "validity/unrecorded", Unit: assay.Count, Better: "lower", Help: "Records that could not be kept. Any makes the run invalid."},
		{Metric: "validity/spans", Unit: assay.Ratio, Better: "higher", Help: "Share of the answered requests that asked for a trace and have spans of the target."},
		{Metric: "validity/came", Unit: assay.Ratio, Better: "higher", Help: "Share of the traces of answered requests that a store had, of those it was asked for after the load (label store)."},
		{Metric: "validity/late", Unit: assay.Seconds, Better: "lower", Help: "How long after the load the last of them came (label store)."},
		{Metric: "validity/orphans", Unit: assay.Ratio, Better: "lower", Help: "Share of the spans whose parent is not in their trace."},
		{Metric: "validity/repeated", Unit: assay.Count, Better: "lower", Help: "Spans that came more than once. One of each is taken."},
		{Metric: "validity/skew", Unit: assay.Seconds, Better: "lower", Help: "Clock of a server minus that of its client, by their spans (labels client and server)."},
		{Metric: "validity/gaps", Unit: assay.Ratio, Better: "lower", Help: "Share of the scrapes that failed while their target was known."},
		{Metric: "validity/clock", Unit: assay.Seconds, Better: "lower", Help: "How far the wall clock stepped away from the monotonic one during the run."},
	}...)
}

// Begin starts a pass.
func (Validity) Begin(f *assay.Facts) assay.Pass {
	return &validityPass{f: f, stress: stress(f), traces: traceHealth{repeated: f.Repeated}}
}

func stress(f *assay.Facts) map[string]bool {
	out := map[string]bool{}
	for i := range f.Phases {
		if f.Phases[i].Role == assay.RoleStress {
			out[f.Phases[i].Name] = true
		}
	}
	return out
}

type validityPass struct {
	f          *assay.Facts
	stress     map[string]bool
	pace       pacing
	total      int
	gentle     int // outside stress phases
	dropped    int
	denied     int            // for our own credential
	refused    int            // with a 4xx, as wrong in themselves
	heard      int            // served, failed or turned away in any other way
	why        map[string]int // what the target said to those it refused
	answered   int            // with a trace asked for
	noSchedule int
	findings   []assay.Finding // of single phases
	traces     traceHealth
}

// Traces takes what the spans tell of their own quality.
func (p *validityPass) Traces(block []assay.Trace) {
	for i := range block {
		p.traces.add(&block[i])
	}
}

func (p *validityPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		p.total++
		switch o := r.Outcome; {
		case o == assay.Credential:
			p.denied++
		case o == assay.ClientError && !r.Canary:
			p.refuse(r)
		case o.Counts() && !r.Canary:
			p.heard++
		}
		if r.Canary { // it has neither the schedule's pace nor its cap
			p.ask(r)
			continue
		}
		gentle := !p.stress[r.Phase]
		if gentle {
			p.gentle++
		}
		if r.NoSchedule {
			p.noSchedule++
		} else {
			p.pace.add(p.f, r)
		}
		if r.Outcome == assay.RefusedByCap {
			if gentle {
				p.dropped++
			}
			continue
		}
		p.ask(r)
	}
}

// ask counts a request that asked for a trace and was answered.
func (p *validityPass) ask(r *assay.Request) {
	if wanted(r) {
		p.answered++
	}
}

func (p *validityPass) Finish(r *assay.Report) error {
	m := p.f.Manifest
	t := &r.Trust
	t.Rows = []assay.TrustRow{}
	check := func(name string, q assay.Quantity, limit string, ok bool, problem, doubt string) {
		t.Rows = append(t.Rows, assay.TrustRow{Name: name, Quantity: q, Limit: limit, OK: ok})
		if name != "attempt" {
			r.Findings = append(r.Findings, assay.Finding{Metric: "validity/" + name, Quantity: q})
		}
		if !ok && problem != "" {
			t.Problems, t.Rules = append(t.Problems, problem), append(t.Rules, name)
		}
		if !ok && problem == "" && doubt != "" {
			t.Doubts = append(t.Doubts, doubt)
		}
	}
	p.lateness(check)
	t.Lateness = p.pace.histogram()

	q := counted(float64(p.dropped), assay.Count, p.gentle, "requests", "refused by our own in-flight cap outside stress phases")
	if p.total == 0 {
		q = assay.NotMeasured(assay.Count, "no request was recorded")
	}
	check("dropped", q, fmt.Sprintf("at most %g %% outside stress phases", dropShare*100), float64(p.dropped) <= dropShare*float64(p.gentle),
		fmt.Sprintf("%s refused %d of %d requests outside stress phases", refuser(m), p.dropped, p.gentle), "")

	q = counted(float64(p.denied), assay.Count, p.total, "requests", "not served because of our own credential")
	if p.total == 0 {
		q = assay.NotMeasured(assay.Count, "no request was recorded")
	}
	check("credential", q, "none", p.denied == 0,
		fmt.Sprintf("our own credential was refused, expired or missing for %d of %d requests: they say nothing of the target", p.denied, p.total), "")

	p.itself(check)

	p.delivered(check)
	p.spacing(check)
	p.cpu(check)
	p.machine(t)
	r.Findings = append(r.Findings, p.findings...)

	var lost, odd int64
	var causes, why []string
	for _, k := range keys(m.End.Unrecorded) {
		if n := m.End.Unrecorded[k]; n > 0 && oddStamp(k) {
			odd += n
			why = append(why, fmt.Sprintf("%d %s", n, k))
		} else if n > 0 {
			lost += n
			causes = append(causes, fmt.Sprintf("%d %s", n, k))
		}
	}
	check("unrecorded", counted(float64(lost), assay.Count, p.total, "requests", "records that could not be kept"), "none", lost == 0,
		"records were lost: "+strings.Join(causes, ", "), "")
	if odd > 0 {
		t.Doubts = append(t.Doubts, fmt.Sprintf("%d records of others were left out, since their times cannot be true (%s): is the clock of their source right?", odd, strings.Join(why, ", ")))
	}

	p.spans(check)
	p.traces.check(r)
	readBacks(p.f.Events, r)
	p.gaps(check)

	drift := m.End.ClockDrift
	step := max(drift, -drift)
	q = stretch(step, max(0, step-m.Resolution), step+m.Resolution, 1, "run", "wall clock against the monotonic one, at the end")
	if m.Imported || m.End.Status == assay.EndRunning {
		q = assay.NotMeasured(assay.Seconds, "nothing compared the clocks at the end of the run")
	}
	check("clock", q, duration(seconds(clockLimit)), step <= clockLimit, "",
		fmt.Sprintf("the wall clock stepped by %s: spans and events of other processes may lie wrong by as much", duration(seconds(step))))

	t.Clocks = clocksOf(p.f, r, p.total)
	for _, o := range m.Offsets {
		if strings.HasPrefix(o.Source, "collect.") { // what they gave was stamped by our clock: theirs matters where people compare
			if off := max(o.Offset, -o.Offset); off > o.Error {
				t.Doubts = append(t.Doubts, fmt.Sprintf("the clock of %s stands %s from ours (±%s): compare its own records with care", o.Source, duration(seconds(off)), duration(seconds(o.Error))))
			}
			continue
		}
		if o.Error > clockLimit {
			t.Doubts = append(t.Doubts, fmt.Sprintf("the clock of %s is known to ±%s only", o.Source, duration(seconds(o.Error))))
		}
	}

	attempt := max(1, m.Attempt)
	check("attempt", counted(float64(attempt), assay.Count, 1, "plan", "runs of this plan on this release so far"), "", attempt == 1, "",
		fmt.Sprintf("this is run %d of this plan on this release: one that passes at last is weaker than one that passes at once", attempt))

	if p.total == 0 && !holdsOther(p.f) {
		t.Problems, t.Rules = append(t.Problems, "no request was recorded"), append(t.Rules, "requests")
	}
	if m.End.Status == assay.EndRunning || m.End.Status == "" && !m.Imported {
		t.Doubts = append(t.Doubts, "the run was killed: up to its last second may be missing")
	}
	if m.End.Status == assay.EndBudget {
		t.Doubts = append(t.Doubts, "the budget ended the run early: "+m.End.Reason)
	}
	for i := range r.Faults {
		x := &r.Faults[i]
		switch x.State {
		case assay.VoidFault:
			t.Doubts = append(t.Doubts, fmt.Sprintf("the %s of %s was void: %s", x.Window.Kind, x.Window.Target, x.Window.Void))
		case assay.Unmeasured:
			t.Doubts = append(t.Doubts, fmt.Sprintf("the %s of %s is unmeasured: %s", x.Window.Kind, x.Window.Target, strings.TrimPrefix(x.User.Reason, "not measured, because ")))
		}
	}
	p.warnings(r)
	rank(t)
	t.Valid = len(t.Problems) == 0
	return nil
}

// holdsOther reports whether a run without requests was meant to have none: it was made of what others recorded of instances, traces or metrics.
func holdsOther(f *assay.Facts) bool {
	return f.Manifest.Imported && (len(f.Lives) > 0 || f.Spans > 0 || f.Metrics != nil || slices.ContainsFunc(f.Events, func(e assay.Event) bool {
		return e.Kind != assay.EventWarning && e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventPhaseEnd && e.Kind != assay.EventLoadEnd
	}))
}

// refuser names what refuses a request before it is sent.
func refuser(m *assay.Manifest) string {
	if m.Imported {
		return "the load generator itself"
	}
	return "our own in-flight cap"
}

type checkFunc = func(name string, q assay.Quantity, limit string, ok bool, problem, doubt string)

func (p *validityPass) spans(check checkFunc) {
	limit := fmt.Sprintf("at least %g %%", spanShare*100)
	switch {
	case p.f.Spans == 0 && p.total == 0:
		check("spans", assay.NotMeasured(assay.Ratio, "the run has neither requests nor spans"), limit, true, "", "")
	case p.f.Spans == 0 && len(p.f.Lives) > 0:
		check("spans", assay.NotMeasured(assay.Ratio, "the run has no spans"), limit, false, "", "the run has no spans, so there is no attribution")
	case p.f.Spans == 0:
		check("spans", assay.NotMeasured(assay.Ratio, "the run has no spans"), limit, false, "", "the run has no spans: nothing tells cold from warm but the client, and there is no attribution")
	case p.answered == 0:
		check("spans", assay.NotMeasured(assay.Ratio, "no answered request asked for a trace"), limit, true, "", "")
	default:
		v := min(1, float64(p.f.Traced)/float64(p.answered))
		check("spans", counted(v, assay.Ratio, p.answered, "requests", "requests with spans of the target, of those answered"), limit, v >= spanShare, "",
			fmt.Sprintf("only %.0f %% of the answered requests have spans of the target: cold states and attribution speak of these", 100*v))
	}
}

// oddStamp reports whether records were left out for what they themselves tell of time. Requests are our own.
func oddStamp(cause string) bool {
	kind, why, _ := strings.Cut(cause, "/")
	return kind != "requests" && slices.Contains([]string{"future", "past", "order", "number"}, why)
}

// gaps asks the scrapes' own series whether they succeeded.
func (p *validityPass) gaps(check checkFunc) {
	limit := fmt.Sprintf("at most %g %%", gapShare*100)
	missing := func(why string) { check("gaps", assay.NotMeasured(assay.Ratio, why), limit, true, "", "") }
	if p.f.Metrics == nil || p.f.End <= p.f.Begin {
		missing("the run has no metrics")
		return
	}
	step := max(int64(1e9), (p.f.End-p.f.Begin)/1000)
	series, err := p.f.Metrics.Range(context.Background(), "up", p.f.Begin, p.f.End, step)
	if err != nil {
		missing("the series of the scrapes cannot be read: " + err.Error())
		return
	}
	n, bad := 0, 0
	failed := map[string][2]int{} // by target: steps, and those at which it had failed
	for i := range series {
		name := scraped(series[i].Labels)
		of := failed[name]
		for _, v := range series[i].Values {
			if f := float64(v); !math.IsNaN(f) {
				n++
				of[0]++
				if f == 0 {
					bad++
					of[1]++
				}
			}
		}
		failed[name] = of
	}
	if n == 0 {
		missing("no scrape was recorded")
		return
	}
	v := float64(bad) / float64(n)
	check("gaps", counted(v, assay.Ratio, n, "scrapes", "steps at which the last scrape of a target had failed"), limit, v <= gapShare, "",
		fmt.Sprintf("%.0f %% of the scrapes failed: metrics have gaps: %s", 100*v, targetsOf(failed)))
}

// scraped names the target of a scrape.
func scraped(labels []assay.Label) string {
	for _, name := range []string{"target", "instance", "job"} {
		for _, l := range labels {
			if l.Name == name && l.Value != "" {
				return l.Value
			}
		}
	}
	return "a target without a name"
}

// targetsOf names the targets whose scrapes failed, those that failed most first, each with the share of its scrapes that did.
func targetsOf(of map[string][2]int) string {
	const most = 4
	names := slices.DeleteFunc(keys(of), func(name string) bool { return of[name][1] == 0 })
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(of[b][1], of[a][1]) })
	var out []string
	for i, name := range names {
		if i == most {
			out = append(out, fmt.Sprintf("%d more targets", len(names)-most))
			break
		}
		out = append(out, fmt.Sprintf("%s %.0f %%", name, 100*float64(of[name][1])/float64(of[name][0])))
	}
	return strings.Join(out, ", ")
}

// warnings adds what the run itself had to say, each text once with its count.
func (p *validityPass) warnings(r *assay.Report) {
	count := map[string]int{}
	var order []string
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Kind != assay.EventWarning {
			continue
		}
		text := e.Text
		if e.Source != "" {
			text = e.Source + ": " + text
		}
		if count[text] == 0 {
			order = append(order, text)
		}
		count[text]++
	}
	for i, text := range order {
		if i == 20 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%d further warnings", len(order)-i))
			break
		}
		if n := count[text]; n > 1 {
			text = fmt.Sprintf("%s (%d times)", text, n)
		}
		r.Warnings = append(r.Warnings, text)
	}
	switch len(order) {
	case 0:
	case 1:
		r.Trust.Doubts = append(r.Trust.Doubts, "the run gave a warning")
	default:
		r.Trust.Doubts = append(r.Trust.Doubts, fmt.Sprintf("the run gave %d kinds of warnings", len(order)))
	}
}
