package dashboards

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// ledger is evidence with something in every part of it, and a name that would break out of a table.
func ledger() *assay.Evidence {
	q := func(v, lo, hi float64, u assay.Unit, n int, of string) assay.Quantity {
		return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: .95, Unit: u, N: n, Of: of, Method: "m", Basis: assay.Estimated}
	}
	const t0, day = int64(1_795_000_000e9), int64(86400e9)
	run := func(dir string, at int64, d assay.Decision, why string) assay.RunEvidence {
		return assay.RunEvidence{Dir: "/data/runs/" + dir, ID: dir, Name: "soak", Release: "r1", Plan: "9f315a65d9337f0d", Begin: t0 + at*day, End: t0 + at*day + day/2, Decision: d, Why: why}
	}
	a, b, c := run("a", 0, assay.NoGo, ""), run("b", 7, assay.InvalidRun, "it could not measure: the generator fell behind"), run("c", 9, assay.Go, "")
	min := 720 * 3600.0
	return &assay.Evidence{Schema: assay.EvidenceSchema, Decision: assay.Undecided, Exit: 11, LeftOut: []assay.RunEvidence{b},
		Services: []assay.ServiceEvidence{{
			Target: "https://api|x\x1b[31m", Model: "llama", Runs: []assay.RunEvidence{a, b, c},
			Warnings: []string{"1 failure seen by two runs at once: counted once"},
			Objectives: []assay.Judgement{{Objective: assay.Objective{Metric: "mtbf/service", Min: &min, Unit: assay.Seconds}, Title: "mtbf/service", Quantity: q(400*3600, 127.07*3600, 2251.23*3600, assay.Seconds, 2, "failures"),
				Verdict: assay.VerdictInconclusive, Why: "the goal lies between its bounds at 95 %", Enough: "153.3 days more with no further failure, or 199.6 days more with one"}},
			Units: []assay.UnitEvidence{
				{Subject: assay.Service, Units: 1, Exposure: 800 * 3600, Failures: 2, MTBF: q(400*3600, 110.7*3600, 3302.9*3600, assay.Seconds, 2, "failures"), Rate: q(1./400, 1./3302.9, 1./110.7, assay.PerHour, 2, "failures"),
					Causes: []assay.CauseEvidence{{Cause: "crash", Failures: 2, MTBF: q(400*3600, 110.7*3600, 3302.9*3600, assay.Seconds, 2, "failures"), Rate: q(1./400, 1./3302.9, 1./110.7, assay.PerHour, 2, "failures")}},
					Doubts: []string{"whether the rate is constant cannot be seen from 2 failures: it needs 4 at least"}},
				{Subject: assay.InstanceOf, Units: 12, Exposure: 1500 * 3600, Failures: 10, Trend: &assay.TrendEvidence{Way: "improving", MilHdbkP: .022, LaplaceP: .1845, N: 10},
					MTBF: q(310.2*3600, 145*3600, 597*3600, assay.Seconds, 10, "failures"), Rate: q(1./310.2, 1./597., 1./145, assay.PerHour, 10, "failures")},
			},
			Availability: []assay.Finding{
				{Metric: "availability/natural", Labels: map[string]string{"by": "time"}, Quantity: q(.99992, .9991, .999999, assay.Ratio, 2, "failures"), Evidence: []string{"down for 4 min of 800 h"}},
				{Metric: "availability/natural", Labels: map[string]string{"by": "request"}, Quantity: assay.NotEstimable(assay.Ratio, 9, "requests", "no natural failure was seen")}},
			Recovery: []assay.RecoveryEvidence{{Fault: "kill", Drills: 7, Felt: 6, Recovered: 5, Tolerated: 1, Censored: 1, Rate: q(5./6, .3588, .9958, assay.Ratio, 6, "faults"), Median: q(22, 8, 60, assay.Seconds, 4, "recoveries"), Mean: q(27, 9, 88, assay.Seconds, 4, "recoveries")}},
			Coverage: q(.95, .8712, .9789, assay.Ratio, 80, "faults"),
			Modes: []assay.ModeEvidence{{Mode: "kill", Shown: 6, Stale: true, Last: &assay.DrillSeen{Age: 100 * 86400, State: assay.Recovered, User: q(12, 11, 12, assay.Seconds, 1, "fault"), Dir: "/data/runs/a"},
				Empty: &assay.DrillSeen{Age: 3600, State: assay.VoidFault, User: assay.NotMeasured(assay.Seconds, "it was not in effect"), Dir: "/data/runs/c"}}, {Mode: "hang"}, {Mode: "loss"}},
			Attempts: []assay.AttemptEvidence{{Plan: "9f315a65d9337f0d", Name: "soak", Release: "r1", Runs: []assay.RunEvidence{a, a, b, c}}},
		}, {Target: "sandbox", Simulated: []string{"time"}, Runs: []assay.RunEvidence{b}}},
	}
}

func TestEvidence(t *testing.T) {
	var text, ascii, md bytes.Buffer
	if err := EvidenceText(TextOptions{Width: 100})(&text, ledger()); err != nil {
		t.Fatal(err)
	}
	if err := EvidenceText(TextOptions{ASCII: true})(&ascii, ledger()); err != nil {
		t.Fatal(err)
	}
	if err := EvidenceMarkdown(&md, ledger()); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "evidence.txt"), text.Bytes())
	golden(t, filepath.Join("testdata", "evidence.md"), md.Bytes())
	for _, c := range ascii.String() {
		if c > 126 || c < ' ' && c != '\n' {
			t.Errorf("ASCII text holds %U", c)
		}
	}
	for _, line := range strings.Split(ascii.String(), "\n") {
		if len(line) > 80 {
			t.Errorf("longer than 80 columns: %q", line)
		}
	}
}

func TestCommon(t *testing.T) {
	for _, c := range []struct {
		dirs []string
		want string
	}{{[]string{"runs/a", "runs/b"}, "runs/"}, {[]string{"/x/runs/a", "/x/rung/b"}, "/x/"}, {[]string{"a", "b"}, ""}, {[]string{"/a"}, "/"}, {nil, ""}} {
		e := &assay.Evidence{}
		for _, d := range c.dirs {
			e.LeftOut = append(e.LeftOut, assay.RunEvidence{Dir: d})
		}
		if got := common(e); got != c.want {
			t.Errorf("%v: %q, want %q", c.dirs, got, c.want)
		}
	}
}

func TestEvidenceOfNothing(t *testing.T) {
	var b bytes.Buffer
	e := ledger()
	e.Services[0].Units, e.Services[0].Recovery, e.Services[0].Objectives = nil, nil, nil
	e.Services[0].Availability[0].Quantity.Value = math.NaN()
	e.Decision, e.Exit = "", 0
	if err := EvidenceText(TextOptions{})(&b, e); err != nil || !strings.Contains(b.String(), "no run of it watched natural time") || !strings.HasPrefix(b.String(), "EVIDENCE: 4 runs of 2 services") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestEvidenceReleases(t *testing.T) {
	e := ledger()
	s := &e.Services[0]
	s.Releases = []string{"r1", ""}
	s.Runs[0].Release = ""
	s.Recovery, s.Weights, s.Coverage = nil, map[string]float64{"kill": 1}, assay.NotEstimable(assay.Ratio, 0, "faults", "no drill of kill shows anything")
	var b bytes.Buffer
	if err := EvidenceText(TextOptions{})(&b, e); err != nil || !strings.Contains(b.String(), "added up over releases: r1 (") || !strings.Contains(b.String(), "one without a name (1 run)") ||
		!strings.Contains(b.String(), "coverage, weighted as faults strike in operation: not estimable, because no") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}
