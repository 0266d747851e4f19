package analyzers

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// quiet is a minute of good load without faults.
func quiet() *factstest.Run {
	run, _ := factstest.Deployment{Rate: 10, For: 60 * sec, Sigma: .2}.Simulate(rand.New(rand.NewPCG(8, 8)))
	return run
}

func TestDecisions(t *testing.T) {
	fault := func(run *factstest.Run) {
		run.E = append(run.E, assay.Event{Time: 20 * sec, Kind: assay.EventFaultArmed, Fault: "f1", Attrs: map[string]string{"kind": "hang", "target": "w-1"}},
			assay.Event{Time: 20 * sec, Kind: assay.EventFaultApplied, Fault: "f1"})
	}
	bad := func(run *factstest.Run) { run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: float(.05)}} }
	late := func(run *factstest.Run) {
		for i := range run.R {
			run.R[i].Sent += 5 * msec
		}
	}
	capped := func(run *factstest.Run) {
		for i := range 10 {
			run.R[i*3].Outcome, run.R[i*3].Sent = assay.RefusedByCap, 0
		}
	}
	status := func(s string) func(*factstest.Run) { return func(run *factstest.Run) { run.M.End.Status = s } }
	for _, c := range []struct {
		name     string
		change   []func(*factstest.Run)
		decision assay.Decision
		exit     int
		why      string
	}{
		{"no objective", nil, assay.Go, 0, "nothing was asked of it"},
		{"good", []func(*factstest.Run){func(run *factstest.Run) { run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: float(.8)}} }}, assay.Go, 0, "1/1 gated"},
		{"bad", []func(*factstest.Run){bad}, assay.NoGo, 10, "TTFT p95, warm"},
		{"undecided", []func(*factstest.Run){func(run *factstest.Run) {
			run.M.Objectives = []assay.Objective{{Metric: "mtbf/service", Min: float(3600)}}
		}}, assay.Undecided, 11, "MTBF, service"},
		{"late", []func(*factstest.Run){late, bad}, assay.InvalidRun, 12, "fell behind"},
		{"lost records", []func(*factstest.Run){bad, func(run *factstest.Run) { run.M.End.Unrecorded = map[string]int64{"span": 3} }}, assay.InvalidRun, 12, "3 span"},
		{"late, nothing asked", []func(*factstest.Run){late}, assay.InvalidRun, 0, "so the exit status is 0"},
		{"capped", []func(*factstest.Run){capped, bad}, assay.InvalidRun, 12, "in-flight cap"},
		{"capped, nothing asked", []func(*factstest.Run){capped}, assay.InvalidRun, 0, "in-flight cap"},
		{"lost records, nothing asked", []func(*factstest.Run){late, func(run *factstest.Run) { run.M.End.Unrecorded = map[string]int64{"span": 3} }}, assay.InvalidRun, 12, "3 span"},
		{"some refused", []func(*factstest.Run){func(run *factstest.Run) {
			run.M.Objectives = []assay.Objective{{Metric: "error_ratio", Max: float(.01)}}
			refuse(run, 5)
		}}, assay.NoGo, 10, "error ratio"},
		{"all refused", []func(*factstest.Run){late, bad, func(run *factstest.Run) { refuse(run, 1) }}, assay.InvalidRun, 12, "the target refused the request itself, all "},
		{"all refused, nothing asked", []func(*factstest.Run){func(run *factstest.Run) { refuse(run, 1) }}, assay.InvalidRun, 12, "404 Not Found: no model"},
		{"credential goes first", []func(*factstest.Run){late, func(run *factstest.Run) {
			for i := range run.R {
				run.R[i].Outcome, run.R[i].Status = assay.Credential, 403
			}
		}}, assay.InvalidRun, 12, "our own credential was refused"},
		{"no requests", []func(*factstest.Run){func(run *factstest.Run) { run.R = nil }}, assay.InvalidRun, 12, "no request"},
		{"disk full", []func(*factstest.Run){status(assay.EndDiskFull), bad}, assay.InvalidRun, 12, "disk"},
		{"budget, all decided", []func(*factstest.Run){status(assay.EndBudget), bad}, assay.NoGo, 10, ""},
		{"budget, nothing asked", []func(*factstest.Run){status(assay.EndBudget)}, assay.Go, 0, "nothing was asked of it; its budget ended it: "},
		{"budget, undecided", []func(*factstest.Run){status(assay.EndBudget), func(run *factstest.Run) {
			run.M.Objectives = []assay.Objective{{Metric: "mtbf/service", Min: float(3600)}}
		}}, assay.InvalidRun, 12, "budget"},
		{"aborted", []func(*factstest.Run){status(assay.EndAborted), bad, late}, assay.Aborted, 13, "guard"},
		{"interrupted", []func(*factstest.Run){status(assay.EndInterrupted), late}, assay.Interrupted, 130, "person"},
		{"killed", []func(*factstest.Run){status(assay.EndRunning), late}, assay.Interrupted, 130, "killed"},
		{"failed", []func(*factstest.Run){status(assay.EndFailed), late}, assay.Failed, 1, "failed"},
		{"a fault may remain", []func(*factstest.Run){status(assay.EndFailed), fault}, assay.FaultMayRemain, 14, "hang of w-1"},
		{"a fault may remain, by the manifest", []func(*factstest.Run){func(run *factstest.Run) { run.M.End.Remaining = []string{"cut of w-2"} }}, assay.FaultMayRemain, 14, "cut of w-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := quiet()
			for _, f := range c.change {
				f(run)
			}
			r := assess(t, run)
			if r.Decision != c.decision || r.Exit != c.exit || !strings.Contains(r.Why, c.why) {
				t.Errorf("got %s, exit %d: %s; want %s, %d, %q", r.Decision, r.Exit, r.Why, c.decision, c.exit, c.why)
			}
			if c.exit == 12 && !strings.Contains(c.name, "disk") && !strings.Contains(c.name, "budget") {
				for _, j := range r.Objectives {
					if j.Verdict != assay.VerdictInvalid {
						t.Errorf("%s: verdict %s in an invalid run", j.Title, j.Verdict)
					}
				}
			}
		})
	}
}

