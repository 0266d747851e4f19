package analyzers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/promrules"
)

// drilled is 100 s of ten requests a second in which all fail from 50 s to 55 s by a fault, and a fifth from 80 s on by themselves.
func drilled(slos ...assay.SLO) *factstest.Run {
	run := promised(slos...)
	for i := range run.R {
		r := &run.R[i]
		r.Outcome, r.Cold, r.End = assay.OK, assay.ColdNo, r.Due+50*msec
		if at := r.Due / sec; at >= 50 && at < 55 || at >= 80 && i%5 == 0 {
			r.Outcome = assay.ServerError
		}
	}
	return run
}

func replayed(t *testing.T, run *factstest.Run, settings *Replay) *assay.Report {
	t.Helper()
	r, err := Assess(context.Background(), run, Options{Kinds: only(append(reliability[:len(reliability):len(reliability)], "slo", "replay")...), Replay: settings})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// replayText writes what a rule did, in whole seconds of the run.
func replayText(x *assay.Replay) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s fired", x.Severity)
	for _, in := range x.Fired {
		fmt.Fprintf(&b, " %d-%d", in.Begin/sec, in.End/sec)
	}
	if x.Open {
		b.WriteString(" open")
	}
	for _, d := range x.Looks {
		fmt.Fprintf(&b, "; %s %d-%d hurt=%v fires=%d", d.Kind, d.Begin/sec, d.End/sec, d.Hurt, d.Fires)
		for _, q := range []assay.Quantity{d.Delay, d.Resolve} {
			if q.Known() {
				fmt.Fprintf(&b, " %.0f[%.0f,%.0f]", q.Value, q.Lo, q.Hi)
			} else {
				b.WriteString(" -")
			}
		}
	}
	for _, o := range x.Over {
		fmt.Fprintf(&b, "; over %s at %d: %.3f of %d in %v, allowed %.3f", o.SLO, o.At/sec, o.Bad.Value, o.Bad.N, time.Duration(o.Window), o.Allowed)
	}
	fmt.Fprintf(&b, "; false=%d", x.False)
	return b.String()
}

const userRules = `groups:
- name: own
  rules:
  - alert: Fast
    expr: sum(rate(assay_requests_total{outcome="server_error"}[4s])) > 0.5
    labels: {severity: page}
  - alert: Slow
    expr: sum(rate(assay_requests_total{outcome="server_error"}[4s])) > 8
    for: 30s
    labels: {severity: ticket}
  - alert: Blind
    expr: rate(nowhere_total[1m]) > 1
  - alert: Wolf
    expr: sum(increase(assay_requests_total[4s])) > 0 and on() vector(time()) < 12
`

// A rule that fires in an incident detects it, late by so much; one that does not is told for how long; what fires without an incident is false; what asks for a series
// that is not there shows nothing.
func TestReplay(t *testing.T) {
	groups, err := promrules.Parse("own.yaml", []byte(userRules))
	if err != nil {
		t.Fatal(err)
	}
	r := replayed(t, drilled(), &Replay{Files: []RuleFile{{"own.yaml", groups}}, Every: time.Second})
	got := map[string]string{}
	for i := range r.Replays {
		got[r.Replays[i].Alert] = replayText(&r.Replays[i])
	}
	want := map[string]string{
		"Blind": " fired; http 50-55 hurt=true fires=0 - -; false=0",
		"Fast":  "page fired 51-58 81-100 open; http 50-55 hurt=true fires=1 1[0,1] 3[1,3]; false=1", // a fifth that fails is no episode
		"Slow":  "ticket fired; http 50-55 hurt=true fires=0 NaN[50,+Inf] -; false=0",
		"Wolf":  " fired 1-12; http 50-55 hurt=true fires=0 NaN[50,+Inf] -; false=1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct{ metric, alert, severity, want string }{
		{"replay/detected", "Fast", "page", "1 "}, {"replay/detected", "Slow", "ticket", "0 "}, {"replay/false", "Wolf", "", "1 "},
	} {
		labels := []string{"alert", c.alert}
		if c.severity != "" {
			labels = append(labels, "severity", c.severity)
		}
		f := r.Find(c.metric, labels...)
		if f == nil || !strings.HasPrefix(f.Quantity.String(), c.want) {
			t.Errorf("%s of %s: %+v, want %s", c.metric, c.alert, f, c.want)
		}
	}
	if f := r.Find("replay/detected", "alert", "Blind"); f == nil || f.Quantity.Known() || f.Warnings[0] != "the run has no series nowhere_total" {
		t.Errorf("of what was not recorded: %+v", f)
	}
}

