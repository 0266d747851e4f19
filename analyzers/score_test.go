package analyzers

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// killed is the fault of the worked example in the comment of Score.
func killed() assay.FaultResult {
	w := assay.FaultWindow{ID: "kill-1", Kind: "kill", Applied: 1, Verified: 2}
	u := facts.Users{Touched: 100, Well: 95, Lost: 5, Begun: 40, Broken: 1}
	return assay.FaultResult{Window: w, State: assay.Recovered, Touched: u.Touched, User: stretch(6*sec, 6*sec, 6*sec, 1, "fault", "seen"), Parts: scoreParts(&w, &u, true)}
}

func TestScoreOfTheWorkedExample(t *testing.T) {
	kill := killed()
	scoreOf(&kill, 15, nil)
	if want := .5*.95 + .3*(1-6./30) + .2*.975; math.Abs(kill.Score.Value-want) > 1e-12 || math.Abs(want-.91) > 1e-12 {
		t.Errorf("kill: %s, want %g", kill.Score, want)
	}
	hang := assay.FaultResult{Window: assay.FaultWindow{ID: "hang-2", Kind: "hang"}, State: assay.VoidFault}
	scoreOf(&hang, 15, nil)
	xs := []assay.FaultResult{kill, hang}
	weigh(xs, nil)
	q, warnings := total(xs, "")
	if math.Abs(q.Value-.455) > 1e-12 || math.Abs(q.Lo-.455) > 1e-12 || math.Abs(q.Hi-.91) > 1e-12 || q.N != 1 || q.Of != "of 2 faults" {
		t.Errorf("run: %s", q)
	}
	if got, want := strings.Join(warnings, "|"), "1 of 2 faults measured: hang-2 count as 0 in the value and the lower bound"; got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if got, want := sumOf(&xs[0]), "0.91 = 0.5 × 0.95 availability + 0.3 × 0.8 recovery + 0.2 × 0.975 streams"; got != want {
		t.Errorf("evidence %q, want %q", got, want)
	}
}

func TestScoreOfOneFault(t *testing.T) {
	for _, c := range []struct {
		name          string
		change        func(x *assay.FaultResult)
		hs            []assay.Hypothesis
		value, lo, hi float64
		known         bool
	}{
		{"nobody was hurt", func(x *assay.FaultResult) {
			x.User = stretch(0, 0, 0, 1, "fault", "")
			x.Parts = scoreParts(&x.Window, &facts.Users{Touched: 50, Well: 50, Begun: 50}, true)
		}, nil, 1, 1, 1, true},
		{"never well again", func(x *assay.FaultResult) { x.User = atLeast(60*sec, 1, "fault", "") }, nil, .67, .67, .67, true},
		{"not seen to be well, after 15 s", func(x *assay.FaultResult) { x.User = atLeast(15*sec, 1, "fault", "") }, nil, .67, .67, .67 + .3*.5, true},
		{"well somewhere between 3 s and 6 s", func(x *assay.FaultResult) { x.User = stretch(6*sec, 3*sec, 6*sec, 1, "fault", "") }, nil, .91, .91, .67 + .3*.9, true},
		{"5 requests not judged", func(x *assay.FaultResult) {
			x.Parts = scoreParts(&x.Window, &facts.Users{Touched: 100, Well: 95, Silent: 5, Begun: 40, Broken: 1}, true)
		}, nil, .91, .435 + .5*95/105, .435 + .5*100/105, true},
		{"nothing is streamed", func(x *assay.FaultResult) {
			x.Parts = scoreParts(&x.Window, &facts.Users{Touched: 100, Well: 95}, false)
		}, nil, 5./8*.95 + 3./8*.8, 5./8*.95 + 3./8*.8, 5./8*.95 + 3./8*.8, true},
		{"no stream began, though the run has them", func(x *assay.FaultResult) {
			x.Parts = scoreParts(&x.Window, &facts.Users{Touched: 100, Well: 95}, true)
		}, nil, .715, .715, .915, true},
		{"felt by assumption alone", func(x *assay.FaultResult) { x.Assumed = true }, nil, .91, 0, .91, true},
		{"the steady state did not come back", func(*assay.FaultResult) {}, []assay.Hypothesis{{Name: "ttft", Fault: "kill-1", After: assay.Look{OK: "false"}}}, .67, .67, .67, true},
		{"it did not hold before", func(*assay.FaultResult) {}, []assay.Hypothesis{{Name: "ttft", Fault: "kill-1", Before: assay.Look{OK: "false"}}}, 0, 0, 0, false},
		{"never verified", func(x *assay.FaultResult) { x.Window.Verified = 0 }, nil, 0, 0, 0, false},
		{"nothing judged", func(x *assay.FaultResult) { x.Touched = 0 }, nil, 0, 0, 0, false},
	} {
		x := killed()
		c.change(&x)
		scoreOf(&x, 15, c.hs)
		q := x.Score
		if q.Known() != c.known || c.known && (math.Abs(q.Value-c.value) > 1e-9 || math.Abs(q.Lo-c.lo) > 1e-9 || math.Abs(q.Hi-c.hi) > 1e-9) {
			t.Errorf("%s: %s, want %g [%g, %g]", c.name, q, c.value, c.lo, c.hi)
		}
		weights := 0.0
		for _, part := range x.Parts {
			weights += part.Weight
		}
		if c.known && math.Abs(weights-1) > 1e-12 {
			t.Errorf("%s: weights sum to %g", c.name, weights)
		}
	}
}

