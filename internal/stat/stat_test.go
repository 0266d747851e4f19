package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// printed compares with a number as a table prints it: rounded to its digits.
func printed(t *testing.T, what string, got float64, want string) {
	t.Helper()
	digits := 0
	for i := range want {
		if want[i] == '.' {
			digits = len(want) - i - 1
		}
	}
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}
	// Printed tables are rounded; half a unit of the last digit and a hair.
	if half := 0.5000001 * math.Pow(10, -float64(digits)); math.Abs(got-w) > half {
		t.Errorf("%s: got %.*f, want %s", what, digits+2, got, want)
	}
}

func TestMTBF(t *testing.T) {
	in := MTBF(800, 2, 0.9)
	printed(t, "NIST 8.4.5.1 lower", in.Lo, "127.07")
	printed(t, "NIST 8.4.5.1 upper", in.Hi, "2251.23")
	in = MTBF(800, 0, 0.95)
	printed(t, "zero failures", in.Lo, "267.05")
	if !math.IsInf(in.Hi, 1) {
		t.Errorf("zero failures: upper bound %g, want +Inf", in.Hi)
	}
	// chi2(.95;4) = 9.48773, chi2(.05;4) = .710723
	in = MTBFFailureTerminated(800, 2, 0.9)
	printed(t, "failure-terminated lower", in.Lo, "168.64")
	printed(t, "failure-terminated upper", in.Hi, "2251.23")
	rate := Rate(800, 2, 0.9)
	printed(t, "rate lower × upper MTBF", rate.Lo*2251.2333, "1.00000")
	if r := Rate(100, 0, 0.95); r.Lo != 0 || math.Abs(r.Hi-math.Log(20)/100) > 1e-12 {
		t.Errorf("rate with zero failures: got [%g, %g]", r.Lo, r.Hi)
	}
}

func TestMTBFFactors(t *testing.T) {
	rs := []int{0, 1, 2, 3, 5, 10, 20, 50}
	for conf, rows := range map[float64][][2]string{
		.60: {{".6213", ""}, {".3340", "4.4814"}, {".4674", "2.4260"}, {".5440", "1.9543"}, {".6324", "1.6184"}, {".7326", "1.3719"}, {".8088", "1.2367"}, {".8788", "1.1371"}},
		.80: {{".4343", ""}, {".2571", "9.4912"}, {".3758", "3.7607"}, {".4490", "2.7222"}, {".5391", "2.0554"}, {".6491", "1.6074"}, {".7395", "1.3769"}, {".8286", "1.2142"}},
		.90: {{".3338", ""}, {".2108", "19.4957"}, {".3177", "5.6281"}, {".3869", "3.6689"}, {".4756", "2.5379"}, {".5895", "1.8432"}, {".6882", "1.5089"}, {".7901", "1.2832"}},
		.95: {{".2711", ""}, {".1795", "39.4979"}, {".2768", "8.2573"}, {".3422", "4.8491"}, {".4285", "3.0798"}, {".5438", "2.0853"}, {".6475", "1.6371"}, {".7585", "1.3473"}},
	} {
		for i, want := range rows {
			lo, hi := MTBFFactors(rs[i], conf)
			printed(t, fmt.Sprintf("%g lower r=%d", conf, rs[i]), lo, want[0])
			if want[1] != "" {
				printed(t, fmt.Sprintf("%g upper r=%d", conf, rs[i]), hi, want[1])
			} else if !math.IsInf(hi, 1) {
				t.Errorf("%g upper r=0: got %g, want +Inf", conf, hi)
			}
		}
	}
}

func TestPlanningFactor(t *testing.T) {
	for conf, row := range map[float64][]string{
		.5: {".693", "1.678", "2.674", "3.672"}, .6: {".916", "2.022", "3.105", "4.175"}, .8: {"1.609", "2.994", "4.279", "5.515"},
		.9: {"2.303", "3.890", "5.322", "6.681"}, .95: {"2.996", "4.744", "6.296", "7.754"},
	} {
		for r, want := range row {
			printed(t, fmt.Sprintf("C=%g r=%d", conf, r), PlanningFactor(r, conf), want)
		}
	}
	printed(t, "720 h, no failure", 720*PlanningFactor(0, .95), "2156.9")
	printed(t, "720 h, one failure", 720*PlanningFactor(1, .95), "3415.6")
	printed(t, "1 h without failure", MTBF(1, 0, .95).Lo, ".334")
}