// The rules of a promise follow from the run alone. They see a good past, after which five seconds of outage are no reason to page; over what there is of a run shorter than their
// windows they fire sooner than they would in production, and say so; scaled they say that.
func TestReplayOfPromises(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings *Replay
		want     []string // the page, the ticket
		warning  string
	}{
		{"as written", nil, []string{"page fired; http 50-55 hurt=true fires=0 NaN[50,+Inf] -; false=0", "ticket fired; http 50-55 hurt=true fires=0 NaN[50,+Inf] -; false=0"},
			"as after a good past: before the run all was good, at its mean rate, for as long as the rules look back, and so an outage calls only once it has spent enough of the budget; --healthy-past=false looks back over what there is"},
		{"over what there is", &Replay{Past: NoPast}, []string{"page fired 60-100 open; http 50-55 hurt=true fires=1 10[0,10] NaN[45,+Inf]; false=0", "ticket fired 60-100 open; http 50-55 hurt=true fires=1 10[0,10] NaN[45,+Inf]; false=0"},
			"it looks back further than the 99.9 s of the run: over what there is, as a Prometheus does that has just started, and so sooner than in production"},
		{"scaled", &Replay{Speed: 240, Every: time.Second}, []string{"page fired 51-62 80-100 open; http 50-55 hurt=true fires=1 1[0,1] 7[5,7]; over a at 80: 0.007 of 150 in 15s, allowed 0.001; false=0", "ticket fired 51-100 open; http 50-55 hurt=true fires=1 1[0,1] NaN[45,+Inf]; false=0"},
			"SCALED: every window, for and interval of the rule is 240 times shorter than it is written"},
	} {
		r := replayed(t, drilled(availability999), c.settings)
		var got []string
		for i := range r.Replays {
			x := &r.Replays[i]
			got = append(got, replayText(x))
			if x.On != "series made of the run's requests" || x.SLO != "a" || !strings.Contains(strings.Join(x.Warnings, "; "), c.warning) {
				t.Errorf("%s: on %s of %q: %q, want %q", c.name, x.On, x.SLO, x.Warnings, c.warning)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		var series []string
		for _, s := range r.Series {
			if strings.HasPrefix(s.Name, "slo/burn/") {
				series = append(series, s.Name)
			}
		}
		if d := cmp.Diff([]string{"slo/burn/a/5m", "slo/burn/a/1h"}, series); d != "" {
			t.Errorf("%s: series (-want +got):\n%s", c.name, d)
		}
	}
}

// Failures that are too thin for an episode are no incident. An alert on them is held against the budget: it is right where more was bad than a promise allows.
func TestReplayOfThinFailures(t *testing.T) {
	thin := func(every int, slos ...assay.SLO) *factstest.Run {
		run := drilled(slos...)
		run.E = run.E[:2] // no fault
		for i := range run.R {
			if run.R[i].Outcome = assay.OK; i%every == every-1 {
				run.R[i].Outcome = assay.ServerError
			}
		}
		return run
	}
	groups, err := promrules.Parse("own.yaml", []byte("groups:\n- name: own\n  rules:\n  - {alert: Any, expr: 'sum(rate(assay_requests_total{outcome=\"server_error\"}[20s])) > 0'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	loose := availability999
	loose.Name, loose.Target = "loose", 0.7
	for _, c := range []struct {
		name string
		run  *factstest.Run
		want []string
	}{
		{"a fifth, of 0.1 %", thin(5, availability999), []string{"page fired 1-100 open; over a at 1: 0.182 of 11 in 15s, allowed 0.001; false=0", "ticket fired 1-100 open; over a at 1: 0.182 of 11 in 6m0s, allowed 0.001; false=0",
			" fired 1-100 open; over a at 1: 0.182 of 11 in 20s, allowed 0.001; false=0"}},
		{"a fifth, of 30 %", thin(5, loose), []string{"page fired; false=0", "ticket fired; false=0", " fired 1-100 open; false=1"}},
		{"a fifth, of no promise", thin(5), []string{" fired 1-100 open; false=1"}},
	} {
		r := replayed(t, c.run, &Replay{Past: NoPast, Speed: 240, Every: time.Second})
		files := replayed(t, c.run, &Replay{Files: []RuleFile{{"own.yaml", groups}}, Every: time.Second})
		var got []string
		for _, x := range append(r.Replays, files.Replays[len(files.Replays)-1]) {
			got = append(got, replayText(&x))
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if f := files.Find("replay/false", "alert", "Any"); f == nil || f.Quantity.Value != float64(files.Replays[len(files.Replays)-1].False) {
			t.Errorf("%s: replay/false %+v", c.name, f)
		}
	}
}

// A run that promises nothing and is asked for nothing has no replay.
func TestReplayOfNothing(t *testing.T) {
	r := replayed(t, drilled(), nil)
	if len(r.Replays) > 0 || r.Find("replay/detected") != nil {
		t.Errorf("replays %v", r.Replays)
	}
}