// refuse answers every nth request with a 404.
func refuse(run *factstest.Run, n int) {
	for i := range run.R {
		if r := &run.R[i]; i%n == 0 {
			r.Outcome, r.Status, r.Error, r.FirstToken, r.Arrivals = assay.ClientError, 404, "404 Not Found: no model", 0, nil
		}
	}
}

func TestJudge(t *testing.T) {
	q := func(v, lo, hi float64) assay.Quantity {
		return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: .95, Unit: assay.Seconds, N: 100, Of: "requests", Basis: assay.Estimated}
	}
	r := &assay.Report{Trust: assay.Trust{Valid: true}, Findings: []assay.Finding{
		{Metric: "ttft/p95", Quantity: q(.4, .3, .5)},
		{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Quantity: q(.6, .5, .7)},
		{Metric: "recovery/user", Labels: map[string]string{"fault": "kill", "target": "w-1"}, Quantity: q(5, 5, 5)},
		{Metric: "recovery/user", Labels: map[string]string{"fault": "kill", "target": "w-2"}, Quantity: q(9, 9, 9)},
		{Metric: "mtbf/service", Quantity: assay.Quantity{Value: math.NaN(), Lo: 24, Hi: math.Inf(1), Confidence: .95, Unit: assay.Seconds}},
		{Metric: "ttft/p99", Quantity: assay.NotEstimable(assay.Seconds, 236, "requests", "it needs more")},
		{Metric: "e2e/p95", Quantity: assay.NotEstimable(assay.Seconds, 54339, "requests", "they are worth 45; about 71543 requests like these would do")},
		{Metric: "availability/natural", Quantity: assay.Quantity{Value: 0, Lo: 0, Hi: 1, Confidence: .95, Unit: assay.Ratio, N: 1, Of: "cluster", Basis: assay.Estimated}},
		{Metric: "recovery/rate", Quantity: assay.Quantity{Value: 1, Lo: .16, Hi: 1, Confidence: .95, N: 2, Of: "faults", Basis: assay.Estimated}},
	}}
	for _, c := range []struct {
		o       assay.Objective
		value   float64
		verdict assay.Verdict
		enough  string
	}{
		{assay.Objective{Metric: "ttft/p95", Max: float(.55)}, .4, assay.VerdictPass, ""},
		{assay.Objective{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: float(.55)}, .6, assay.VerdictInconclusive, "about 4 times as much data, if it stays as it is (400 in place of 100 requests)"},
		{assay.Objective{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: float(.45)}, .6, assay.VerdictFail, ""},
		{assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "kill"}, Max: float(8)}, 9, assay.VerdictFail, ""},
		{assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "kill"}, Max: float(10)}, 9, assay.VerdictPass, ""},
		{assay.Objective{Metric: "mtbf/service", Min: float(720 * 3600)}, math.NaN(), assay.VerdictInconclusive, "90 days watched in all, with no failure"},
		{assay.Objective{Metric: "mtbf/service", Min: float(20)}, math.NaN(), assay.VerdictPass, ""},
		{assay.Objective{Metric: "ttft/p99", Max: float(1)}, math.NaN(), assay.VerdictInconclusive, "at least 299 independent requests; 236 were seen"},
		{assay.Objective{Metric: "e2e/p95", Max: float(1)}, math.NaN(), assay.VerdictInconclusive, "about 71543 requests like these would do"},
		{assay.Objective{Metric: "availability/natural", Min: float(.999)}, 0, assay.VerdictInconclusive, "more than the 1 cluster seen, which bound nothing"},
		{assay.Objective{Metric: "recovery/rate", Min: float(.9)}, 1, assay.VerdictInconclusive, "36 faults, all of them survived, would show 90 %"},
		{assay.Objective{Metric: "goodput", Min: float(1)}, math.NaN(), assay.VerdictInconclusive, ""},
	} {
		j := judge(r, &c.o)
		if j.Verdict != c.verdict || j.Enough != c.enough || j.Quantity.Value != c.value && !(math.IsNaN(c.value) && math.IsNaN(j.Quantity.Value)) {
			t.Errorf("%s %v: got %s of %s, enough %q; want %s of %g, %q", c.o.Metric, c.o.Labels, j.Verdict, j.Quantity, j.Enough, c.verdict, c.value, c.enough)
		}
		if j.Verdict != assay.VerdictPass && j.Why == "" {
			t.Errorf("%s: %s without a reason", c.o.Metric, j.Verdict)
		}
	}
}

