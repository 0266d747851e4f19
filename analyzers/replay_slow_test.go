package analyzers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// A slow stretch is an incident of the promises on that latency, whatever failed before it: their alerts are held against it, those of a promise on availability are not, and a person's own
// rule may fire in it.
func TestReplayOfSlowStretches(t *testing.T) {
	fast := assay.SLO{Name: "fast", Target: .99, Window: availability999.Window, Good: assay.Indicator{Metric: "e2e", Max: 2 * sec}}
	run := drilled(availability999, fast)
	for i := range run.R {
		switch r := &run.R[i]; {
		case r.Due >= 80*sec:
			r.Outcome = assay.OK
		case r.Due >= 65*sec && r.Due < 75*sec:
			r.End = r.Due + 3*sec
		}
	}
	groups, err := promrules.Parse("own.yaml", []byte("groups:\n- name: own\n  rules:\n  - {alert: Slow, expr: 'sum(rate(assay_requests_total[80m])) - ignoring(le) sum(rate(assay_request_e2e_seconds_bucket{le=\"2\"}[80m])) > 1'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := replayed(t, run, &Replay{Files: []RuleFile{{"own.yaml", groups}}, Speed: 480, Every: time.Second})
	got := map[string]string{}
	for i := range r.Replays {
		if x := &r.Replays[i]; x.Severity != "ticket" {
			got[x.SLO+x.File] = replayText(x)
		}
	}
	want := map[string]string{
		"a":        "page fired 51-58; http 50-55 hurt=true fires=1 1[0,1] 3[1,3]; false=0",
		"fast":     "page fired 53-58 68-81; http 50-55 hurt=true fires=1 3[1,3] 3[1,3]; slow 65-75 hurt=true fires=1 3[1,3] 6[4,6]; false=0",
		"own.yaml": " fired 51-63 69-86; http 50-55 hurt=true fires=1 1[0,1] 8[6,8]; slow 65-75 hurt=false fires=1 4[2,4] 11[9,11]; false=0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What is slow because of a fault is of the fault, and a fault that made nothing fail owes no alert on availability.
func TestReplayOfSlowFaults(t *testing.T) {
	fast := assay.SLO{Name: "fast", Target: .99, Window: availability999.Window, Good: assay.Indicator{Metric: "e2e", Max: 2 * sec}}
	run := drilled(availability999, fast)
	limit := 2.0
	run.M.Objectives = []assay.Objective{{Metric: "e2e/p95", Max: &limit, Unit: assay.Seconds}}
	for i := range run.R {
		if r := &run.R[i]; r.Outcome != assay.OK {
			if r.Outcome = assay.OK; r.Due < 80*sec {
				r.End = r.Due + 3*sec
			}
		}
	}
	r := replayed(t, run, &Replay{Speed: 480, Every: time.Second})
	got := map[string]string{}
	for i := range r.Replays {
		if x := &r.Replays[i]; x.Severity == "page" {
			got[x.SLO] = replayText(x)
		}
	}
	want := map[string]string{
		"a":    "page fired; http 50-55 hurt=false fires=0 - -; false=0",
		"fast": "page fired 56-61; http 50-55 hurt=true fires=1 6[4,6] 6[4,6]; false=0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// An alert that looks back as far as an incident is not about it where more failed since.
func TestReplayOfWhatCameLater(t *testing.T) {
	groups, err := promrules.Parse("own.yaml", []byte("groups:\n- name: own\n  rules:\n  - {alert: Late, expr: 'sum(rate(assay_requests_total{outcome=\"server_error\"}[38s])) > 0 and on() vector(time()) > 93'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := replayed(t, drilled(), &Replay{Files: []RuleFile{{"own.yaml", groups}}, Every: time.Second})
	want := " fired 93-100 open; http 50-55 hurt=true fires=0 NaN[50,+Inf] -; false=1"
	if got := replayText(&r.Replays[0]); got != want || r.Replays[0].FalseAt/sec != 93 {
		t.Errorf("got %s, false at %d, want %s at 93 s", got, r.Replays[0].FalseAt, want)
	}
}