func TestProportions(t *testing.T) {
	for _, c := range []struct {
		x, n                       int
		wlo, whi, clo, chi         string
		confidence, exactLo, exact float64
	}{
		{81, 263, ".2553", ".3662", ".2527", ".3676", .95, 0, 0},
		{15, 148, ".0624", ".1605", ".0578", ".1617", .95, 0, 0},
		{0, 20, "0", ".1611", "0", ".1684", .95, 0, 0},
		{1, 29, ".0061", ".1718", ".0009", ".1776", .95, 0, 0},
	} {
		w, cp := Wilson(float64(c.x), float64(c.n), c.confidence), ClopperPearson(c.x, c.n, c.confidence)
		name := fmt.Sprintf("%d/%d", c.x, c.n)
		printed(t, name+" Wilson lower", w.Lo, c.wlo)
		printed(t, name+" Wilson upper", w.Hi, c.whi)
		printed(t, name+" Clopper-Pearson lower", cp.Lo, c.clo)
		printed(t, name+" Clopper-Pearson upper", cp.Hi, c.chi)
	}
	if w := Wilson(0, 20, .95); w.Lo != 0 {
		t.Errorf("Wilson 0/20: lower %g, want exactly 0", w.Lo)
	}
	in := ClopperPearson(4, 20, .9)
	printed(t, "NIST 7.2.4.2 lower", in.Lo, "0.071354")
	printed(t, "NIST 7.2.4.2 upper", in.Hi, "0.401028")
	in = ClopperPearson(29, 30, .95)
	if math.Abs(in.Lo-.8278305443665873) > 1e-12 || math.Abs(in.Hi-.9991564290733695) > 1e-12 {
		t.Errorf("29/30: got (%.16f, %.16f)", in.Lo, in.Hi)
	}
	// The share of recovered and tolerated faults as the first screen shows them.
	printed(t, "2/2 lower", ClopperPearson(2, 2, .95).Lo, "0.16")
	printed(t, "0/2 upper", ClopperPearson(0, 2, .95).Hi, "0.84")
}

func TestTrials(t *testing.T) {
	for p, row := range map[float64][]int{1e-2: {299, 473, 628, 773}, 1e-3: {2995, 4742, 6294, 7752}, 1e-4: {29956, 47437, 62956, 77535}} {
		for r, want := range row {
			if got := Trials(p, r, .95); got != want {
				t.Errorf("p=%g, %d failures: got %d, want %d", p, r, got, want)
			}
		}
	}
}

func TestUnavailabilityF(t *testing.T) {
	// K=10, U=1000, D=20 at 90 %, the plain form with 2K, 2K degrees of freedom on both sides.
	in := UnavailabilityF(1000, 20, 10, .9)
	printed(t, "A upper", 1-in.Lo, ".990672")
	rho := .02
	printed(t, "F", rho/(in.Lo/(1-in.Lo)), "2.12416")
	printed(t, "A lower, plain form", 1/(1+rho*2.12416), ".959248")
	if in.Hi < 1-.959248 {
		t.Errorf("the reported upper bound %g is inside the plain one", in.Hi)
	}
	if p := Unavailability(1000, 20, 10, 2, .9); p.Lo > in.Lo || p.Hi < in.Hi {
		t.Errorf("product interval [%g, %g] is narrower than the F interval [%g, %g]", p.Lo, p.Hi, in.Lo, in.Hi)
	}
	if in := UnavailabilityBound(71, 10, .95); math.Abs(in.Hi-share(math.Log(20)/71*10)) > 1e-12 {
		t.Errorf("bound without an episode: got %g", in.Hi)
	}
}

func TestTrend(t *testing.T) {
	tr := TrendOf([]float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478}, 1500)
	printed(t, "Laplace", tr.Laplace, "-1.32695")
	printed(t, "Laplace one-sided p", tr.LaplaceP/2, ".0923")
	printed(t, "MIL-HDBK", tr.MilHdbk, "37.2281")
	printed(t, "MIL-HDBK tail", tr.MilHdbkTail, ".01099")
}