func TestLookup(t *testing.T) {
	for metric, known := range map[string]bool{
		"ttft/p95": true, "ttft/p99.9": true, "itl/p12.5": true, "ttft/p100": false, "ttft/p": false, "ttft/px": false, "ttft": false,
		"availability/during/kill": true, "availability/during": false, "recovery/user": true, "recovery/users": false, "validity/lateness/p99": true,
	} {
		if _, ok := Lookup(metric); ok != known {
			t.Errorf("%s: known %v, want %v", metric, ok, known)
		}
	}
	err := Check(assay.Objective{Metric: "recovery/users", Max: float(1)})
	if err == nil || !strings.Contains(err.Error(), `nearest is "recovery/user"`) {
		t.Errorf("got %v", err)
	}
	if err := Check(assay.Objective{Metric: "goodput"}); err == nil {
		t.Error("an objective without a bound was accepted")
	}
	if err := Check(assay.Objective{Metric: "goodput", Min: float(2), Max: float(1)}); err == nil {
		t.Error("an empty range was accepted")
	}
	if _, err := Assess(context.Background(), quiet(), Options{Objectives: []assay.Objective{{Metric: "nonsense", Max: float(1)}}}); err == nil {
		t.Error("an unknown metric was judged")
	}
	if n, of, ok := LeastSample(assay.Objective{Metric: "ttft/p99.9", Max: float(1)}); n != 2995 || of != "requests" || !ok {
		t.Errorf("p99.9 needs %d %s", n, of)
	}
	seen := map[string]bool{}
	for _, d := range Describe() {
		if seen[d.Metric] || d.Help == "" || d.Unit == "" {
			t.Errorf("metric %q: described twice, or without help or unit", d.Metric)
		}
		seen[d.Metric] = true
	}
}

func TestTitleOfForcedStarts(t *testing.T) {
	if got := Title("cold/start/p90", map[string]string{"forced": "true"}); got != "cold start p90, forced" {
		t.Errorf("got %q", got)
	}
}

func TestTitle(t *testing.T) {
	for _, c := range []struct {
		metric string
		labels map[string]string
		want   string
	}{
		{"ttft/p95", nil, "TTFT p95, warm"},
		{"ttft/p95", map[string]string{"phase": "steady"}, "TTFT p95, steady, warm"},
		{"e2e/p99.9", map[string]string{"cold": "all"}, "end to end p99.9, cold and warm"},
		{"cold/start/worst", nil, "cold start worst"},
		{"recovery/user", map[string]string{"fault": "kill"}, "recovery, kill"},
		{"availability/natural", map[string]string{"by": "time"}, "availability, time"},
		{"availability/during/kill", nil, "availability during kill"},
	} {
		if got := Title(c.metric, c.labels); got != c.want {
			t.Errorf("%s %v: got %q, want %q", c.metric, c.labels, got, c.want)
		}
	}
}

func FuzzLookup(f *testing.F) {
	for _, s := range []string{"ttft/p95", "ttft/p1e1", "availability/during/kill", "//", "p", "itl/p99.99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, metric string) {
		d, ok := Lookup(metric)
		if ok && d.Metric != metric {
			t.Errorf("%q was found as %q", metric, d.Metric)
		}
		if _, name, cut := strings.Cut(metric, "/"); cut {
			if p, ok := quantileOf(name); ok && (p <= 0 || p >= 1) {
				t.Errorf("%q is the quantile %g", name, p)
			}
		}
	})
}
