package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

var e2eAlone = Options{Gates: []assay.Objective{{Metric: "e2e/p50"}}}

// troubled makes n runs a side that are alike, in turns, of which each has trouble with a chance of 0.3: it loses requests, and fails some six times.
func troubled(n int, r *rand.Rand) (base, other Side) {
	base.Name, other.Name = "v1", "v2"
	one := func(id string, minute int) Run {
		lost, episodes := 0.0, 0
		if r.Float64() < 0.3 {
			lost = 0.02 + 0.08*r.Float64()
			for t := r.ExpFloat64(); t < 6; t += r.ExpFloat64() {
				episodes++
			}
		}
		run := made(id, minute, map[string]float64{"e2e/p50": 0.2 * math.Exp(0.01*r.NormFloat64()), "error_ratio": lost, "goodput/ratio": 1 - lost})
		run.Report.Findings = append(run.Report.Findings, assay.Finding{Metric: "failure_rate/service", Quantity: rateOf(episodes, 0.5)})
		return run
	}
	for i := range n {
		base.Runs = append(base.Runs, one(fmt.Sprint("a", i), 2*i))
		other.Runs = append(other.Runs, one(fmt.Sprint("b", i), 2*i+1))
	}
	return base, other
}

// Of sides that are alike, whose losses and failures sit in three runs of ten, at most one comparison in a thousand fails.
func TestTroubleInFewRuns(t *testing.T) {
	for _, n := range []int{5, 10} {
		comparisons, most := 40, 1 // of one in twenty-five expected at most, two come once in a thousand times
		if os.Getenv("ASSAY_FULL") != "" {
			if comparisons, most = 20_000, 20; n > 5 { // one in a thousand; some three in ten thousand are to be expected
				comparisons, most = 2000, 2
			}
		}
		r := rand.New(rand.NewPCG(6, uint64(n)))
		verdicts, alone := map[assay.Verdict]int{}, map[string]int{}
		for range comparisons {
			a, b := troubled(n, r)
			c := Runs(a, []Side{b}, e2eAlone)
			verdicts[c.Verdict]++
			for i := range c.Changes {
				if ch := &c.Changes[i]; ch.Role != assay.ChangeShow && ch.Verdict == assay.VerdictFail {
					alone[ch.Metric]++
				}
			}
		}
		t.Logf("%d runs a side: %v, fails %v of %d", n, verdicts, alone, comparisons)
		if verdicts[assay.VerdictFail] > most {
			t.Errorf("%d runs a side: %d of %d comparisons of equals fail: %v", n, verdicts[assay.VerdictFail], comparisons, alone)
		}
	}
}

// Losses that are not shown to be within the margin hold up a pass, in few runs too; without any there is a pass that says what it leaves open.
func TestLossesHoldUp(t *testing.T) {
	for _, test := range []struct {
		name        string
		base, other []float64 // by run, as often as there are runs
		want        assay.Verdict
		said        string // in why
		mean        float64
	}{
		{"none", []float64{0}, []float64{0}, assay.VerdictPass, "no request of the candidate failed in 10 runs, which leaves up to 26 % of its runs to lose some", 0},
		{"in two runs of five", []float64{0}, []float64{0, 0.06, 0, 0.08, 0}, assay.VerdictInconclusive, "requests failed in 0 of 10 runs of the base and 4 of 10 of the candidate", 0.028},
		{"a few everywhere", []float64{0.001, 0.002}, []float64{0.002, 0.001}, assay.VerdictPass, "within the margin", 0.0015},
		{"of the base alone", []float64{0.06, 0, 0}, []float64{0}, assay.VerdictPass, "no request of the candidate failed", 0},
		{"many in each", []float64{0.001, 0}, []float64{0.05, 0.07}, assay.VerdictFail, "error ratio is 5.95 points higher", 0.06},
	} {
		a, b := sides(10, 1)
		for i := range a.Runs {
			a.Runs[i].Report.Find("error_ratio").Quantity.Value = test.base[i%len(test.base)]
			b.Runs[i].Report.Find("error_ratio").Quantity.Value = test.other[i%len(test.other)]
		}
		c := Runs(a, []Side{b}, e2eAlone)
		ch := find(t, c, "error_ratio")
		if c.Verdict != test.want || !strings.Contains(c.Why, test.said) || math.Abs(ch.Other.Value-test.mean) > 1e-9 {
			t.Errorf("%s: %s: %s; error ratio %s %s, want %s and %q", test.name, c.Verdict, c.Why, ch.Verdict, ch.Other, test.want, test.said)
		}
		if c.Verdict == assay.VerdictInconclusive && (ch.More < 1 || !strings.Contains(c.Next, fmt.Sprint(ch.More, " more runs a side"))) {
			t.Errorf("%s: %d more, next %q", test.name, ch.More, c.Next)
		}
	}
}