// Leaving out any measurement raises neither value nor lower bound, whatever the faults did.
func TestNoScoreRisesWhenAMeasurementIsLeftOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 2000 {
		xs := make([]assay.FaultResult, 1+rng.IntN(7))
		for i := range xs {
			x := killed()
			x.Window.Kind = []string{"kill", "hang", "cut"}[rng.IntN(3)]
			if rng.IntN(4) == 0 {
				x.State = assay.Unmeasured
			}
			n := 1 + rng.IntN(200)
			u := facts.Users{Touched: n, Well: rng.IntN(n + 1), Silent: rng.IntN(5), Begun: rng.IntN(n + 1)}
			u.Broken = rng.IntN(u.Begun + 1)
			x.Parts = scoreParts(&x.Window, &u, true)
			x.User = stretch(rng.Int64N(60*sec), 0, 60*sec, 1, "fault", "")
			scoreOf(&x, 15, nil)
			xs[i] = x
		}
		weigh(xs, nil)
		for _, kind := range []string{"", "kill", "hang", "cut"} {
			whole, _ := total(xs, kind)
			for i := range xs {
				if !xs[i].Score.Known() || kind != "" && xs[i].Window.Kind != kind {
					continue
				}
				less := slices.Clone(xs)
				less[i].Score = assay.NotMeasured(assay.Ratio, "left out")
				q, _ := total(less, kind)
				if q.Known() && (q.Value > whole.Value+1e-12 || q.Lo > whole.Lo+1e-12) {
					t.Fatalf("without fault %d of %d: %s, with it %s", i, len(xs), q, whole)
				}
				if min := whole.Lo + 1e-9; q.Known() && assay.Judge(q, min, 1) == assay.VerdictPass {
					t.Fatalf("an objective of %g passes without the measurement: %s, with it %s", min, q, whole)
				}
			}
			if whole.Known() && !(0 <= whole.Lo && whole.Lo <= whole.Value && whole.Value <= whole.Hi && whole.Hi <= 1) {
				t.Fatalf("out of order: %s", whole)
			}
		}
	}
}

