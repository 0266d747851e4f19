package analyzers

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Ages at failure of NIST/SEMATECH e-Handbook 8.2.2.2, in hours: reliability grows, and its MTBF at the end is 310.234 h.
func TestRateThatGrows(t *testing.T) {
	x := failing{subject: "service", n: 10, exposure: 1500 * 3600}
	for _, h := range []float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478} {
		x.ages = append(x.ages, h*3600)
	}
	found := x.findings()
	if got := found[0].Evidence[0]; got != "tests of a constant rate: MIL-HDBK-189 χ² 37.23 on 20, p 0.022, which decides; Laplace -1.33, p 0.18; 33 of 45 reverse arrangements, p 0.073" {
		t.Errorf("evidence %s", got)
	}
	mtbf, rate := found[2].Quantity, found[3].Quantity
	if math.Abs(mtbf.Value/3600-310.234) > 5e-4 || math.Abs(rate.Value*mtbf.Value-3600) > 1e-9 || mtbf.N != 10 || !strings.HasPrefix(mtbf.Method, "Crow-AMSAA power law at the end of the watch") || rate.Lo != 3600/mtbf.Hi {
		t.Errorf("at the end: MTBF %s, rate %s", mtbf, rate)
	}
	if mtbf, rate = found[0].Quantity, found[1].Quantity; mtbf.Value != 150*3600 || mtbf.Method != meanRate || rate.Method != meanRate || rate.Lo != 3600/mtbf.Hi || math.Abs(mtbf.Lo/3600-150*.5438) > 0.02 {
		t.Errorf("mean: MTBF %s, rate %s", mtbf, rate)
	}
	if w := found[0].Warnings[0]; w != "the rate is not constant (improving; MIL-HDBK-189 p = 0.022): MTBF and rate are the mean over the watch; at its end it was 13 days between failures, 0.00322 failures an hour, and an objective is held to the worse of both" {
		t.Errorf("warning %s", w)
	}
	x.ages = x.ages[:3]
	x.n = 3
	found = x.findings()
	if q := found[0].Quantity; q.Value != 500*3600 || len(found) != 2 || found[0].Warnings[0] != "MTBF and rate are the mean over the watch: whether they changed meanwhile shows from 4 failures on" {
		t.Errorf("with three failures %s, %v", q, found[0].Warnings)
	}
}

// Where the rate is not constant an objective is held to the worse of the mean over the watch and what it was at the end, and says which.
func TestObjectiveOnARateThatChanges(t *testing.T) {
	grows := []float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478} // the handbook's, as above: at the end 310 h, 150 h on average
	for _, test := range []struct {
		ages    []float64
		min     float64 // h
		verdict assay.Verdict
		lo      float64 // h, of the figure that it is held to
		why     string
	}{
		{grows, 70, assay.VerdictPass, 81.6, "the rate is not constant, and the objective is held to its mean over the watch, which is worse than that at the end"},
		{grows, 100, assay.VerdictInconclusive, 81.6, "the interval reaches across the goal; the rate is not constant, and the objective is held to its mean over the watch, which is worse than that at the end"},
		{[]float64{700, 1100, 1200, 1300, 1350, 1400, 1430, 1460, 1480, 1495}, 70, assay.VerdictInconclusive, 10.715, "the interval reaches across the goal; the rate is not constant, and the objective is held to that at the end of the watch, which is the worse"},
		{[]float64{150, 300, 450, 600, 750, 900, 1050, 1200, 1350, 1490}, 70, assay.VerdictPass, 81.6, ""},
	} {
		x := failing{subject: "service", n: 10, exposure: 1500 * 3600}
		for _, h := range test.ages {
			x.ages = append(x.ages, h*3600)
		}
		r := &assay.Report{Trust: assay.Trust{Valid: true}, Findings: x.findings()}
		goal := test.min * 3600
		j := judge(r, &assay.Objective{Metric: "mtbf/service", Min: &goal})
		if j.Verdict != test.verdict || math.Abs(j.Quantity.Lo/3600-test.lo) > 0.05 || j.Why != test.why {
			t.Errorf("at least %g h: %s by %s: %q, want %s from %g h and %q", test.min, j.Verdict, j.Quantity, j.Why, test.verdict, test.lo, test.why)
		}
		most := 1 / test.min
		if k := judge(r, &assay.Objective{Metric: "failure_rate/service", Max: &most}); k.Verdict != j.Verdict || k.Why != j.Why || math.Abs(k.Quantity.Hi*j.Quantity.Lo-3600) > 1e-6 {
			t.Errorf("at most %g an hour: %s by %s: %q", most, k.Verdict, k.Quantity, k.Why)
		}
	}
}