// Of five runs a side all of one may lie above all of the other once in 252 times. Where runs of a side differ more than requests that fail one by one let expect, that is not enough.
func TestFiveRuns(t *testing.T) {
	for _, test := range []struct {
		name string
		lost []float64 // of the candidate's 400 requests a run, against none of the base
		want assay.Verdict
		said string
	}{
		{"alike", []float64{8, 12, 9, 6, 10}, assay.VerdictFail, "error ratio is 2.25 points higher"},
		{"unlike", []float64{8, 40, 12, 30, 10}, assay.VerdictInconclusive, "runs of one side differ as if by luck, and 5 a side are too few to tell"},
		{"unlike and far", []float64{160, 200, 190, 130, 170}, assay.VerdictFail, "error ratio is 42.5 points higher"},
	} {
		a, b := sides(5, 1)
		for i := range b.Runs {
			b.Runs[i].Report.Find("error_ratio").Quantity.Value = test.lost[i] / 400
		}
		c := Runs(a, []Side{b}, e2eAlone)
		if ch := find(t, c, "error_ratio"); c.Verdict != test.want || !strings.Contains(c.Why+ch.Why, test.said) {
			t.Errorf("%s: %s: %s; %s, want %s and %q", test.name, c.Verdict, c.Why, ch.Why, test.want, test.said)
		} else if c.Verdict == assay.VerdictInconclusive && ch.More < 1 {
			t.Errorf("%s: %d more", test.name, ch.More)
		}
	}
}

// A recovery that did not end is worse than any that did.
func TestRecoveryThatDidNotEnd(t *testing.T) {
	ended := func(s float64) assay.Quantity {
		return assay.Quantity{Value: s, Lo: s, Hi: s, Confidence: 1, Unit: assay.Seconds, N: 1, Of: "faults"}
	}
	open := assay.Quantity{Value: math.NaN(), Lo: 30, Hi: math.Inf(1), Confidence: 1, Unit: assay.Seconds, N: 1, Of: "faults"}
	for _, test := range []struct {
		name string
		open func(i int) (base, other bool)
		two  bool // a second fault that ends in each run
		want assay.Verdict
		said string
	}{
		{"all end", func(int) (bool, bool) { return false, false }, false, assay.VerdictPass, ""},
		{"none of the candidate", func(int) (bool, bool) { return false, true }, false, assay.VerdictFail, "at least"},
		{"one of two faults in each run", func(int) (bool, bool) { return false, true }, true, assay.VerdictFail, "at least"},
		{"half of the candidate", func(i int) (bool, bool) { return false, i%2 == 0 }, false, assay.VerdictInconclusive, "0 of 6 runs of the base and 3 of 6 of the candidate did not recover"},
		{"half of the base", func(i int) (bool, bool) { return i%2 == 0, false }, false, assay.VerdictInconclusive, "3 of 6 runs of the base"},
	} {
		a, b := sides(6, 1)
		for i := range 6 {
			x, y := test.open(i)
			for s, side := range []Side{a, b} {
				q := ended(2 + 0.01*float64((i*5+s)%7))
				if s == 0 && x || s == 1 && y {
					q = open
				}
				add := func(q assay.Quantity) {
					side.Runs[i].Report.Faults = append(side.Runs[i].Report.Faults, assay.FaultResult{Window: assay.FaultWindow{Kind: "kill"}, User: q, Capacity: assay.NotMeasured(assay.Seconds, "nobody told")})
				}
				if add(q); test.two {
					add(ended(2))
				}
			}
		}
		c := Runs(a, []Side{b}, e2eAlone)
		if c.Verdict != test.want || !strings.Contains(c.Why, test.said) {
			t.Errorf("%s: %s: %s, recovery %s; want %s and %q", test.name, c.Verdict, c.Why, find(t, c, "recovery/user").Change, test.want, test.said)
		}
	}
}

