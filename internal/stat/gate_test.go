package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// inTurn makes trials of base and candidate in turn.
func inTurn(base, candidate []float64) []Trial {
	var out []Trial
	for i := range max(len(base), len(candidate)) {
		if i < len(base) {
			out = append(out, Trial{base[i], false})
		}
		if i < len(candidate) {
			out = append(out, Trial{candidate[i], true})
		}
	}
	return out
}

// oneByOne makes trials of all of the base, then all of the candidate.
func oneByOne(base, candidate []float64) []Trial {
	var out []Trial
	for _, v := range base {
		out = append(out, Trial{v, false})
	}
	for _, v := range candidate {
		out = append(out, Trial{v, true})
	}
	return out
}

func scaled(v []float64, by float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = v[i] * by
	}
	return out
}

var calm = []float64{100.2, 99.8, 100.1, 100.4, 99.7, 99.9, 100.3, 100, 99.6, 100.5}
var calm2 = []float64{100, 100.3, 99.7, 99.95, 100.15, 100.35, 99.65, 99.85, 100.45, 100.05}
var wild = []float64{101, 120, 93, 85, 111, 78, 104, 97, 130, 88}

func TestGate(t *testing.T) {
	higher := Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05}
	lower := Gate{Relative: true, Margin: .02, Alpha: .05}
	difference := Gate{HigherBetter: true, Margin: 2, Alpha: .05}
	rising := make([]float64, 10)
	for i := range rising {
		rising[i] = 100 + 3*float64(i) + 10*calm[i]/100
	}
	type want struct {
		verdict string
		pairs   int
		more    int
		doubts  int
	}
	for _, tc := range []struct {
		name   string
		g      Gate
		trials []Trial
		want   want
	}{
		{"the same", higher, inTurn(calm, calm2), want{GatePass, 0, 0, 0}},
		{"a loss", higher, inTurn(calm, scaled(calm2, .95)), want{GateFail, 0, 0, 0}},
		{"a gain", higher, inTurn(calm, scaled(calm2, 1.05)), want{GatePass, 0, 0, 0}},
		{"longer is worse", lower, inTurn(calm, scaled(calm2, 1.05)), want{GateFail, 0, 0, 0}},
		{"shorter is better", lower, inTurn(calm, scaled(calm2, .95)), want{GatePass, 0, 0, 0}},
		{"differences", difference, inTurn(calm, scaled(calm2, .95)), want{GateFail, 0, 0, 0}},
		{"within the margin of differences", difference, inTurn(calm, scaled(calm2, .99)), want{GatePass, 0, 0, 0}},
		{"noise hides a loss", higher, inTurn(wild, scaled(wild[3:], .95)), want{GateInconclusive, 0, 315, 0}},
		{"a loss beyond noise", higher, inTurn(wild, scaled(wild, .5)), want{GateFail, 0, 0, 0}},
		{"a gain beyond noise", higher, inTurn(wild, scaled(wild, 2)), want{GatePass, 0, 0, 0}},
		{"too few to fail", higher, inTurn(calm[:4], scaled(calm2[:4], .9)), want{GateInconclusive, 0, 1, 0}},
		{"too few for an interval", higher, inTurn(calm[:2], calm2[:2]), want{GateInconclusive, 0, 3, 0}},
		{"drift, in turn", higher, inTurn(rising, scaled(rising, .95)), want{GateFail, 10, 0, 1}},
		{"drift, in turn, the same", higher, inTurn(rising, rising), want{GatePass, 10, 0, 1}},
		{"drift, one by one", higher, oneByOne(rising, scaled(rising, .5)), want{GateInconclusive, 0, -1, 0}},
		{"one by one", higher, oneByOne(calm, scaled(calm2, .95)), want{GateFail, 0, 0, 1}},
		{"one by one, too few", higher, oneByOne(calm[:7], scaled(calm2[:7], .95)), want{GateInconclusive, 0, 1, 1}},
		{"in turn, enough", higher, inTurn(calm[:7], scaled(calm2[:7], .95)), want{GateFail, 0, 0, 0}},
		{"unordered", Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05, Unordered: true}, oneByOne(rising, scaled(rising, .5)), want{GateFail, 0, 0, 1}},
		{"all equal", higher, inTurn([]float64{5, 5, 5, 5, 5}, []float64{5, 5, 5, 5, 5}), want{GatePass, 0, 0, 0}},
		{"all equal but for the sides", higher, inTurn([]float64{5, 5, 5, 5, 5}, []float64{4, 4, 4, 4, 4}), want{GateFail, 0, 0, 0}},
		{"no base", higher, inTurn(nil, calm), want{GateInconclusive, 0, -1, 0}},
		{"a zero", higher, inTurn(calm, []float64{0, 1, 2}), want{GateInconclusive, 0, -1, 0}},
		{"not finite", difference, inTurn(calm, []float64{math.Inf(1), 1, 2}), want{GateInconclusive, 0, -1, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.g.Decide(tc.trials)
			got := want{r.Verdict, r.Pairs, r.More, len(r.Doubts)}
			if got != tc.want {
				t.Errorf("got %+v want %+v: %+v", got, tc.want, r)
			}
			if (r.Verdict == GateInconclusive) != (r.Reason != "") {
				t.Errorf("%s because of %q", r.Verdict, r.Reason)
			}
		})
	}
}

