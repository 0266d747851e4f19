package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// near fails unless got is want to the digits that want was printed with.
func near(t *testing.T, what string, got, want, half float64) {
	t.Helper()
	if !(math.Abs(got-want) <= half) {
		t.Errorf("%s: got %.9g, want %g ± %g", what, got, want, half)
	}
}

func lives(failed []float64, censored ...float64) []Life {
	var out []Life
	for _, t := range failed {
		out = append(out, Life{Time: t})
	}
	for _, t := range censored {
		out = append(out, Life{Time: t, Censored: true})
	}
	return out
}

// NIST/SEMATECH e-Handbook 8.4.1.3: ten failures, ten units alive at 500 h.
var nist8413 = lives([]float64{54, 187, 216, 240, 244, 335, 361, 373, 375, 386}, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500)

func TestWeibullOfNIST(t *testing.T) {
	f, err := FitWeibull(nist8413, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "shape", f.Shape, 1.7208, 5e-5)
	near(t, "scale", f.Scale, 606.5280, 5e-4)
	near(t, "log-likelihood", f.LogL, -75.135, 5e-4)
	near(t, "AIC", f.AIC, 154.27, 5e-3)
	near(t, "mean", f.Mean, 540.737, 5e-4)
	near(t, "sd", f.SD, 323.806, 5e-4)
	if f.Failures != 10 || f.Censored != 10 || !(f.InShape.Lo < f.Shape && f.Shape < f.InShape.Hi && f.InScale.Lo < f.Scale && f.Scale < f.InScale.Hi) {
		t.Errorf("%+v", f)
	}
}

