package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// onePlan is what all runs of a test have asked for, unless it says otherwise.
const onePlan = `{"load":[{"name":"steady","for":"30s"}],"target":{"url":"http://a","release":"v1"}}`

// made is a run whose metrics are given; the n-th of its side, begun at a minute of some day.
func made(id string, minute int, values map[string]float64) Run {
	r := &assay.Report{Begin: 1e9, End: 31e9, Trust: assay.Trust{Valid: true}}
	for metric, v := range values {
		unit := assay.Seconds
		if metric == "error_ratio" {
			unit = assay.Ratio
		}
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Quantity: assay.Quantity{Value: v, Lo: v * 0.9, Hi: v * 1.1, Confidence: 0.95, Unit: unit, N: 400, Of: "requests", Method: "of a test"}})
	}
	return Run{Dir: id, Report: r, Manifest: &assay.Manifest{ID: id, Name: "t", Version: "1", Plan: json.RawMessage(onePlan), Epoch: 1_790_000_000e9 + int64(minute)*60e9,
		Host: assay.Host{OS: "linux", Arch: "amd64", CPUs: 2}, End: assay.Ending{Status: assay.EndComplete}}}
}

// sides makes n runs of each side in turns, the candidate's times longer by a factor, with a spread of 1 % between runs.
func sides(n int, slower float64) (base, other Side) {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	base.Name, other.Name = "v1", "v2"
	for i := range n {
		v := 0.2 * math.Exp(0.01*r.NormFloat64())
		base.Runs = append(base.Runs, made(fmt.Sprintf("a%d", i), 2*i, map[string]float64{"e2e/p50": v, "e2e/p95": v * 2 * math.Exp(0.01*r.NormFloat64()), "error_ratio": 0}))
		v = 0.2 * slower * math.Exp(0.01*r.NormFloat64())
		other.Runs = append(other.Runs, made(fmt.Sprintf("b%d", i), 2*i+1, map[string]float64{"e2e/p50": v, "e2e/p95": v * 2 * math.Exp(0.01*r.NormFloat64()), "error_ratio": 0}))
	}
	return base, other
}

func find(t *testing.T, c *assay.Comparison, metric string) *assay.Change {
	t.Helper()
	for i := range c.Changes {
		if c.Changes[i].Metric == metric {
			return &c.Changes[i]
		}
	}
	t.Fatalf("no %s among %d changes", metric, len(c.Changes))
	return nil
}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name    string
		n       int
		slower  float64
		verdict assay.Verdict
		exit    int
	}{
		{"alike", 10, 1, assay.VerdictPass, assay.ExitGo},
		{"10 % slower", 10, 1.1, assay.VerdictFail, assay.ExitNoGo},
		{"10 % faster", 10, 0.9, assay.VerdictPass, assay.ExitGo},
		{"as slow as the margin", 10, 1.05, assay.VerdictInconclusive, assay.ExitInconclusive},
		{"one run a side, twice as slow", 1, 2, assay.VerdictInconclusive, assay.ExitInconclusive},
	} {
		a, b := sides(test.n, test.slower)
		c := Runs(a, []Side{b}, Options{})
		if c.Verdict != test.verdict || c.Exit != test.exit {
			t.Errorf("%s: %s, exit %d: %s; want %s, exit %d", test.name, c.Verdict, c.Exit, c.Why, test.verdict, test.exit)
		}
		ch := find(t, c, "e2e/p50")
		if test.n > 1 {
			if got := ch.Change; !(got.Lo <= test.slower-1 && test.slower-1 <= got.Hi) || got.N != 2*test.n || math.Abs(got.Value-(test.slower-1)) > 0.02 {
				t.Errorf("%s: change %s, want one of %g", test.name, got, test.slower-1)
			}
			if c.Candidates[0].Turns != assay.TurnsTaken || len(c.Doubts) > 0 {
				t.Errorf("%s: %s, doubts %q", test.name, c.Candidates[0].Turns, c.Doubts)
			}
		} else if ch.Change.Known() || ch.More < 3 || !strings.Contains(c.Next, "more runs a side") {
			t.Errorf("%s: change %s, %d more, next %q", test.name, ch.Change, ch.More, c.Next)
		}
	}
}

