package analyzers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/storage"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// Replay reports what alerting rules would have done while the run went on: those that follow from its promises to users, and those of a person's own files.
//
// They are evaluated in order of time over what the run recorded, and over series made of its requests under the names of the live metrics (made is told, with the
// result). Before the run the rules of promises on its own requests see a good past, as those of a service in production do. Other rules see what there is, as with a
// Prometheus that has just started, and so a short run alerts sooner than a service with a good past does. Past changes both, and Speed shrinks the windows; the result says so.
//
// Incidents are faults, failures of the service and overload on purpose; for the rules of a promise on a latency also the stretches in which requests were too slow for it.
// An alert belongs to the latest incident that began before it, ended no longer ago than the alert looks back, and has no fewer of the bad requests in that time than came
// after it. One without an incident is false, unless more was bad than a promise allows in the window that it looks back over: failures too thin for an episode spend a budget too.
type Replay struct {
	Files []RuleFile
	Every time.Duration // between evaluations of groups that do not say; 0: 15 s, or more in a long run
	Speed float64       // all times of the rules are divided by it; 0: 1
	Past  Past          // what series made of requests were before the run
}

// A Past says which rules see a good past before the run: all requests good, at the run's mean rate, for as long as they look back. Others see what there is.
type Past int

// The pasts.
const (
	OwnPast  Past = iota // the rules of promises do
	GoodPast             // all rules do
	NoPast               // none does
)

// A RuleFile is a file of Prometheus rules.
type RuleFile struct {
	Name   string
	Groups []rulefmt.RuleGroup
}

// Describe returns the metrics.
func (Replay) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "replay/detected", Unit: assay.Ratio, Better: "higher", Help: "Share of the incidents that hurt users for which an alerting rule would have fired in this run, by alert and severity."},
		{Metric: "replay/delay", Unit: assay.Seconds, Better: "lower", Help: "From the begin of an incident until an alerting rule would have fired, by alert and severity, and by fault: its kind, natural, or slow."},
		{Metric: "replay/resolve", Unit: assay.Seconds, Better: "lower", Help: "From the end of an incident until the alert would have been gone, by alert and severity, and by fault."},
		{Metric: "replay/flaps", Unit: assay.Count, Better: "lower", Help: "How often an alerting rule would have fired again for an incident that it had fired for, by alert and severity."},
		{Metric: "replay/false", Unit: assay.Count, Better: "lower", Help: "How often an alerting rule would have fired without an incident and with no more bad than a promise allows, by alert and severity."},
	}
}

// Begin starts a pass.
func (a Replay) Begin(f *assay.Facts) assay.Pass {
	p := &replayPass{Replay: a, f: f, looked: map[string]*lookWindows{}}
	if p.Speed == 0 {
		p.Speed = 1
	}
	for i := range f.Manifest.SLOs {
		if f.Manifest.SLOs[i].Unmapped == "" {
			p.slos = append(p.slos, f.Manifest.SLOs[i])
		}
	}
	if p.idle() {
		return p
	}
	length := time.Duration(f.End - f.Begin)
	if p.Every == 0 {
		p.Every = max(time.Duration(float64(promrules.DefaultInterval)/p.Speed).Round(time.Millisecond), time.Millisecond)
		if least := (length/replaySteps + time.Second - 1).Truncate(time.Second); p.Every < least {
			p.Every = least
		}
	}
	p.made, p.watches = newMadeSeries(f, p.slos, int64(p.Every)), newSlowWatches(f, p.slos)
	p.due = map[string]*badDue{anyPromise: newBadDue(f)}
	for i := range p.slos {
		if p.slos[i].Good.Own() {
			p.due[p.slos[i].Name] = newBadDue(f)
		}
	}
	return p
}

// replaySteps is how often rules are evaluated at most where nobody says how often.
const replaySteps = 1000

type replayPass struct {
	Replay
	f    *assay.Facts
	slos []assay.SLO
	made *madeSeries

	looked map[string]*lookWindows // by promise on recorded metrics, in a long run

	due       map[string]*badDue // by promise on the run's own requests, and of any
	watches   []slowWatch
	results   []assay.SLOResult
	incidents []incident
	slow      map[string][]incident // by promise
}