// Few failures do not show a trend: the finding says which one they could, and what the power law makes of the end of the watch. With many, a trend would have been seen.
func TestRateOfFewFailures(t *testing.T) {
	for _, tc := range []struct {
		n        int
		warning  string
		evidence string
	}{
		{0, "", ""},
		{4, "no trend was found, and 4 failures show one of a shape below 0.26 or above 5.1 only (four times in five; 1 is a constant rate): MTBF and rate are the mean over the watch, " +
			"and by a weaker one those at its end may be others", ""},
		{5, "no trend was found, and 5 failures show one of a shape below 0.3 or above 4.1 only", "Crow-AMSAA power law at the end of the watch, shape 0.858"},
		{60, "", "Crow-AMSAA power law at the end of the watch, shape 0.9"},
	} {
		x := failing{subject: "service", n: tc.n, exposure: 100 * 3600}
		for i := range tc.n {
			x.ages = append(x.ages, (float64(i)+.5)/float64(tc.n)*x.exposure)
		}
		found := x.findings()
		for _, f := range found[:2] {
			warnings := strings.Join(f.Warnings, "; ")
			if (tc.warning == "") != (warnings == "") || !strings.Contains(warnings, tc.warning) {
				t.Errorf("%d failures, %s: warnings %q, want %q", tc.n, f.Metric, warnings, tc.warning)
			}
		}
		if ends := found[2:]; len(ends) != 2*min(1, len(tc.evidence)) || len(ends) > 0 && (!strings.HasPrefix(ends[0].Quantity.Method, tc.evidence) || ends[1].Metric != "failure_rate/service" || ends[1].Labels["at"] != "end") {
			t.Errorf("%d failures, at the end: %v, want %q", tc.n, ends, tc.evidence)
		}
	}
}

// Failures in a part of the watch only are no power law, and the test that decides misses them: another doubts, and figures are told to be means. Nothing that is down all the time is said not to be watched.
func TestRateThatAnotherTestDoubts(t *testing.T) {
	x := failing{subject: "service", n: 118, exposure: 3300}
	for i := range x.n {
		x.ages = append(x.ages, 950+float64(i)*4.5)
	}
	found := append(x.findings()[:2], x.share("platform", 118, nil))
	for i, f := range found {
		if i < 2 && !slices.ContainsFunc(f.Warnings, func(w string) bool { return strings.HasPrefix(w, "a test doubts that the rate is constant (Laplace -") }) || f.Quantity.Method != meanRate {
			t.Errorf("%s: %s, %v", f.Metric, f.Quantity, f.Warnings)
		}
	}
	down := failing{subject: "service", down: 99}
	if q := down.findings()[0].Quantity; q.Reason != "not estimable, because it was down for all of the 99 s watched: nothing was up that could fail" {
		t.Errorf("%s", q)
	}
}