// Failures stand against the time that was watched, not against what a rate at the end of the watch lets reckon.
func TestRatesByExposure(t *testing.T) {
	side := func(name string, late int, q assay.Quantity, exposure bool) (s Side) {
		s.Name = name
		for i := range 6 {
			r := made(fmt.Sprint(name, i), 2*i+late, map[string]float64{"e2e/p50": 0.2 + 0.0001*float64(i*5%7)})
			r.Report.Findings = append(r.Report.Findings, assay.Finding{Metric: "failure_rate/service", Quantity: q})
			if exposure {
				r.Report.Exposure = []assay.Exposure{{Subject: assay.Service, Time: 1500 * 3600e9}, {Subject: assay.InstanceOf, Time: 9 * 3600e9}}
				for range 10 {
					r.Report.Episodes = append(r.Report.Episodes, assay.Episode{Subject: assay.Service, Ledger: assay.Natural}, assay.Episode{Subject: assay.Service, Ledger: assay.Injected})
				}
			}
			s.Runs = append(s.Runs, r)
		}
		return s
	}
	crow := assay.Quantity{Value: 1 / 310.234, Lo: 0, Hi: 1, Confidence: 0.95, Unit: assay.PerHour, N: 9, Of: "failures", Method: "Crow-AMSAA power law at the end of the watch"}
	c := Runs(side("a", 0, rateOf(10, 1500), true), []Side{side("b", 1, crow, true)}, e2eAlone)
	ch := find(t, c, "failure_rate/service")
	if math.Abs(ch.Change.Value) > 1e-9 || ch.Other.N != 60 || !strings.Contains(ch.Other.Method, "9e+03 h") || ch.Verdict != assay.VerdictPass {
		t.Errorf("60 failures in 9,000 h each: %s, of the candidate %s, change %s", ch.Verdict, ch.Other, ch.Change)
	}
	if said := strings.Join(c.Doubts, "; "); !strings.Contains(said, "in 6 runs failures came at no constant rate") {
		t.Errorf("doubts %q", said)
	}
	// Without the exposure there is nothing to divide by.
	c = Runs(side("a", 0, rateOf(10, 1500), false), []Side{side("b", 1, crow, false)}, e2eAlone)
	if ch := find(t, c, "failure_rate/service"); ch.Verdict != assay.VerdictInconclusive || ch.Other.Known() || c.Verdict != assay.VerdictInconclusive {
		t.Errorf("%s: %s, of the candidate %s", c.Verdict, c.Why, ch.Other)
	}
}

// Nothing passes of which runs of one side do not tell.
func TestMissing(t *testing.T) {
	for _, test := range []struct {
		base, other int
		want        assay.Verdict
	}{{0, 0, assay.VerdictPass}, {0, 4, assay.VerdictInconclusive}, {4, 0, assay.VerdictInconclusive}, {2, 2, assay.VerdictPass}} {
		a, b := sides(12, 1)
		for s, n := range []int{test.base, test.other} {
			for i := range n {
				[]Side{a, b}[s].Runs[i].Report.Find("e2e/p50").Quantity = assay.NotEstimable(assay.Seconds, 3, "requests", "3 of 300 requests were served")
			}
		}
		c := Runs(a, []Side{b}, e2eAlone)
		if c.Verdict != test.want {
			t.Errorf("%d and %d missing: %s: %s", test.base, test.other, c.Verdict, c.Why)
		}
		if said := strings.Join(c.Doubts, "; "); strings.Contains(said, fmt.Sprintf("%d of 12 runs of the candidate do not tell it; 3 of 300", test.other)) != (test.other > 0) {
			t.Errorf("%d missing: doubts %q", test.other, said)
		}
	}
}