// The score is a metric like others: of the run and of each kind, judged by its whole interval.
func TestScoreIsJudged(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Objectives = append(objectives(), assay.Objective{Metric: "score", Min: float(.5)}, assay.Objective{Metric: "score", Labels: map[string]string{"fault": "hang"}, Min: float(.99)})
	r := assess(t, run, append([]string{"hypothesis", "score"}, reliability...)...)
	all, kill, hang := r.Find("score").Quantity, r.Find("score", "fault", "kill").Quantity, r.Find("score", "fault", "hang").Quantity
	if math.Abs(all.Value-(kill.Value+hang.Value)/2) > 1e-12 || all.N != 2 || !(hang.Value < kill.Value && kill.Value < 1) {
		t.Errorf("score %s; kill %s; hang %s", all, kill, hang)
	}
	if a, b := r.Objectives[4].Verdict, r.Objectives[5].Verdict; a != assay.VerdictPass || b != assay.VerdictFail {
		t.Errorf("verdicts %s, %s", a, b)
	}
	if k, h := r.Faults[0].Verdict, r.Faults[1].Verdict; k != assay.FaultPass || h != assay.FaultFail || r.Faults[1].Why != `the goal "score, hang" is missed` {
		t.Errorf("faults: %s, %s: %s", k, h, r.Faults[1].Why)
	}
}

// In a suite the steps have weights, also those that had no fault in this run.
func TestScoreOfASuite(t *testing.T) {
	xs := []assay.FaultResult{killed(), killed(), killed()}
	for i := range xs {
		xs[i].Window.ID = []string{"a", "b", "outside"}[i]
		scoreOf(&xs[i], 15, nil)
	}
	suite := &assay.SuiteResult{Name: "s", Version: 1, Steps: []assay.StepResult{{Weight: 2, Faults: []string{"a", "b"}}, {Weight: 1}, {Weight: 1}}}
	_, how := weigh(xs, suite)
	if xs[0].Weight != .25 || xs[1].Weight != .25 || xs[2].Weight != 0 || how != "weights of the steps of suite s, version 1" {
		t.Errorf("weights %g, %g, %g: %s", xs[0].Weight, xs[1].Weight, xs[2].Weight, how)
	}
	q, warnings := total(xs, "")
	if math.Abs(q.Value-.455) > 1e-12 || math.Abs(q.Hi-.91) > 1e-12 || strings.Join(warnings, "|") != "steps of the suite that weigh 50 % of it had no fault in this run: they count as 0" {
		t.Errorf("%s, %q", q, warnings)
	}
	xs[1].Window.Simulated = true
	scoreOf(&xs[1], 15, nil)
	weigh(xs, &assay.SuiteResult{Steps: []assay.StepResult{{Weight: 3, Faults: []string{"a"}}, {Weight: 7, Faults: []string{"b"}}, {Weight: 1}}})
	if q, _ := total(xs, ""); xs[0].Weight != .75 || xs[1].Weight != 0 || xs[1].Score.Known() || math.Abs(q.Value-.75*.91) > 1e-12 || q.Of != "of 2 faults" {
		t.Errorf("with a simulated step: weights %g, %g, %s", xs[0].Weight, xs[1].Weight, q)
	}
	xs[1].Window.Kind = "xid"
	if kinds, _ := weigh(xs, nil); len(kinds) != 1 || xs[0].Weight != .5 || xs[1].Weight != 0 {
		t.Errorf("with a simulated fault: kinds %v, weights %g, %g", kinds, xs[0].Weight, xs[1].Weight)
	}
	weigh(xs, suite)
	if q, _ := total(xs, "kill"); math.Abs(q.Value-.91) > 1e-12 {
		t.Errorf("of its kind: %s", q)
	}
}

// Leaving out which instance served a request does not let a fault that nobody felt pass.
func TestNoScoreRisesWithoutInstances(t *testing.T) {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	for i := range run.R {
		r := &run.R[i]
		r.Outcome, r.Instance = assay.OK, "w-9" // neither victim ever served anything
		r.End = max(r.End, r.Due+msec)
		if r.FirstToken == 0 {
			r.FirstToken, r.Arrivals = r.Due+msec, []int64{r.Due + msec}
		}
	}
	known := assess(t, run, "recovery", "score").Find("score").Quantity
	for i := range run.R {
		run.R[i].Instance = ""
	}
	r := assess(t, run, "recovery", "score")
	q := r.Find("score").Quantity
	if known.Known() || !q.Known() || q.Lo != 0 || !r.Faults[0].Assumed || !strings.Contains(strings.Join(r.Faults[0].Warnings, "|"), "1/2 of the traffic") {
		t.Errorf("with instances %s, without %s; %q", known, q, r.Faults[0].Warnings)
	}
}