// Both figures cover what they are of, of a constant rate and of one that grows or falls by a power of time, in few failures and in many: the mean over the watch always, and the rate at its end wherever it is told.
func TestRatesCoverTheTruth(t *testing.T) {
	n := 400
	if full() {
		n = 4000
	}
	for _, beta := range []float64{.5, .7, 1, 1.4, 2} {
		for _, expect := range []float64{5, 15, 40} {
			rng := rand.New(rand.NewPCG(uint64(100*beta), uint64(expect)))
			const end = 1000.0
			var told, hit [2]int
			for range n {
				x := failing{subject: "service", exposure: end}
				for at := rng.ExpFloat64(); at < expect; at += rng.ExpFloat64() {
					x.ages = append(x.ages, end*math.Pow(at/expect, 1/beta)) // E[N(t)] = expect (t/end)^beta
					x.n++
				}
				for i, truth := range []float64{end / expect, end / (expect * beta)} {
					found := x.findings()
					if 2*i >= len(found) {
						continue
					}
					told[i]++
					if q := found[2*i].Quantity; q.Lo <= truth && truth <= q.Hi {
						hit[i]++
					}
				}
			}
			for i, of := range []string{"mean", "at the end"} {
				got := float64(hit[i]) / float64(told[i])
				t.Logf("shape %g, %g failures expected, %s: covered in %.3f of %d", beta, expect, of, got, told[i])
				if least := .95 - 3.72*math.Sqrt(.95*.05/float64(told[i])); got < least {
					t.Errorf("shape %g, %g failures expected, %s: covered in %.3f of %d, want at least %.3f", beta, expect, of, got, told[i], least)
				}
			}
		}
	}
}

// The rate of a cause that is asked for is told where nothing failed by it too, with its bound.
func TestRateOfAskedCause(t *testing.T) {
	f := &assay.Facts{Manifest: &assay.Manifest{Objectives: []assay.Objective{{Metric: "failure_rate/instance", Labels: map[string]string{"cause": "oom"}}, {Metric: "failure_rate/service", Labels: map[string]string{"cause": "hang"}}}}}
	x := &failing{subject: "instance", n: 1, exposure: 36000}
	got := perCause(f, x, []*assay.Episode{{Cause: "crash"}}, func(e *assay.Episode) string { return e.Cause })
	if len(got) != 2 || got[0].Labels["cause"] != "crash" || got[1].Labels["cause"] != "oom" {
		t.Fatalf("got %+v, want the crash and the oom that is asked for", got)
	}
	if q := got[1].Quantity; q.N != 0 || math.Abs(q.Hi-math.Log(20)/10) > 1e-9 {
		t.Errorf("got %+v, want no failure in 10 h: at most ln 20/10 an hour", q)
	}
}

// Whatever fails, the rates by cause sum to the mean rate over the watch, and each failure has one cause.
func TestRatesByCauseSum(t *testing.T) {
	n := 40
	if full() {
		n = 500
	}
	seen := map[string]bool{}
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 21))
		run, _ := factstest.Deployment{Rate: 6, For: 120 * sec, MTBF: 20, MTTR: 4, Tokens: 1}.Simulate(rng)
		outcomes := []assay.Outcome{assay.Unavailable, assay.Timeout, assay.Refused, assay.ServerError, assay.WrongContent}
		for i := range run.R {
			if r := &run.R[i]; r.Outcome.Failed() {
				r.Outcome = outcomes[int(r.Due/(12*sec))%len(outcomes)]
			}
		}
		for i := range 6 {
			at := 10*sec + int64(i)*17*sec
			why := []string{"oom", "crash", "evicted", "liveness probe failed", "lost its network", "odd"}[rng.IntN(6)]
			run.E = append(run.E, happened(at, assay.EventInstanceUnready, "w-1", "simulation", 0, "reason", why), happened(at+sec, assay.EventInstanceReady, "w-1", "simulation", 0))
		}
		slices.SortStableFunc(run.E, func(a, b assay.Event) int { return int(min(1, max(-1, a.Time-b.Time))) })
		r := assess(t, run, "episodes", "mtbf")
		for _, subject := range []string{"service", "instance"} {
			rate := r.Find("failure_rate/" + subject)
			sum, k := 0.0, 0
			for _, f := range r.Findings {
				if c := f.Labels["cause"]; f.Metric == "failure_rate/"+subject && c != "" {
					sum, k = sum+f.Quantity.Value, k+f.Quantity.N
					seen[c] = true
				}
			}
			mean := rate.Quantity.Value
			if k != rate.Quantity.N || k > 0 && math.Abs(sum-mean) > 1e-9*mean {
				t.Errorf("seed %d, %s: causes have %d failures and %g an hour, all have %d and %g", seed, subject, k, sum, rate.Quantity.N, mean)
			}
		}
		good, bad, unknown := r.Find("watch/good").Quantity, r.Find("watch/bad").Quantity, r.Find("watch/unknown").Quantity
		if whole := seconds(r.End - r.Begin); math.Abs(good.Value+bad.Value+unknown.Value-whole) > 1e-6 {
			t.Errorf("seed %d: %g good + %g bad + %g unknown, not %g", seed, good.Value, bad.Value, unknown.Value, whole)
		}
	}
	for _, c := range []string{failedOOM, failedCrash, failedPlatform, failedHang, failedNetwork, failedServer, failedContent, failedUnknown} {
		if !seen[c] {
			t.Errorf("no failure by %s among %v", c, keys(seen))
		}
	}
}