// Among so many metrics that five runs a side cannot fail one, the answer says how many can.
func TestHolmInNext(t *testing.T) {
	names := []string{"ttft/p50", "ttft/p95", "ttft/p99", "itl/p50", "itl/p95", "itl/p99", "tpot/p50", "tpot/p95", "tpot/p99", "e2e/p50", "e2e/p95", "e2e/p99", "ttft/p99.9", "e2e/p99.9"}
	var gates []assay.Objective
	var sides [2]Side
	for _, m := range names {
		gates = append(gates, assay.Objective{Metric: m})
	}
	r := rand.New(rand.NewPCG(1, 4))
	for i := range 10 {
		v := map[string]float64{}
		for _, m := range names {
			v[m] = 0.2 * float64(1+i%2) * math.Exp(0.01*r.NormFloat64())
		}
		sides[i%2].Name = fmt.Sprint("v", i%2)
		sides[i%2].Runs = append(sides[i%2].Runs, made(fmt.Sprint(i), i, v))
	}
	c := Runs(sides[0], []Side{sides[1]}, Options{Gates: gates})
	if c.Verdict != assay.VerdictInconclusive || !strings.Contains(c.Next, "no failure holds before there are 6 runs a side") {
		t.Errorf("%s: %s; next %q", c.Verdict, c.Why, c.Next)
	}
}

// What an availability or an MTBF says of single runs is no gate, of an objective either.
func TestRefused(t *testing.T) {
	for metric, want := range map[string]string{"mtbf/service": "failure_rate/service", "mtbf/gpu": "failure_rate/gpu", "availability/natural": "failure_rate/service", "e2e/p50": "", "availability/during/kill": ""} {
		if got := Refused(metric); got != want {
			t.Errorf("%s: %q, want %q", metric, got, want)
		}
	}
	a, b := sides(6, 1)
	for _, s := range []Side{a, b} {
		for i := range s.Runs {
			s.Runs[i].Manifest.Objectives = []assay.Objective{{Metric: "availability/natural"}}
		}
	}
	if c := Runs(a, []Side{b}, Options{}); c.Verdict != assay.VerdictPass {
		t.Errorf("%s: %s", c.Verdict, c.Why)
	}
}

// Margins of a family hold in a history too, and shares change by points.
func TestTraceMargins(t *testing.T) {
	var runs []Run
	for i := range 24 {
		v, lost, few := 0.2, 0.0, 0.001
		if i >= 12 {
			v, lost, few = 0.26, 0.02, 0.0011
		}
		noise := 1 + 0.001*float64(i*5%7)
		runs = append(runs, made(fmt.Sprint(i), i, map[string]float64{"e2e/p50": v * noise, "error_ratio": lost * noise, "goodput/ratio": few * noise}))
		runs[i].Report.Find("goodput/ratio").Quantity.Unit = assay.Ratio
	}
	changes := func(margins map[string]float64) string {
		h, err := Trace(runs, TraceOptions{Options: Options{Margins: margins}})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range h.Points {
			out = append(out, fmt.Sprintf("%s %s %.3g", p.Metric, p.Scale, float64(p.Change)))
		}
		if _, err := json.Marshal(h); err != nil {
			t.Error(err)
		}
		return strings.Join(out, "; ")
	}
	if got := changes(nil); got != "e2e/p50 ratio 0.3; error_ratio difference 0.0201" && got != "error_ratio difference 0.0201; e2e/p50 ratio 0.3" {
		t.Errorf("got %q", got)
	}
	if got := changes(map[string]float64{"e2e": 0.9, "error_ratio": 0.05}); got != "" {
		t.Errorf("with wider margins: %q", got)
	}
}