// A failure must hold among all that may fail: with five runs a side the least chance there is, 1/252, is not enough among forty.
func TestHolm(t *testing.T) {
	a, b := sides(5, 1.3)
	alone := Runs(a, []Side{b}, Options{Gates: []assay.Objective{{Metric: "e2e/p50"}}})
	if alone.Verdict != assay.VerdictFail {
		t.Errorf("alone: %s, %s", alone.Verdict, alone.Why)
	}
	var many []Side
	for i := range 20 {
		_, s := sides(5, 1.3)
		s.Name = fmt.Sprintf("v%d", i+2)
		many = append(many, s)
	}
	c := Runs(a, many, Options{})
	ch := find(t, c, "e2e/p50")
	if c.Verdict != assay.VerdictInconclusive || !strings.Contains(ch.Why, "by Holm") || ch.More < 1 {
		t.Errorf("among many: %s; %s, %d more", c.Verdict, ch.Why, ch.More)
	}
}

func TestWhatSpeaksAgainst(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(a, b *Side)
		opts    Options
		invalid bool
		want    string // among problems or doubts
	}{
		{"apart", func(a, b *Side) {
			for i := range b.Runs {
				b.Runs[i].Manifest.Epoch += 3600e9
			}
		}, Options{}, false, "AAAAAABBBBBB"},
		{"at once", func(a, b *Side) {
			for i := range b.Runs {
				b.Runs[i].Manifest.Epoch = a.Runs[i].Manifest.Epoch + 1e9
			}
		}, Options{}, false, "at the same time"},
		{"no time", func(a, b *Side) { b.Runs[0].Manifest.Epoch = 0 }, Options{}, false, "do not tell when"},
		{"another plan", func(a, b *Side) { b.Runs[1].Manifest.Plan = json.RawMessage(`{"load":[{"name":"other"}]}`) }, Options{}, true, "differ in load"},
		{"another plan, allowed", func(a, b *Side) { b.Runs[1].Manifest.Plan = json.RawMessage(`{"load":[{"name":"other"}]}`) }, Options{OtherPlans: true}, false, "differ in load"},
		{"another release and URL", func(a, b *Side) {
			for i := range b.Runs {
				b.Runs[i].Manifest.Plan = json.RawMessage(`{"target":{"url":"http://b","release":"v2"}, "load":[{"name":"steady","for":"30s"}]}`)
			}
		}, Options{}, false, ""},
		{"without a plan", func(a, b *Side) { b.Runs[1].Manifest.Plan = nil }, Options{}, false, "without a plan"},
		{"another machine", func(a, b *Side) { b.Runs[1].Manifest.Host.CPUs = 64 }, Options{}, false, "different machines"},
		{"another assay", func(a, b *Side) { b.Runs[1].Manifest.Version = "2" }, Options{}, false, "different versions of assay: 1; 2"},
		{"one invalid run", func(a, b *Side) {
			b.Runs[1].Report.Trust = assay.Trust{Problems: []string{"the generator was late"}}
		}, Options{}, false, "1 of 6 runs of v2 are left out; of b1: it could not measure: the generator was late"},
		{"none left", func(a, b *Side) {
			for i := range b.Runs {
				b.Runs[i].Manifest.End = assay.Ending{Status: assay.EndAborted, Reason: "error_ratio"}
			}
		}, Options{}, true, "no run of v2 counts; of b0: it ended early: aborted, error_ratio"},
		{"the same release", func(a, b *Side) {
			for _, s := range []*Side{a, b} {
				for i := range s.Runs {
					s.Runs[i].Manifest.Target.Release = "v7"
				}
			}
		}, Options{}, false, "both of release v7"},
	} {
		a, b := sides(6, 1)
		test.change(&a, &b)
		c := Runs(a, []Side{b}, test.opts)
		if invalid := c.Verdict == assay.VerdictInvalid; invalid != test.invalid || invalid && c.Exit != assay.ExitInvalid {
			t.Errorf("%s: %s, exit %d, %s", test.name, c.Verdict, c.Exit, c.Why)
		}
		said := strings.Join(c.Doubts, "\n")
		if test.invalid {
			said = strings.Join(c.Problems, "\n")
		}
		if !strings.Contains(said, test.want) || test.want == "" && said != "" {
			t.Errorf("%s: said %q, want %q", test.name, said, test.want)
		}
	}
}

