package analyzers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

func TestLatencyCoversTheTruth(t *testing.T) {
	n := 200
	if full() {
		n = 1000
	}
	hits, told := map[string]int{}, map[string]int{}
	for seed := range uint64(n) {
		d := factstest.Deployment{Rate: 8, For: 60 * sec, Sigma: .5, Rho: .6, Tokens: 4}
		run, truth := d.Simulate(rand.New(rand.NewPCG(seed, 5)))
		r := assess(t, run, "latency")
		for name, p := range map[string]float64{"p50": .5, "p90": .9, "p95": .95, "p99": .99} {
			q := r.Find("ttft/" + name).Quantity
			if !q.Known() {
				continue
			}
			told[name]++
			if want := truth.P(p); q.Lo <= want && want <= q.Hi {
				hits[name]++
			}
		}
	}
	for _, name := range []string{"p50", "p90", "p95", "p99"} {
		got := float64(hits[name]) / float64(told[name])
		t.Logf("TTFT %s, autocorrelation .6: covered in %.3f of %d", name, got, told[name])
		if told[name] < n/3 {
			t.Errorf("%s was told in %d of %d runs", name, told[name], n)
		}
		if least := .94 - 3.72*math.Sqrt(.94*.06/float64(told[name])); got < least {
			t.Errorf("%s: coverage %.3f, want at least %.3f", name, got, least)
		}
	}
}