// idle reports whether there is nothing to replay.
func (p *replayPass) idle() bool {
	return len(p.slos) == 0 && len(p.Files) == 0 || p.f.End <= p.f.Begin || p.f.Manifest.Untimed
}

func (p *replayPass) Requests(block []assay.Request) {
	if p.made == nil {
		return
	}
	for i := range block {
		p.made.add(&block[i])
		p.count(&block[i])
		for j := range p.watches {
			p.watches[j].add(&block[i])
		}
	}
}

func (p *replayPass) Finish(r *assay.Report) error {
	if p.made == nil {
		return nil
	}
	own, _ := promrules.Generate(p.slos)
	own = withoutMeta(own)
	runs := p.Files
	if len(own) > 0 {
		runs = append([]RuleFile{{"", own}}, runs...)
	}
	p.incidents = incidentsOf(p.f, r)
	p.results = r.SLOs
	p.slow = slowIncidents(p.f, p.watches, p.incidents)
	for _, file := range runs {
		if err := p.replay(r, file); err != nil {
			return err
		}
	}
	return nil
}

// withoutMeta leaves out what no alert looks at.
func withoutMeta(groups []rulefmt.RuleGroup) (out []rulefmt.RuleGroup) {
	for _, g := range groups {
		if strings.HasPrefix(g.Name, "sloth-slo-meta-recordings-") {
			continue
		}
		if n := len(g.Rules); strings.HasPrefix(g.Name, "sloth-slo-sli-recordings-") {
			g.Rules = g.Rules[:n-1] // of the whole window
		}
		out = append(out, g)
	}
	return out
}

// replay evaluates the rules of one file.
func (p *replayPass) replay(r *assay.Report, file RuleFile) error {
	groups, err := promrules.Scaled(file.Groups, p.Speed)
	if err != nil {
		return fmt.Errorf("scale %s: %w", file.Name, err)
	}
	w := promrules.Replay{Groups: groups, Begin: p.ms(p.f.Begin), End: p.ms(p.f.End), Every: p.Every,
		LookBack: max(p.Every, time.Duration(float64(5*time.Minute)/p.Speed))}
	past := time.Duration(0)
	if p.Past == GoodPast || p.Past == OwnPast && file.Name == "" {
		if past, err = promrules.Reach(groups); err != nil {
			return err
		}
	}
	if file.Name == "" {
		if w.Known = p.known(past); past > 0 {
			w.Weight = p.weight
		}
	}
	w.Made = p.made.memory(p.f, past)
	if q, ok := p.f.Metrics.(storage.Queryable); ok {
		w.Recorded = q
	}
	alerts, err := w.Run(context.Background())
	if err != nil {
		return fmt.Errorf("replay rules %s: %w", file.Name, err)
	}
	for i := range alerts {
		x := p.result(&alerts[i], file.Name, past, w.Made)
		r.Replays = append(r.Replays, x)
		r.Findings = append(r.Findings, replayFindings(&x)...)
	}
	if file.Name == "" {
		for i := range p.slos {
			r.Series = append(r.Series, p.burnSeries(&p.slos[i], w.Made)...)
		}
	}
	return nil
}

// ms and ns turn run time into the time of rules and back.
func (p *replayPass) ms(t int64) int64 { return (t + p.f.Manifest.Epoch) / 1e6 }
func (p *replayPass) ns(ms int64) int64 {
	return min(p.f.End, max(p.f.Begin, ms*1e6-p.f.Manifest.Epoch))
}