// A base that differs from itself by turns decides nothing.
func TestBaseAgainstItself(t *testing.T) {
	a, b := sides(12, 1.5)
	for i := range a.Runs {
		if i%2 == 1 {
			a.Runs[i].Report.Findings = made("", 0, map[string]float64{"e2e/p50": 0.3 + 0.001*float64(i)}).Report.Findings
		}
	}
	ch := find(t, Runs(a, []Side{b}, Options{Gates: []assay.Objective{{Metric: "e2e/p50"}}}), "e2e/p50")
	if ch.Verdict == assay.VerdictFail || ch.Self.Lo < 0.3 {
		t.Errorf("%s, base against itself %s: %s", ch.Verdict, ch.Self, ch.Why)
	}
}

func TestOrderOf(t *testing.T) {
	for order, want := range map[string]assay.Turns{"ABAB": assay.TurnsTaken, "ABBA": assay.TurnsTaken, "BAABBAAB": assay.TurnsTaken, "AABB": assay.TurnsNone, "AAAB": assay.TurnsNone,
		"AABBAABB": assay.TurnsPartly, "ABABBBB": assay.TurnsPartly, "ABABA": assay.TurnsTaken} {
		if got := orderOf(order); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
}

func rateOf(failures int, hours float64) assay.Quantity {
	q := assay.Quantity{Value: float64(failures) / hours, Confidence: 0.95, Unit: assay.PerHour, N: failures, Of: "failures", Hi: 99}
	if failures == 0 {
		q.Value, q.Hi = math.NaN(), -math.Log(0.05)/hours
	}
	return q
}

// failing makes runs of which each has a rate of failures.
func failing(qs ...assay.Quantity) []Run {
	out := make([]Run, len(qs))
	for i, q := range qs {
		out[i] = made(fmt.Sprint(i), i, nil)
		out[i].Report.Findings = []assay.Finding{{Metric: "failure_rate/service", Quantity: q}}
	}
	return out
}

// Failures are summed over the runs with their exposure, of runs without one too.
func TestRates(t *testing.T) {
	k := kind{metric: "failure_rate/service"}
	ta, _ := tallyOf(k, failing(rateOf(0, 2), rateOf(3, 1), assay.NotMeasured(assay.PerHour, "nothing told")))
	if ta.events != 3 || math.Abs(ta.hours-3) > 1e-9 || len(ta.runs) != 2 {
		t.Errorf("got %+v, want 3 events in 3 h of 2 runs", ta)
	}
	five := func(q assay.Quantity) []Run { return failing(q, q, q, q, q) }
	for _, test := range []struct {
		name       string
		base, cand []Run
		want       assay.Verdict
	}{
		{"none", five(rateOf(0, 2)), five(rateOf(0, 2)), assay.VerdictInconclusive},
		{"few", five(rateOf(1, 2)), five(rateOf(2, 2)), assay.VerdictInconclusive},
		{"many alike", five(rateOf(20, 10)), five(rateOf(20, 10)), assay.VerdictPass},
		{"ten times as many", five(rateOf(2, 10)), five(rateOf(20, 10)), assay.VerdictFail},
		{"as many in a tenth of the time", five(rateOf(10, 10)), five(rateOf(10, 1)), assay.VerdictFail},
		{"in one run a side", failing(rateOf(10, 10)), failing(rateOf(100, 10)), assay.VerdictInconclusive},
		{"as many in few runs", failing(rateOf(1, 10), rateOf(0, 10), rateOf(1, 10), rateOf(0, 10), rateOf(0, 10)), failing(rateOf(0, 10), rateOf(30, 10), rateOf(0, 10), rateOf(30, 10), rateOf(0, 10)), assay.VerdictInconclusive},
	} {
		c := assay.Change{Metric: k.metric, Margin: RateMargin}
		a, _ := tallyOf(k, test.base)
		b, _ := tallyOf(k, test.cand)
		for i := range a.runs { // in turns
			a.runs[i].at = int64(2*i + 1)
		}
		for i := range b.runs {
			b.runs[i].at = int64(2*i + 2)
		}
		rates(&c, a, b, Confidence)
		if c.Verdict != test.want {
			t.Errorf("%s: %s, change %s: %s", test.name, c.Verdict, c.Change, c.Why)
		}
	}
}

// Without a failure on either side the requests bound the difference.
func TestFaultless(t *testing.T) {
	a, b := sides(6, 1)
	ch := find(t, Runs(a, []Side{b}, Options{}), "error_ratio")
	if want := 1 - math.Pow(0.05, 1.0/2400); math.Abs(ch.Change.Hi-want) > 1e-9 || ch.Verdict != assay.VerdictPass || ch.Change.N != 4800 {
		t.Errorf("%s %s, want up to %g", ch.Verdict, ch.Change, want)
	}
	for i := range 6 { // a sixth of the requests
		a.Runs[i].Report.Find("error_ratio").Quantity.N, b.Runs[i].Report.Find("error_ratio").Quantity.N = 60, 60
	}
	if ch := find(t, Runs(a, []Side{b}, Options{}), "error_ratio"); ch.Verdict != assay.VerdictInconclusive || ch.Enough != "about 598 requests a side without a failure" {
		t.Errorf("%s: %s", ch.Verdict, ch.Enough)
	}
	// One run a side decides nothing, however many its requests.
	a, b = sides(1, 1)
	for _, s := range []Side{a, b} {
		s.Runs[0].Report.Find("error_ratio").Quantity.N = 1e6
	}
	c := Runs(a, []Side{b}, Options{Gates: []assay.Objective{{Metric: "error_ratio"}}})
	if ch := find(t, c, "error_ratio"); c.Verdict != assay.VerdictInconclusive || ch.More != 4 || !strings.Contains(c.Next, "about 4 more runs a side") {
		t.Errorf("%s, %d more, next %q", c.Verdict, ch.More, c.Next)
	}
}

// What must pass is what was asked for, else what the plan asks of the runs, else the table's own.
func TestWhatMustPass(t *testing.T) {
	gates := func(c *assay.Comparison) []string {
		var out []string
		for _, ch := range c.Changes {
			if ch.Role == assay.ChangeGate {
				out = append(out, ch.Title)
			}
		}
		return out
	}
	a, b := sides(6, 1)
	if diff := cmp.Diff([]string{"end to end p50", "end to end p95"}, gates(Runs(a, []Side{b}, Options{}))); diff != "" {
		t.Error(diff)
	}
	for i := range a.Runs {
		a.Runs[i].Manifest.Objectives = []assay.Objective{{Metric: "e2e/p95"}}
	}
	if diff := cmp.Diff([]string{"end to end p95"}, gates(Runs(a, []Side{b}, Options{}))); diff != "" {
		t.Error(diff)
	}
	c := Runs(a, []Side{b}, Options{Gates: []assay.Objective{{Metric: "ttft/p50"}}})
	if diff := cmp.Diff([]string{"TTFT p50"}, gates(c)); diff != "" || c.Verdict != assay.VerdictInconclusive {
		t.Error(diff, c.Verdict, c.Why)
	}
	// Margins are of the metric, of its family, or of all that are compared by ratio.
	c = Runs(a, []Side{b}, Options{Margins: map[string]float64{"": 0.2, "e2e/p50": 0.01, "error_ratio": 0.1}})
	got := []float64{find(t, c, "e2e/p50").Margin, find(t, c, "e2e/p95").Margin, find(t, c, "error_ratio").Margin}
	if diff := cmp.Diff([]float64{0.01, 0.2, 0.1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecoveryIsCompared(t *testing.T) {
	a, b := sides(6, 1)
	for i, s := range []Side{a, b} {
		for j := range s.Runs {
			for k := range 2 {
				q := assay.Quantity{Value: float64(2+4*i) + 0.1*float64(j*5%7+k), Confidence: 1, Unit: assay.Seconds, N: 1}
				s.Runs[j].Report.Faults = append(s.Runs[j].Report.Faults, assay.FaultResult{Window: assay.FaultWindow{Kind: "kill"}, User: q, Capacity: assay.NotMeasured(assay.Seconds, "nobody told")})
			}
		}
	}
	c := Runs(a, []Side{b}, Options{})
	ch := find(t, c, "recovery/user")
	if ch.Labels["fault"] != "kill" || ch.Verdict != assay.VerdictFail || math.Abs(ch.Base.Value-2.35) > 0.2 || ch.Role != assay.ChangeWatch {
		t.Errorf("%+v", ch)
	}
	if c.Verdict != assay.VerdictFail {
		t.Errorf("%s: %s", c.Verdict, c.Why)
	}
	if ch.Scale != assay.ScaleDifference || ch.Margin != RecoveryFloor || math.Abs(ch.Change.Value-4) > 0.2 || ch.Change.Unit != assay.Seconds {
		t.Errorf("by difference, half a second at least: %s %g, %s", ch.Scale, ch.Margin, ch.Change)
	}
}

func TestTrace(t *testing.T) {
	var runs []Run
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 24 {
		v, release := 0.2, "v1"
		if i >= 12 {
			v, release = 0.25, "v2"
		}
		run := made(fmt.Sprint("r", i), i, map[string]float64{"e2e/p50": v * math.Exp(0.01*r.NormFloat64())})
		run.Manifest.Target.Release = release
		runs = append(runs, run)
	}
	other := made("other", 3, map[string]float64{"e2e/p50": 9})
	other.Manifest.Plan = json.RawMessage(`{"load":[{"name":"other"}]}`)
	h, err := Trace(append([]Run{other}, runs...), TraceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Points) != 1 {
		t.Fatalf("points: %+v", h.Points)
	}
	p := h.Points[0]
	if p.Index != 12 || p.Run.Dir != "r12" || p.From != "v1" || p.To != "v2" || !p.Worse || math.Abs(float64(p.Change)-0.25) > 0.02 || p.P > 0.001 || p.Before.N != 12 || p.After.N != 12 {
		t.Errorf("%+v", p)
	}
	if len(h.Doubts) != 2 || !strings.Contains(h.Doubts[1], "intervals are too narrow") || !strings.Contains(h.Doubts[0], "1 run is left out, 1 for another plan") {
		t.Errorf("doubts %q", h.Doubts)
	}
	if _, err := Trace(runs[:3], TraceOptions{}); err == nil || !strings.Contains(err.Error(), "at least 4 runs") {
		t.Errorf("three runs: %v", err)
	}
	runs[3].Manifest.Plan = nil
	if h, err := Trace(runs, TraceOptions{}); err != nil || !slices.Contains(h.Doubts, noPlan) {
		t.Errorf("an import among them: doubts %q, %v", h.Doubts, err)
	}
	if h, err := Trace(runs, TraceOptions{Options: Options{Confidence: 0.8}}); err != nil || h.Sure != 0.8 || h.Points[0].Before.Confidence != 0.8 {
		t.Errorf("at 80 %%: %+v, %v", h, err)
	}
	if h, err = Trace(runs[:12], TraceOptions{}); err != nil || len(h.Points) != 0 {
		t.Errorf("one level: %+v, %v", h.Points, err)
	}
}