// The interval is that of the definition: exact, and for ratios the same as for differences of logarithms.
func TestGateResult(t *testing.T) {
	got := Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05}.Decide(inTurn(calm, scaled(calm2, .95)))
	want := GateResult{N: 10, M: 10, Base: 100.05, Candidate: .95 * 100.025, Change: .95, In: Interval{.94763, .95238, .9011}, Verdict: GateFail, PFail: 6.7657e-5, PPass: 1, PBeyond: 5.4125e-6,
		Detectable: .023686, Interleaved: true, Serial: got.Serial, Method: "Hodges-Lehmann, ranks with normal scores, exact"}
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(2e-4, 0)); d != "" {
		t.Error(d)
	}
	if got.Serial < gateSerial {
		t.Errorf("serial %g", got.Serial)
	}
}

func TestGateCheck(t *testing.T) {
	for _, tc := range []struct {
		g    Gate
		want string
	}{
		{Gate{Margin: .02, Relative: true, Alpha: .05}, ""},
		{Gate{Margin: 20, Alpha: .05}, ""},
		{Gate{Margin: -1, Alpha: .05}, "margin -1: want 0 or more"},
		{Gate{Margin: 1, Relative: true, Alpha: .05}, "margin 1 of the base: want less than 1"},
		{Gate{Margin: math.NaN(), Alpha: .05}, "margin NaN: want 0 or more"},
		{Gate{}, "alpha 0: want more than 0 and less than 0.5"},
	} {
		got := ""
		if err := tc.g.Check(); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%+v: got %q want %q", tc.g, got, tc.want)
		}
	}
	if got := (Gate{Alpha: .05}).Least(); got != 5 { // 1 of 252 ways
		t.Errorf("least %d", got)
	}
}

func TestInterleaved(t *testing.T) {
	for order, want := range map[string]bool{"bcbcbcbc": true, "bccbbccb": true, "bc": true, "bbcc": false, "bbbccc": false, "bbbbccccbbbbcccc": true, "bbbbbccccc": false, "bcbcbcbcbbbbbbbbbbbb": false,
		"bbcbbcbbc": true, "bbbbbbbbcccccccc": false} {
		var trials []Trial
		for _, c := range order {
			trials = append(trials, Trial{1, c == 'c'})
		}
		if got := interleaved(trials); got != want {
			t.Errorf("%s: %v", order, got)
		}
	}
}