func TestLatencySelections(t *testing.T) {
	run := quiet()
	for i := range run.R {
		switch {
		case i < 30:
			run.R[i].Cold = assay.ColdYes
			run.R[i].FirstToken += 3 * sec
		case i < 50: // where it was served is not told either, or the life of the instance would tell
			run.R[i].Cold, run.R[i].Instance = assay.ColdUnknown, ""
		case i < 53:
			run.R[i].Outcome = assay.ServerError
		}
	}
	run.M.Objectives = []assay.Objective{{Metric: "ttft/p42.5", Labels: map[string]string{"phase": "steady", "cold": "all"}, Max: float(9)}}
	r := assess(t, run)
	n := len(run.R)
	warm, all, cold := r.Find("ttft/p50").Quantity, r.Find("ttft/p50", "cold", "all").Quantity, r.Find("ttft/p50", "cold", "cold").Quantity
	if warm.N != n-53 || all.N != n-3 || cold.N != 30 {
		t.Errorf("n: warm %d, all %d, cold %d of %d", warm.N, all.N, cold.N, n)
	}
	if warm.Value > .2 || cold.Value < 3 || cold.Basis != assay.Measured || warm.Basis != assay.Estimated {
		t.Errorf("warm %s, cold %s", warm, cold)
	}
	want := []string{fmt.Sprintf("3 of %d requests failed and have no latency", n-50), "20 requests of unknown cold state are left out"}
	if diff := cmp.Diff(want, r.Find("ttft/p50").Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if q := r.Find("ttft/p42.5", "phase", "steady", "cold", "all"); q == nil || !q.Quantity.Known() || r.Objectives[0].Verdict != assay.VerdictPass {
		t.Errorf("quantile that the objective asks for: %+v, %+v", q, r.Objectives[0])
	}
	// An output of eight chunks 10 ms apart.
	if q := r.Find("tpot/p50").Quantity; math.Abs(q.Value-.01) > 1e-9 {
		t.Errorf("TPOT %s", q)
	}
	if q := r.Find("itl/max").Quantity; math.Abs(q.Value-.01) > 1e-9 || q.N != 7*(n-53) {
		t.Errorf("ITL %s", q)
	}
	if q := r.Find("ttft/p99").Quantity; !q.Known() {
		t.Errorf("p99 of %d: %s", n, q)
	}

	for i := range run.R {
		run.R[i].Cold, run.R[i].Instance = assay.ColdUnknown, ""
	}
	run.M.Objectives = nil
	r = assess(t, run)
	f := r.Find("ttft/p50")
	if f.Quantity.N != n-3 || len(f.Warnings) != 2 || !strings.Contains(f.Warnings[1], "nothing told cold from warm") {
		t.Errorf("unknown cold states: n %d, %v", f.Quantity.N, f.Warnings)
	}
}

func TestTooFewForAQuantile(t *testing.T) {
	run := quiet()
	run.R = run.R[:58]
	r := assess(t, run)
	if q := r.Find("ttft/p95").Quantity; q.Known() || q.Reason != "not estimable, because p95 needs at least 59 values and there are 58" {
		t.Errorf("got %s", q)
	}
	if q := r.Find("ttft/p90").Quantity; !q.Known() {
		t.Errorf("p90 of 58: %s", q)
	}
	// The same number, all slow ones in one burst, is worth less.
	run = quiet()
	run.R = run.R[:240]
	for i := 100; i < 118; i++ {
		run.R[i].FirstToken = run.R[i].Due + sec
	}
	r = assess(t, run)
	if q := r.Find("ttft/p95").Quantity; q.Known() || !strings.Contains(q.Reason, "so bunched") {
		t.Errorf("bunched: %s", q)
	}
}

func TestColumnSpills(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	exact, coarse := &column{limit: 1 << 20}, &column{limit: 1000}
	for i := range 200_000 {
		v := int64(math.Exp(rng.NormFloat64()*.7) * 1e8)
		c := uint16(i % 3)
		exact.add(c, v)
		coarse.add(c, v)
	}
	want := func(c uint16) bool { return c != 1 }
	a, b := exact.pick(want), coarse.pick(want)
	if a.n != b.n || a.coarse() || !b.coarse() {
		t.Fatalf("n %d and %d", a.n, b.n)
	}
	for _, p := range []float64{.5, .95, .99, .999} {
		if x, y := a.quantile(p), b.quantile(p); math.Abs(x-y) > .006*x {
			t.Errorf("p%g: %g exactly, %g coarsely", p*100, x, y)
		}
		ea, _ := a.effective(p)
		eb, blocks := b.effective(p)
		if blocks < 20 || blocks > 80 || eb < ea/4 {
			t.Errorf("p%g: worth %g exactly, %g by %d blocks", p*100, ea, eb, blocks)
		}
		if in, ok := b.interval(p, eb); !ok || in.Lo > b.quantile(p) || in.Hi < b.quantile(p) {
			t.Errorf("p%g: interval %+v of %g", p*100, in, b.quantile(p))
		}
	}
	m1, _ := a.mean()
	m2, in := b.mean()
	if math.Abs(m1-m2) > 1e-9*m1 || in.Lo > m1 || in.Hi < m1 {
		t.Errorf("mean %g and %g [%g, %g]", m1, m2, in.Lo, in.Hi)
	}
	if a.max() != b.max() {
		t.Errorf("max %g and %g", a.max(), b.max())
	}
}

// TestLatencyByClass: the classes of a mix are told apart, an objective on one reads that one, and a single class is no mix.
func TestLatencyByClass(t *testing.T) {
	run, _ := factstest.Deployment{Rate: 50, For: 60 * sec, TTFT: .1, Sigma: .2}.Simulate(rand.New(rand.NewPCG(1, 1)))
	for i := range run.R {
		r := &run.R[i]
		if r.Class = "gold"; i%4 == 0 {
			r.Class = "free"
			r.FirstToken += sec
			for j := range r.Arrivals {
				r.Arrivals[j] += sec
			}
			r.End += sec
		}
	}
	run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Labels: map[string]string{"class": "gold"}, Max: float(.5)}, {Metric: "ttft/p90", Labels: map[string]string{"class": "free", "phase": "steady"}, Max: float(.5)}}
	r := assess(t, run)
	gold, free, all := r.Find("ttft/p50", "class", "gold").Quantity, r.Find("ttft/p50", "class", "free").Quantity, r.Find("ttft/p50").Quantity
	if !(gold.Value < .2 && free.Value > 1) || gold.N+free.N != all.N || free.N*4 > all.N+4 || free.N*4 < all.N-4 {
		t.Errorf("gold %s, free %s, all %s", gold, free, all)
	}
	if v := []assay.Verdict{r.Objectives[0].Verdict, r.Objectives[1].Verdict}; v[0] != assay.VerdictPass || v[1] != assay.VerdictFail || r.Objectives[0].Title != "TTFT p95, gold, warm" {
		t.Errorf("verdicts %v, %s", v, r.Objectives[0].Title)
	}
	for i := range run.R {
		run.R[i].Class = "gold"
	}
	run.M.Objectives = nil
	if f := assess(t, run).Find("ttft/p50", "class", "gold"); f != nil {
		t.Errorf("a single class is told apart: %+v", f)
	}
	for i := range run.R {
		run.R[i].Class = fmt.Sprint(i)
	}
	if n := len(assess(t, run).Findings); n > 4*6*(maxClasses+8)+200 {
		t.Errorf("%d findings for thousands of classes", n)
	}
}
