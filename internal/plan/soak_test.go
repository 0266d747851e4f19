package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

var soakKinds = Kinds{Known: []string{"mtbf/service"}, Metrics: func(m string) (assay.Desc, bool) {
	unit, ok := map[string]assay.Unit{"mtbf/service": assay.Seconds, "mtbf/instance": assay.Seconds, "failure_rate/service": assay.PerHour, "error_ratio": assay.Ratio, "availability/natural": assay.Ratio,
		"e2e/p95": assay.Seconds, "cold/start/p95": assay.Seconds}[m]
	return assay.Desc{Metric: m, Unit: unit}, ok
}}

func soakPlan(load, objectives, more string) (*Plan, []assay.Objective, error) {
	p, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h', body: x}\nload: ["+load+"]\nobjectives: ["+objectives+"]\n"+more))
	if err != nil {
		return nil, nil, err
	}
	o, err := p.Validate(soakKinds)
	return p, o, err
}

const (
	soakPhase = "{name: s, arrivals: {even: {rate: 5/s}}, for: 4h, until: decided}"
	soakMTBF  = "{metric: mtbf/service, min: 30m, against: 10m}"
)

func TestSoakPlans(t *testing.T) {
	for _, tt := range []struct{ load, objectives, more, want string }{
		{soakPhase, soakMTBF, "", ""},
		{soakPhase, "{metric: failure_rate/service, max: 2/h, against: 6/h, risk: 10%}", "", ""},
		{"{preset: soak, rate: 5/s, until: decided}", soakMTBF, "", ""},
		{"{name: w, role: warmup, arrivals: {even: {rate: 5/s}}, for: 1m}, " + soakPhase, soakMTBF + ", {metric: e2e/p95, max: 1s}", "", ""},
		{strings.Replace(soakPhase, "decided", "done", 1), soakMTBF, "", `load[0].until: "done" is unknown; known here: decided`},
		{soakPhase, "{metric: mtbf/service, min: 30m}", "", "load[0].until: has nothing to decide"},
		{soakPhase + ", {name: after, for: 1s}", soakMTBF, "", "load[0].until: belongs to the last phase"},
		{"{name: s, closed: {n: 2}, for: 1h, until: decided}", soakMTBF, "", "load[0].until: belongs to a phase with arrivals and role steady"},
		{"{name: s, role: stress, arrivals: {even: {rate: 5/s}}, for: 4h, until: decided}", soakMTBF, "", "load[0].until: belongs to a phase with arrivals and role steady"},
		{"{name: s, arrivals: {even: {rate: 5/s}}, for: 4h}", soakMTBF, "", "objectives[0].against: is tested while the load goes on; say until: decided"},
		{soakPhase, soakMTBF + ", {metric: failure_rate/service, max: 2/h, against: 6/h}", "", "objectives[1].against: is the second test"},
		{soakPhase, "{metric: mtbf/service, min: 30m, against: 40m}", "", "objectives[0].against: is no worse than the goal"},
		{soakPhase, "{metric: failure_rate/service, max: 6/h, against: 2/h}", "", "objectives[0].against: is no worse than the goal"},
		{soakPhase, "{metric: mtbf/service, max: 30m, against: 10m}", "", "objectives[0].against: goes with min"},
		{soakPhase, "{metric: mtbf/service, min: 30m, against: 10m, risk: 60%}", "", "objectives[0].risk: 0.6 is out of range"},
		{soakPhase, "{metric: mtbf/service, min: 30m, risk: 10%}", "", "objectives[0].risk: belongs to against"},
		{soakPhase, "{metric: mtbf/service, min: 30m, against: 10m, phase: s}", "", "objectives[0].against: tests the natural failures of the whole run"},
		{soakPhase, "{metric: mtbf/instance, min: 30m, against: 10m}", "", "is told late, by logs and platforms"},
		{soakPhase, "{metric: error_ratio, max: 1%, against: 5%}", "", "between two of them every look is perfect"},
		{soakPhase, "{metric: availability/natural, min: 99%, against: 95%}", "", "between two of them every look is perfect"},
		{soakPhase, "{metric: cold/start/p95, max: 10s, against: 20s}", "", "instance starts are few"},
		{soakPhase, "{metric: e2e/p95, max: 10s, against: 20s}", "", "latencies that come one after another are alike"},
		{soakPhase, soakMTBF, "chaos: [{fault: kill, at: 1s}]", "load[0].until: tests natural failures"},
		{soakPhase, soakMTBF, "mode: gameday", "load[0].until: does not go with mode gameday"},
	} {
		_, _, err := soakPlan(tt.load, tt.objectives, tt.more)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s, %s: %v", tt.load, tt.objectives, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s, %s, %s: %v, want %q", tt.load, tt.objectives, tt.more, err, tt.want)
		}
	}
}

func TestSoakForetold(t *testing.T) {
	for _, tt := range []struct {
		length string
		ok     bool
		want   []string
	}{
		{"4h", true, []string{"tested against 10m0s while the load goes on, with risks of 5 %: accepted after 44m57s without a failure", "where the MTBF is 30m0s, it takes 1h31m21s on average, at most 3h29m44s in 95 of 100, and is undecided within 4h0m0s in 2.8 %", "where it is 10m0s, it takes 1h10m26s on average", "at worst, between them, it takes 2h2m36s on average",
			"a test of a set time with these risks takes 2h37m"}},
		{"40m", false, []string{"40m0s of natural time planned at most; the test accepts after 44m57s without a failure at the soonest"}},
	} {
		p, o, err := soakPlan(strings.Replace(soakPhase, "4h", tt.length, 1), soakMTBF, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&assay.SequentialTest{Against: 600, Risk: .05}, o[0].Test); diff != "" {
			t.Error(diff)
		}
		d := p.Estimate(o, stat.LeastN, nil).Objectives[0]
		for _, w := range tt.want {
			if !strings.Contains(d.Why, w) || d.OK != tt.ok {
				t.Errorf("%s: %v, %s; want %v, %q", tt.length, d.OK, d.Why, tt.ok, w)
			}
		}
	}
}