// Whatever the shape of the noise, rounded or not, the interval must cover, and a base must not fail against itself.
func TestGateCoverage(t *testing.T) {
	n := repeats(400, 5000)
	for _, shape := range []struct {
		name string
		draw func(*rand.Rand) float64
	}{
		{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
		{"skewed", func(r *rand.Rand) float64 { return r.ExpFloat64() }},
		{"bimodal", func(r *rand.Rand) float64 { return 4*math.Round(r.Float64()) + r.NormFloat64()/4 }},
		{"heavy", func(r *rand.Rand) float64 { return r.NormFloat64() / math.Abs(r.NormFloat64()) }},
		{"rounded", func(r *rand.Rand) float64 { return math.Round(r.NormFloat64()) }},
	} {
		for _, size := range [][2]int{{5, 5}, {10, 10}, {6, 12}, {50, 45}} {
			t.Run(fmt.Sprint(shape.name, size), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, uint64(size[0])))
				g := Gate{HigherBetter: true, Margin: .1, Alpha: .05}
				const truth = 1. // of the candidate, a whole step of what is rounded
				covered, failed := 0, 0
				for range n {
					var base, candidate []float64
					for range size[0] {
						base = append(base, shape.draw(rng))
					}
					for range size[1] {
						candidate = append(candidate, shape.draw(rng)+truth)
					}
					g.Unordered = true
					if r := g.Decide(inTurn(base, candidate)); r.In.Lo <= truth+1e-9 && truth-1e-9 <= r.In.Hi {
						covered++
					}
					for i := range candidate {
						candidate[i] -= truth
					}
					if g.Decide(inTurn(base, candidate)).Verdict == GateFail {
						failed++
					}
				}
				if got := float64(covered) / float64(n); got < floor(.9, n) {
					t.Errorf("coverage %.3f of 0.9", got)
				}
				if AtLeast(float64(failed), float64(n), gateChange) < 1e-4 {
					t.Errorf("%d of %d failed against themselves", failed, n)
				}
			})
		}
	}
}

// Where values wander, neighbours are compared, and that holds.
func TestGateDrift(t *testing.T) {
	n := repeats(400, 5000)
	rng := rand.New(rand.NewPCG(5, 5))
	g := Gate{HigherBetter: true, Margin: .5, Alpha: .05}
	covered, paired, found, lost := 0, 0, 0, 0
	for range n {
		trials := make([]Trial, 24)
		level := 0.
		for i := range trials {
			level += rng.NormFloat64()
			trials[i] = Trial{level + rng.NormFloat64()/4, i%2 == 1}
			if i%2 == 1 {
				trials[i].Value -= 3
			}
		}
		r := g.Decide(trials)
		if r.In.Lo <= -3 && -3 <= r.In.Hi {
			covered++
		}
		if r.Pairs == 12 {
			paired++
		}
		switch r.Verdict {
		case GateFail:
			found++
		case GatePass:
			lost++
		}
	}
	if got := float64(covered) / float64(n); got < floor(.88, n) || paired < n*9/10 || found < n*9/10 || lost > 0 {
		t.Errorf("covered %.3f, %d paired, %d found, %d lost of %d", got, paired, found, lost, n)
	}
}

// What is called detectable is found four times in five, and after as many further runs as were named a verdict is likely.
func TestGateDetectable(t *testing.T) {
	n := repeats(300, 3000)
	rng := rand.New(rand.NewPCG(8, 8))
	g := Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05}
	draw := func(size int, loss float64) []Trial {
		var base, candidate []float64
		for range size {
			base = append(base, 100*math.Exp(.03*rng.NormFloat64()))
			candidate = append(candidate, 100*math.Exp(.03*rng.NormFloat64())*(1-loss))
		}
		return inTurn(base, candidate)
	}
	loss := 0.
	for range n {
		loss += g.Decide(draw(20, 0)).Detectable / float64(n)
	}
	found := 0
	for range n {
		if g.Decide(draw(20, loss)).Verdict == GateFail {
			found++
		}
	}
	if got := float64(found) / float64(n); got < .7 || got > .9 {
		t.Errorf("a loss of %.3f is found %.3f of the time, want about 0.8", loss, got)
	}
	wrong := 0
	const truth = .05
	for range n / 3 {
		r := g.Decide(draw(6, truth))
		if r.Verdict == GatePass {
			wrong++
		}
		if r.More > 0 && g.Decide(draw(6+r.More, truth)).Verdict == GatePass {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d passed a loss of %g", wrong, n/3, truth)
	}
}