func TestRanks(t *testing.T) {
	for _, c := range []struct {
		n, lo, hi int
		p         float64
		attained  string
	}{
		{100, 40, 61, .5, ".9648"}, {1000, 936, 964, .95, ".9581"}, {1000, 983, 997, .99, ".9761"},
		{10000, 9880, 9920, .99, ".9558"}, {10000, 9983, 9997, .999, ".9755"},
	} {
		lo, hi, attained, ok := Ranks(c.n, c.p, .95)
		if lo != c.lo || hi != c.hi || !ok {
			t.Errorf("n=%d p=%g: got (%d, %d) %v, want (%d, %d)", c.n, c.p, lo, hi, ok, c.lo, c.hi)
		}
		printed(t, fmt.Sprintf("n=%d p=%g", c.n, c.p), attained, c.attained)
	}
}

func TestLeastN(t *testing.T) {
	for p, want := range map[float64]int{.95: 59, .99: 299, .999: 2995, .5: 6} {
		if got := LeastN(p, .95); got != want {
			t.Errorf("p=%g: got %d, want %d", p, got, want)
		}
		if _, _, _, ok := Ranks(want-1, p, .95); ok {
			t.Errorf("p=%g: %d values already bound it", p, want-1)
		}
		if _, hi, _, ok := Ranks(want, p, .95); !ok || hi != want {
			t.Errorf("p=%g: %d values do not bound it by the largest", p, want)
		}
	}
}

func TestQuantileTypes(t *testing.T) {
	x := []float64{95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1772, 95.0925, 95.1990, 95.1682}
	slices.Sort(x)
	printed(t, "NIST 7.2.6.2 type 6", Quantile(x, .9, Type6), "95.19807")
	printed(t, "NIST 7.2.6.2 type 7", Quantile(x, .9, Type7), "95.19568")
	if got := Quantile(x, 1, Type7); got != x[11] {
		t.Errorf("p100: got %g", got)
	}
	if got := Quantile(nil, .5, Type7); !math.IsNaN(got) {
		t.Errorf("empty: got %g", got)
	}
}

func TestDesignEffectOfMarkovFailures(t *testing.T) {
	// p = .005, mean run 50: theory gives (1+r)/(1-r) = 98.5 with r = 1 - 1/50 - .005/.995/50.
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 2_000_000
	seq := markov(rng, n, .005, 50)
	const m = 200
	ones, sizes := make([]float64, m), make([]float64, m)
	for i := range m {
		lo, hi := Split(n, m, i)
		for _, bad := range seq[lo:hi] {
			if bad {
				ones[i]++
			}
		}
		sizes[i] = float64(hi - lo)
	}
	if d := DesignEffect(ones, sizes); d < 75 || d > 122 {
		t.Errorf("design effect %.1f, want about 98.5", d)
	}
	if d := DesignEffect([]float64{0, 0}, []float64{5, 5}); !math.IsNaN(d) {
		t.Errorf("no failures: design effect %g, want NaN", d)
	}
}

func TestSketch(t *testing.T) {
	// The cold/warm cliff: 99.2 % lognormal(0.2 s, .5), 0.8 % lognormal(30 s, .25), a hundred shards merged.
	rng := rand.New(rand.NewPCG(3, 4))
	var all []float64
	shards := make([]Sketch, 100)
	for i := range 200_000 {
		v := 0.2 * math.Exp(.5*rng.NormFloat64())
		if rng.Float64() < .008 {
			v = 30 * math.Exp(.25*rng.NormFloat64())
		}
		all = append(all, v)
		shards[i%100].Add(v)
	}
	var s Sketch
	for i := range shards {
		s.Merge(&shards[i])
	}
	slices.Sort(all)
	if int(s.N) != len(all) || s.Max != all[len(all)-1] || s.Min != all[0] {
		t.Fatalf("n %d, min %g, max %g", s.N, s.Min, s.Max)
	}
	for _, p := range []float64{0, .5, .9, .95, .99, .992, .995, .999, 1} {
		k := 1 + int(math.Round(p*float64(len(all)-1)))
		if got, want := s.Rank(k), all[k-1]; math.Abs(got-want) > .00501*want {
			t.Errorf("p%g: got %g, want %g within 0.5 %%", p*100, got, want)
		}
	}
	if len(s.Counts) > 2500 {
		t.Errorf("%d buckets", len(s.Counts))
	}
	above := s.Above(all[100_000])
	if math.Abs(float64(above)-100_000) > 2000 {
		t.Errorf("above the median: %d", above)
	}
}