// result tells what an alert made of the incidents.
func (p *replayPass) result(a *promrules.Alert, file string, past time.Duration, made *promrules.Memory) assay.Replay {
	x := assay.Replay{Alert: a.Rule.Alert, Severity: firstOf(a.Rule.Labels["sloth_severity"], a.Rule.Labels["severity"]), Group: a.Group, Labels: a.Rule.Labels, File: file,
		Step: int64(a.Every), Longest: int64(a.Reach), Speed: p.Speed, Fired: []assay.Interval{}, Looks: []assay.Detection{}}
	x.On = "recorded metrics and series made of the run's requests"
	if file == "" {
		x.On = "recorded metrics"
		for i := range p.slos {
			if a.Group == promrules.AlertGroup(&p.slos[i]) {
				if x.SLO = p.slos[i].Name; p.slos[i].Good.Own() {
					x.On = "series made of the run's requests"
				}
			}
		}
	}
	for _, s := range a.States {
		in := assay.Interval{Begin: p.ns(s.Begin), End: p.ns(s.End), Resolution: int64(a.Every)}
		if s.Firing {
			x.Fired = joined(x.Fired, in)
			x.Open = x.Open || s.Open
		} else {
			x.Pending = joined(x.Pending, in)
		}
	}
	x.Fired, x.Pending = bounded(x.Fired), bounded(x.Pending)
	p.look(&x, p.incidentsFor(&x), int64(p.Every), made)
	switch length := p.f.End - p.f.Begin; {
	case int64(a.Reach) <= length:
	case past > 0 && file == "":
		x.Warnings = append(x.Warnings, "as after a good past: before the run all was good, at its mean rate, for as long as the rules look back, and so an outage calls only once it has spent enough of the budget; --healthy-past=false looks back over what there is")
	case past > 0:
		x.Warnings = append(x.Warnings, fmt.Sprintf("as after a good past: all requests of %s before the run were good, at its mean rate", promrules.Span(past)))
	default:
		x.Warnings = append(x.Warnings, fmt.Sprintf("it looks back further than the %s of the run: over what there is, as a Prometheus does that has just started, and so sooner than in production; --healthy-past puts a good past before the run", duration(seconds(length))))
	}
	if s := p.bySlices(x.SLO); s != "" {
		x.Warnings = append(x.Warnings, s)
	}
	if w := p.looked[x.SLO]; w != nil {
		x.Warnings = append(x.Warnings, fmt.Sprintf("in a run this long its windows are summed up from looks at the metrics each %s", duration(seconds(w.step))))
	}
	if p.Speed != 1 {
		x.Warnings = append(x.Warnings, fmt.Sprintf("SCALED: every window, for and interval of the rule is %g times shorter than it is written", p.Speed))
	}
	if len(a.Absent) > 0 {
		x.Warnings = append(x.Warnings, "the run has no series "+strings.Join(a.Absent, ", "))
	}
	if a.Failed > 0 {
		x.Warnings = append(x.Warnings, fmt.Sprintf("%d evaluations failed: %s", a.Failed, a.Err))
	}
	if len(a.Absent) > 0 && len(x.Fired) == 0 || a.Failed > 0 {
		for i := range x.Looks {
			if l := &x.Looks[i]; l.Fires == 0 && l.Hurt {
				l.Delay = assay.NotMeasured(assay.Seconds, "what the rule asks for was not recorded")
			}
		}
	}
	return x
}

// joined adds an interval to others that begin no later, one with those that it touches.
func joined(list []assay.Interval, in assay.Interval) []assay.Interval {
	if n := len(list); n > 0 && in.Begin <= list[n-1].End {
		list[n-1].End = max(list[n-1].End, in.End)
		return list
	}
	return append(list, in)
}

// bounded keeps what a report can hold.
func bounded(list []assay.Interval) []assay.Interval {
	const most = 500
	return list[:min(len(list), most)]
}

// burnPoints bounds a series of burn rates.
const burnPoints = 600

// burnSeries returns the burn rates of a promise over both windows of its first page, as the rules recorded them.
func (p *replayPass) burnSeries(s *assay.SLO, m *promrules.Memory) []assay.Series {
	var out []assay.Series
	pair := promrules.Pairs(time.Duration(s.Window))[0]
	for _, w := range []time.Duration{pair.Short, pair.Long} {
		for _, line := range m.Lines(promrules.ErrorRecording(w)) {
			if line.Labels.Get("sloth_id") != promrules.ID(s) {
				continue
			}
			series := assay.Series{Name: "slo/burn/" + s.Name + "/" + promrules.Span(w), Unit: assay.Count, Kind: "line"}
			stride := (len(line.Times) + burnPoints - 1) / burnPoints
			for i := 0; i < len(line.Times); i += stride {
				most := line.Values[i]
				for _, v := range line.Values[i:min(i+stride, len(line.Values))] {
					most = max(most, v)
				}
				if most != most {
					continue // of no requests
				}
				series.Times = append(series.Times, p.ns(line.Times[i]))
				series.Values = append(series.Values, assay.Num(burnRate(most, s)))
			}
			if len(series.Times) > 0 {
				out = append(out, series)
			}
		}
	}
	return out
}