func TestLognormalOfNIST(t *testing.T) {
	f, err := FitLognormal(nist8413, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mu", f.Mu, 6.22602, 5e-6)
	near(t, "sigma", f.Sigma, 0.908914, 5e-7)
	near(t, "AIC", f.AIC, 154.39, 5e-3)
}

// Without censoring the fit is that of the logarithms.
func TestLognormalUncensored(t *testing.T) {
	f, err := FitLognormal(lives([]float64{1, math.E, math.E * math.E}), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mu", f.Mu, 1, 1e-9)
	near(t, "sigma", f.Sigma, math.Sqrt(2.0/3), 1e-9)
	near(t, "error of mu", (f.InMu.Hi-1)/4.302653, math.Sqrt(1.0/3), 1e-4) // Student's t of two degrees of freedom
}

func TestFitsRefuse(t *testing.T) {
	for name, l := range map[string][]Life{"none": nil, "one": lives([]float64{3}, 5), "all the same": lives([]float64{3, 3, 3}), "zero": lives([]float64{0, 1}), "infinite": lives([]float64{1, 2}, math.Inf(1)), "NaN": lives([]float64{1, math.NaN()})} {
		if f, err := FitWeibull(l, 0.9); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
		if f, err := FitLognormal(l, 0.9); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// NIST/SEMATECH e-Handbook 8.2.1.5.
func TestKaplanMeierOfNIST(t *testing.T) {
	steps := KaplanMeier(lives([]float64{10, 32, 56, 98, 122, 181}, 50, 100, 125, 150, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200), 0.95)
	want := []float64{.95, .90, .847059, .794118, .737395, .670359}
	if len(steps) != len(want) {
		t.Fatalf("%d steps", len(steps))
	}
	for i, s := range steps {
		near(t, "survival", s.Survival, want[i], 5e-7)
		if !(s.In.Lo < s.Survival && s.Survival < s.In.Hi && s.In.Lo > 0 && s.In.Hi < 1) {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	if last := KaplanMeier(lives([]float64{1, 2}), 0.95)[1]; last.Survival != 0 || !math.IsNaN(last.In.Lo) {
		t.Errorf("nobody left: %+v", last)
	}
}

// Olsson's example of blood lead.
func TestLognormalMeanOfOlsson(t *testing.T) {
	m, in := LognormalMean(5.127, 1.010, 40, 0.95)
	near(t, "mean", m, 279.22, 0.005)
	near(t, "lower", in.Lo, 187.92, 0.005)
	near(t, "upper", in.Hi, 414.88, 0.005)
}

// NIST/SEMATECH e-Handbook 8.2.3.4 and 8.4.5.2.
var nistAges = []float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478}

func TestArrangementsOfNIST(t *testing.T) {
	between := make([]float64, len(nistAges))
	last := 0.0
	for i, a := range nistAges {
		between[i], last = a-last, a
	}
	r, of, more, less := Arrangements(between)
	if r != 33 || of != 45 {
		t.Errorf("%d of %d", r, of)
	}
	near(t, "at least", more, 0.03628, 5e-6)
	if less < 1-more || less > 1 {
		t.Errorf("at most %v beside at least %v", less, more)
	}
	if r, of, more, less := Arrangements(nil); r != 0 || of != 0 || more != 1 || less != 1 {
		t.Errorf("none: %d of %d, %v, %v", r, of, more, less)
	}
}

func TestGrowthOfNIST(t *testing.T) {
	g, ok := GrowthOf(nistAges, 1500, false, 0.80)
	if !ok {
		t.Fatal("not fitted")
	}
	near(t, "slope", g.Slope, 0.516494, 5e-7)
	near(t, "beta freed of its bias", g.BetaU, 0.4835060, 5e-8)
	near(t, "beta", g.Beta, 0.5372289, 5e-8)
	near(t, "lambda", g.Lambda, 0.1966582, 5e-8)
	near(t, "MTBF", g.MTBF, 310.234, 5e-4)
	near(t, "lower", g.In.Lo, 157.7138, 5e-5)
	near(t, "upper", g.In.Hi, 548.5566, 5e-5)
	near(t, "MTBF by the biased beta", 1500/(10*g.Beta), 279.2106, 5e-5)
	if _, ok := GrowthOf(nistAges[:2], 1500, false, 0.8); ok {
		t.Error("two failures were enough")
	}
	if f, _ := GrowthOf(nistAges, 1478, true, 0.8); !(f.BetaU < g.BetaU) {
		t.Errorf("a watch that ended with a failure: %+v", f)
	}
}

// R's help(wilcox.test): permeability of membranes.
func TestMannWhitneyOfR(t *testing.T) {
	x := []float64{.80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46}
	y := []float64{1.15, .88, .90, .74, 1.21}
	got := MannWhitney(x, y, 0.95)
	if got.U != 35 || !got.Exact {
		t.Errorf("%+v", got)
	}
	near(t, "one-sided", got.PMore, .1272061, 5e-8)
	near(t, "two-sided", got.P, .2544123, 5e-8)
	near(t, "shift", got.Shift, .305, 5e-7)
	if !(got.In.Lo < 0 && got.In.Hi > .305 && got.In.Confidence >= .95) {
		t.Errorf("interval %+v", got.In)
	}
	if none := MannWhitney(nil, y, 0.95); !math.IsNaN(none.P) || none.M != 5 {
		t.Errorf("%+v", none)
	}
	if same := MannWhitney([]float64{1, 1}, []float64{1, 1, 1}, 0.95); same.P != 1 || same.Shift != 0 || same.Effect != 0.5 {
		t.Errorf("all equal: %+v", same)
	}
	if few := MannWhitney([]float64{1}, []float64{2}, 0.95); !math.IsInf(few.In.Lo, -1) || few.In.Confidence != 1 {
		t.Errorf("two values bound nothing: %+v", few)
	}
}

// The exact and the normal path agree where both apply, and the interval of the shift covers the truth as often as it says.
func TestMannWhitneyCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	runs, n := 2000, 0
	for range runs {
		x, y := make([]float64, 12), make([]float64, 9)
		for i := range x {
			x[i] = math.Exp(rng.NormFloat64())
		}
		for i := range y {
			y[i] = math.Exp(rng.NormFloat64()) - 0.5
		}
		got := MannWhitney(x, y, 0.90)
		if got.In.Lo <= 0.5 && 0.5 <= got.In.Hi {
			n++
		}
	}
	if lo := 1 - 0.10 - 3*math.Sqrt(0.09/float64(runs)); float64(n)/float64(runs) < lo {
		t.Errorf("covered in %d of %d, want %.3f at least", n, runs, lo)
	}
	p := uChances(40, 40)
	sum := 0.0
	for i, v := range p {
		if i <= 700 {
			sum += v
		}
	}
	sd := math.Sqrt(1600.0 / 12 * 81)
	near(t, "normal approximation", sum, 0.5*math.Erfc(-(700.5-800)/sd/math.Sqrt2), 1e-3)
}