func TestCheckSelf(t *testing.T) {
	g := Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05}
	steps := append(append([]float64{}, calm...), scaled(calm2, .9)...)
	saw := make([]float64, 0, 20)
	for i := range 10 {
		saw = append(saw, calm[i], .9*calm2[i])
	}
	for _, tc := range []struct {
		name   string
		base   []float64
		alarms int
		reason string
	}{
		{"calm", append(append([]float64{}, calm...), calm2...), 0, ""},
		{"a step down", steps, 1, ""},
		{"a saw", saw, 1, ""},
		{"few", calm[:8], 0, "8 runs of the base; a comparison of the base with itself needs 10"},
	} {
		got := g.CheckSelf(oneByOne(tc.base, calm))
		if got.Alarms != tc.alarms || got.Reason != tc.reason {
			t.Errorf("%s: got %d alarms, %q; want %d, %q: %+v", tc.name, got.Alarms, got.Reason, tc.alarms, tc.reason, got)
		}
	}
}

func TestHolm(t *testing.T) {
	got := Holm([]float64{.01, .04, .03, .005}) // R: p.adjust(c(.01, .04, .03, .005), "holm")
	if d := cmp.Diff([]float64{.03, .06, .06, .02}, got, cmpopts.EquateApprox(0, 1e-12)); d != "" {
		t.Error(d)
	}
	if got := Holm(nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// R: poisson.test(c(11, 6+8+7), c(800, 1083+1050+878)).
func TestRateRatio(t *testing.T) {
	got := RateRatioOf(21, 3011, 11, 800, .95)
	want := RateRatio{Value: 1.971488, In: Interval{.8584264, 4.2772659, .95}, PMore: got.PMore, PLess: got.PLess}
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-6, 0)); d != "" {
		t.Error(d)
	}
	if got.PMore < .05 || got.PMore > .07 || got.PLess < .95 {
		t.Errorf("chances %g and %g", got.PMore, got.PLess)
	}
	for _, tc := range []struct {
		base, candidate int
		lo, hi          float64
	}{{0, 0, 0, math.Inf(1)}, {0, 5, .9163558, math.Inf(1)}, {5, 0, 0, 1.0912791}} {
		got := RateRatioOf(tc.base, 100, tc.candidate, 100, .95)
		if d := cmp.Diff(Interval{tc.lo, tc.hi, .95}, got.In, cmpopts.EquateApprox(1e-5, 0)); d != "" {
			t.Errorf("%d and %d: %s", tc.base, tc.candidate, d)
		}
	}
}

// R: randtests::bartels.rank.test of the tourists of Gibbons and Chakraborti, p. 98.
func TestSerial(t *testing.T) {
	got := Serial([]float64{12362, 12739, 13057, 13955, 14123, 15698, 17523, 18610, 19842, 20310, 22500, 23080, 21916})
	if want := .00013; math.Abs(got-want) > .00001 {
		t.Errorf("got %g want %g", got, want)
	}
	for name, v := range map[string][]float64{"few": {1, 2, 3}, "constant": {1, 1, 1, 1, 1, 1, 1, 1, 1}} {
		if got := Serial(v); got != 1 {
			t.Errorf("%s: %g", name, got)
		}
	}
}

func BenchmarkGate(b *testing.B) {
	g := Gate{HigherBetter: true, Relative: true, Margin: .02, Alpha: .05}
	trials := inTurn(calm, calm2)
	b.ReportAllocs()
	for b.Loop() {
		g.Decide(trials)
	}
}

// A drift as steep as this moves each run against its neighbour by more than the margin. It goes the same way within a side, and is taken out.
func TestGateSteepDrift(t *testing.T) {
	g := Gate{HigherBetter: true, Relative: true, Margin: 0.02, Alpha: 0.05}
	for name, by := range map[string]float64{"falling": -0.04, "rising": 0.04} {
		for loss, want := range map[float64]string{0: GatePass, 0.05: GateFail} {
			r := rand.New(rand.NewPCG(7, 7))
			var trials []Trial
			for i := range 20 {
				v := 100 * math.Exp(by*float64(i)+0.003*r.NormFloat64())
				if i%2 == 1 {
					v *= 1 - loss
				}
				trials = append(trials, Trial{Value: v, Candidate: i%2 == 1})
			}
			if got := g.Decide(trials); got.Verdict != want || got.Pairs != 10 || math.Abs(got.Change-1+loss) > 0.005 {
				t.Errorf("%s, a loss of %g: %s, %d pairs, change %.4f: %s; want %s", name, loss, got.Verdict, got.Pairs, got.Change, got.Reason, want)
			}
		}
	}
}