func TestMeanInterval(t *testing.T) {
	mean, in := MeanInterval([]float64{1, 2, 3, 4, 5, 6, 7, 8}, .95)
	// Block sums less the mean: -6, -2, 2, 6; sd/sqrt(4) of the block means = sqrt(80/3)/... = .6455*2
	se := math.Sqrt(4.0/3*80) / 8
	if mean != 4.5 || math.Abs(in.Hi-(4.5+3.182446*se)) > 1e-4 {
		t.Errorf("got %g [%g, %g]", mean, in.Lo, in.Hi)
	}
}

func ExampleMTBF() {
	in := MTBF(71, 0, 0.95) // seconds watched, no failure
	fmt.Printf("MTBF >= %.1f s, rate <= %.0f/h\n", in.Lo, 3600/in.Lo)
	fmt.Printf("to show 720 h watch %.0f days without a failure\n", 720*PlanningFactor(0, 0.95)/24)
	// Output:
	// MTBF >= 23.7 s, rate <= 152/h
	// to show 720 h watch 90 days without a failure
}

func TestClusters(t *testing.T) {
	for _, c := range []struct {
		seq                   string
		gap                   int
		n, good, bad, longest int
	}{
		{"GGGG", 0, 0, 4, 0, 0},
		{"BGGBBG", 0, 2, 3, 3, 2},
		{"BGGBBG", 2, 2, 3, 3, 2},
		{"BGGBBG", 3, 1, 3, 3, 3},
		{"BGBGBGGGGGB", 5, 2, 7, 4, 3},
	} {
		k := Clusters{Gap: c.gap}
		for _, o := range c.seq {
			k.Add(o == 'B')
		}
		if k.N != c.n || k.Good != c.good || k.Bad != c.bad || k.Longest != c.longest {
			t.Errorf("%s, gap %d: got %+v, want %+v", c.seq, c.gap, k, c)
		}
	}
}

// Whatever the size of the sample, the ranks hold the quantile with the confidence they claim.
func TestRanksAttain(t *testing.T) {
	for _, p := range []float64{.01, .1, .5, .9, .95, .99} {
		for n := 2; n < 1200; n += 1 + n/10 {
			lo, hi, attained, ok := Ranks(n, p, .95)
			if !ok {
				continue
			}
			if lo < 1 || hi > n || lo >= hi || attained < .95 || math.Abs(attained-(binomialCDF(hi-1, n, p)-binomialCDF(lo-1, n, p))) > 1e-12 {
				t.Errorf("n=%d p=%g: (%d, %d) attains %g", n, p, lo, hi, attained)
			}
			if slo, shi, _, ok := SpreadRanks(3*n, p, .95, float64(n)); !ok || slo < 1 || shi > 3*n || slo >= shi {
				t.Errorf("n=%d p=%g spread over three times as many: (%d, %d) %v", n, p, slo, shi, ok)
			}
		}
	}
}

func BenchmarkSketchAdd(b *testing.B) {
	var s Sketch
	s.Add(1e-6)
	s.Add(1e3)
	v := 1e-6
	b.ReportAllocs()
	for b.Loop() {
		s.Add(v)
		if v *= 1.3; v > 1e3 {
			v = 1e-6
		}
	}
}

// The table of buckets says what the logarithm says, but for values within rounding of a bound.
func TestBucketOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		v := math.Exp(rng.Float64()*60 - 10)
		want := math.Log(v) / logGamma
		if got := float64(bucketOf(v)); got != math.Floor(want) && math.Abs(want-math.Round(want)) > 1e-9 {
			t.Fatalf("bucketOf(%v) = %v, want the floor of %v", v, got, want)
		}
	}
	last := math.MinInt
	for v := 1.0; v < 1e15; v *= 1.0007 { // never backwards
		if b := bucketOf(v); b < last {
			t.Fatalf("bucketOf(%v) = %d after %d", v, b, last)
		} else {
			last = b
		}
	}
}