// A watch that faults fill tells of no MTBF.
func TestNoMTBFAmongFaults(t *testing.T) {
	d := factstest.Deployment{Instances: 2, Rate: 8, For: 100 * sec, MTBF: 20, MTTR: 2}
	for i := range int64(9) {
		d.Faults = append(d.Faults, factstest.Fault{Kind: "hang", At: 3*sec + i*11*sec, For: 10 * sec, Detect: sec, Eject: sec, Start: 4 * sec})
	}
	run, _ := d.Simulate(rand.New(rand.NewPCG(2, 2)))
	r := assess(t, run, "episodes", "mtbf")
	for _, m := range []string{"mtbf/service", "failure_rate/service", "mtbf/instance"} {
		if q := r.Find(m).Quantity; q.Known() || !strings.Contains(q.Reason, "of the watch, more than 80 %") {
			t.Errorf("%s: %s", m, q)
		}
	}
}

func TestLifetimes(t *testing.T) {
	f := &assay.Facts{Begin: sec, End: 1001 * sec}
	var failed []*assay.Episode
	for i, age := range []int64{54, 187, 216, 240, 244, 335, 361, 373, 375, 386, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500} { // NIST/SEMATECH e-Handbook 8.4.1.3
		l := assay.Life{Instance: string(rune('a' + i)), Ready: sec, Exited: sec + age*sec, Exit: "crash"}
		if i >= 10 {
			l.Exit, l.Draining = "scale_in", l.Exited
		} else {
			failed = append(failed, &assay.Episode{Instance: l.Instance, Begin: l.Exited})
		}
		f.Lives = append(f.Lives, l)
	}
	found := lifetimes(f, failed)
	if q := found[1].Quantity; math.Abs(q.Value-1.7208) > 5e-5 || !(q.Lo > 0.8 && q.Hi < 4) || found[1].Evidence[1] != "scale 10 min, mean 541 s" {
		t.Errorf("shape %s, %v", q, found[1].Evidence)
	}
	if q := found[0].Quantity; q.Value != 386 || q.N != 10 || found[0].Evidence[0] != "20 lives of instances, 10 ended by a failure of their own and 10 not seen to fail" {
		t.Errorf("median %s, %v", q, found[0].Evidence)
	}
	if q := lifetimes(f, failed[:2])[0].Quantity; q.Reason != "not estimable, because 2 lives ended by a failure of their own; want 3" {
		t.Errorf("two failures: %s", q)
	}
	if found := lifetimes(f, nil); found != nil {
		t.Errorf("without a failure %v", found)
	}
}
