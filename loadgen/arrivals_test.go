package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat/distuv"
)

// seeds returns how many seeds a test of a law takes: a few, or many in the full tier.
func seeds() uint64 {
	if os.Getenv("ASSAY_FULL") == "" {
		return 4
	}
	return 200
}

// distance returns the Kolmogorov-Smirnov distance of the values from the law, times the root of their number.
func distance(values []float64, law func(float64) float64) float64 {
	slices.Sort(values)
	n, worst := float64(len(values)), 0.0
	for i, v := range values {
		f := law(v)
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	return worst * math.Sqrt(n)
}

// gapsOf returns the gaps between arrivals on the scale of their expected number. The one before the first is left out, since it is that of a
// process which ran before.
func gapsOf(due []int64, expected func(seconds float64) float64) []float64 {
	var gaps []float64
	for i := 1; i < len(due); i++ {
		gaps = append(gaps, expected(float64(due[i])/1e9)-expected(float64(due[i-1])/1e9))
	}
	return gaps
}

func exponential(g float64) float64 { return 1 - math.Exp(-g) }

// TestGapsFollowTheirLaw is a Kolmogorov-Smirnov test of the gaps of each process with many seeds: at the level of 1 %, no more
// seeds may fail than one in a thousand tests of a true law would.
func TestGapsFollowTheirLaw(t *testing.T) {
	linear := func(rate float64) func(float64) float64 { return func(s float64) float64 { return rate * s } }
	gammaLaw := func(shape float64) func(float64) float64 { return distuv.Gamma{Alpha: shape, Beta: shape}.CDF }
	weibullLaw := func(k float64) func(float64) float64 {
		return distuv.Weibull{K: k, Lambda: 1 / math.Gamma(1+1/k)}.CDF
	}
	rising := Profile{Rate: 10, To: to(70)}
	for _, c := range []struct {
		a        Arrivals
		expected func(float64) float64
		law      func(float64) float64
	}{
		{Poisson{Profile{Rate: 40}}, linear(40), exponential},
		{Poisson{rising}, func(s float64) float64 { return 10*s + 60*s*s/400 }, exponential},
		{Gamma{Profile: Profile{Rate: 40}, CV: 2}, linear(40), gammaLaw(0.25)},
		{Gamma{Profile: Profile{Rate: 40}, CV: 0.3}, linear(40), gammaLaw(1 / 0.09)},
		{Gamma{Profile: Profile{Rate: 40}, Shape: 0.5}, linear(40), gammaLaw(0.5)},
		{Gamma{Profile: rising, CV: 1.5}, func(s float64) float64 { return 10*s + 60*s*s/400 }, gammaLaw(1 / 2.25)},
		{Weibull{Profile{Rate: 40}, 0.6}, linear(40), weibullLaw(0.6)},
		{Weibull{Profile{Rate: 40}, 3}, linear(40), weibullLaw(3)},
		{Weibull{rising, 0.7}, func(s float64) float64 { return 10*s + 60*s*s/400 }, weibullLaw(0.7)},
		{OnOff{Rate: 60, Base: 20, On: 5 * time.Second, Off: 15 * time.Second}, func(s float64) float64 {
			in := math.Mod(s, 20)
			return 600*math.Floor(s/20) + 60*min(in, 5) + 20*max(in-5, 0)
		}, exponential},
		{Diurnal{Rate: 40, Amplitude: 0.9, Period: 70 * time.Second, Offset: 5 * time.Second}, func(s float64) float64 {
			w := 2 * math.Pi / 70
			return 40 * (s - 0.9/w*(math.Cos(w*(s+5))-math.Cos(w*5)))
		}, exponential},
		{Stages{Stages: []Stage{{Rate: 20, For: 100 * time.Second}, {Rate: 60, For: 100 * time.Second, Ramp: 50 * time.Second}}}, func(s float64) float64 {
			r := min(max(s-100, 0), 50)
			return 20*min(s, 100) + 20*r + 0.4*r*r + 60*max(s-150, 0)
		}, exponential},
	} {
		t.Run(strings.ReplaceAll(fmt.Sprintf("%T", c.a), "loadgen.", ""), func(t *testing.T) {
			t.Parallel()
			if err := c.a.Check(); err != nil {
				t.Fatal(err)
			}
			n, bad := seeds(), 0
			for seed := range n {
				due := c.a.Due(nil, 200*time.Second, stream(seed, "law", "arrivals"))
				if d := distance(gapsOf(due, c.expected), c.law); d > 1.628 {
					bad++
				}
			}
			if most := int(distuv.Binomial{N: float64(n), P: 0.01}.Mean() + 4*math.Sqrt(0.0099*float64(n))); bad > max(1, most) {
				t.Errorf("%+v: %d of %d seeds fail at 1 %%, want at most %d", c.a, bad, n, max(1, most))
			}
		})
	}
}

// dispersion returns variance over mean of the numbers of arrivals in windows of the given length.
func dispersionOf(due []int64, d, window time.Duration) float64 {
	counts := make([]float64, d/window)
	for _, at := range due {
		if i := int(at / int64(window)); i < len(counts) {
			counts[i]++
		}
	}
	sum, square := 0.0, 0.0
	for _, c := range counts {
		sum += c
		square += c * c
	}
	n := float64(len(counts))
	mean := sum / n
	return (square/n - mean*mean) / mean * n / (n - 1)
}

// TestDispersion: the variance of the number of arrivals in long windows is the squared coefficient of variation of the gaps
// times the mean, and for bursts with random lengths what the theory of the interrupted Poisson process says.
func TestDispersion(t *testing.T) {
	const d = 20_000 * time.Second
	for name, c := range map[string]struct {
		a      Arrivals
		window time.Duration
		want   float64
	}{
		"poisson": {Poisson{Profile{Rate: 20}}, 10 * time.Second, 1},
		"even":    {Even{Profile{Rate: 20}}, 10 * time.Second, 0},
		"cv 2":    {Gamma{Profile: Profile{Rate: 20}, CV: 2}, 10 * time.Second, 4},
		"cv 3":    {Gamma{Profile: Profile{Rate: 20}, CV: 3}, 20 * time.Second, 9},
		"cv 0.5":  {Gamma{Profile: Profile{Rate: 20}, CV: 0.5}, 10 * time.Second, 0.25},
		"weibull": {Weibull{Profile{Rate: 20}, 0.7}, 10 * time.Second, 2.138},
		"stages":  {Stages{Stages: []Stage{{Rate: 20, For: d}}}, 10 * time.Second, 1},
		"diurnal": {Diurnal{Rate: 20, Amplitude: 0.8, Period: 10 * time.Second}, 10 * time.Second, 1},
		"onoff":   {OnOff{Rate: 40, On: 5 * time.Second, Off: 5 * time.Second}, 10 * time.Second, 1},
		// 1 + 2(λ-λ₀)²αβ/((α+β)³·mean) with α and β the inverse lengths.
		"random onoff": {OnOff{Rate: 30, Base: 10, On: 500 * time.Millisecond, Off: 500 * time.Millisecond, Random: true}, 20 * time.Second, 1 + 2*400*4/(64*20.0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum, n := 0.0, min(20, seeds()/2)
			for seed := range n {
				sum += dispersionOf(c.a.Due(nil, d, stream(seed, name, "arrivals")), d, c.window)
			}
			got, windows := sum/float64(n), float64(n)*float64(d/c.window)
			// The standard error of a variance is √(2/n) of it; at finite windows and heavy tails it is somewhat more.
			if tolerance := c.want*(0.02+6*math.Sqrt(2/windows)) + 1e-3; math.Abs(got-c.want) > tolerance {
				t.Errorf("index of dispersion %.3f, want %.3f within %.3f", got, c.want, tolerance)
			}
		})
	}
}

// TestEquilibrium: a bursty process has the right mean number of arrivals even in a phase that is short beside its bursts.
func TestEquilibrium(t *testing.T) {
	n := 0
	a := Gamma{Profile: Profile{Rate: 10}, CV: 4}
	for seed := range uint64(20_000) {
		n += len(a.Due(nil, time.Second, rand.New(rand.NewPCG(seed, 1))))
	}
	if mean := float64(n) / 20_000; math.Abs(mean-10) > 0.4 {
		t.Errorf("%g arrivals a phase, want 10", mean)
	}
}

func TestOnOffBursts(t *testing.T) {
	o := OnOff{Rate: 50, On: 2 * time.Second, Off: 3 * time.Second}
	for _, at := range o.Due(nil, 100*time.Second, stream(1, "o", "arrivals")) {
		if at%int64(5*time.Second) >= int64(2*time.Second) {
			t.Errorf("an arrival at %v, in a pause", time.Duration(at))
		}
	}
}

func TestStagesEvenCrossBounds(t *testing.T) {
	// 1.5 arrivals in each of the first two stages: the second and third lie on either side of the bound.
	s := Stages{Even: true, Stages: []Stage{{Rate: 1, For: 1500 * time.Millisecond}, {Rate: 3, For: 500 * time.Millisecond}, {Rate: 0, For: time.Second, Ramp: time.Second}}}
	got := s.Due(nil, s.Lasts(), nil)
	// In the last stage the rate falls from 3/s to 0/s in a second: 3t-1.5t² = 0 and 1.
	want := []int64{0, 1e9, 1_666_666_667, 2_000_000_000, 2_422_649_731}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if cut := s.Due(nil, 2*time.Second, nil); !slices.Equal(cut, want[:3]) {
		t.Errorf("cut short at 2s: %v, want %v", cut, want[:3])
	}
}

func TestLadder(t *testing.T) {
	l := Ladder{Start: 10 * time.Second, Factor: 3, Max: 100 * time.Second, Repeat: 2}
	var got []time.Duration
	for at := range l.Each(l.Lasts(), nil) {
		got = append(got, time.Duration(at)/time.Second)
	}
	if d := cmp.Diff([]time.Duration{0, 10, 20, 50, 80, 170, 260, 360, 460}, got); d != "" || l.Lasts() != 461*time.Second {
		t.Errorf("lasts %v; seconds (-want +got):\n%s", l.Lasts(), d)
	}
	s := mustSchedule(t, 1, Phase{Name: "idle-gaps", Arrivals: Ladder{Max: time.Minute}})
	if s.Duration() != (Ladder{Max: time.Minute}).Lasts() || s.fixed != 1+12 {
		t.Errorf("%v, %d requests: want its own length and a request for each gap", s.Duration(), s.fixed)
	}
}

func TestArrivalErrors(t *testing.T) {
	p := Profile{Rate: 1}
	for want, a := range map[string]Arrivals{
		"both cv and shape":       Gamma{Profile: p, CV: 1, Shape: 1},
		"neither cv nor shape":    Gamma{Profile: p},
		"gamma with cv 50":        Gamma{Profile: p, CV: 50},
		"weibull with shape 0":    Weibull{Profile: p},
		"stages is empty":         Stages{},
		"stage 1 lasts 0s":        Stages{Stages: []Stage{{Rate: 1}}},
		"stage 2: rate -1/s":      Stages{Stages: []Stage{{Rate: 1, For: 1}, {Rate: -1, For: 1}}},
		"a ramp of 2s":            Stages{Stages: []Stage{{Rate: 1, For: time.Second, Ramp: 2 * time.Second}}},
		"amplitude 2":             Diurnal{Rate: 1, Amplitude: 2, Period: 1},
		"period 0s":               Diurnal{Rate: 1},
		"offset 2s":               Diurnal{Rate: 1, Period: time.Second, Offset: 2 * time.Second},
		"want both longer than":   OnOff{Rate: 1, On: 1},
		"a cycle of 2ns":          OnOff{Rate: 1, On: 1, Off: 1},
		"above the burst's 1/s":   OnOff{Rate: 1, Base: 2, On: time.Second, Off: time.Second},
		"ladder factor 0.5":       Ladder{Factor: 0.5},
		"up to a gap of 1ms":      Ladder{Max: time.Millisecond},
		"at most 1000; raise":     Ladder{Start: time.Millisecond, Factor: 1.0001, Max: time.Second},
		"repeats each gap -1":     Ladder{Repeat: -1},
		"rate NaN/s":              Weibull{Profile{Rate: math.NaN()}, 1},
		"rate +Inf/s: want betwe": Diurnal{Rate: math.Inf(1), Period: 1},
	} {
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestHashFollowsArrivals: a change of any setting changes what is sent, and the hash with it.
func TestHashFollowsArrivals(t *testing.T) {
	p := Profile{Rate: 20}
	seen := map[string]string{}
	for _, a := range []Arrivals{
		Poisson{p}, Even{p}, Gamma{Profile: p, CV: 2}, Gamma{Profile: p, CV: 2.1}, Weibull{p, 0.7}, Weibull{p, 0.8},
		Stages{Stages: []Stage{{Rate: 21, For: 20 * time.Second}}}, Stages{Even: true, Stages: []Stage{{Rate: 21, For: 20 * time.Second}}},
		Stages{Stages: []Stage{{Rate: 20, For: 20 * time.Second, Ramp: time.Second}}},
		Diurnal{Rate: 20, Amplitude: 0.5, Period: 10 * time.Second}, Diurnal{Rate: 20, Amplitude: 0.5, Period: 11 * time.Second},
		Diurnal{Rate: 20, Amplitude: 0.6, Period: 10 * time.Second}, Diurnal{Rate: 20, Amplitude: 0.5, Period: 10 * time.Second, Offset: time.Second},
		OnOff{Rate: 40, On: time.Second, Off: time.Second}, OnOff{Rate: 40, On: 2 * time.Second, Off: time.Second},
		OnOff{Rate: 40, On: time.Second, Off: 2 * time.Second}, OnOff{Rate: 40, Base: 1, On: time.Second, Off: time.Second},
		OnOff{Rate: 40, On: time.Second, Off: time.Second, Random: true},
		Ladder{Max: 9 * time.Second}, Ladder{Max: 9 * time.Second, Factor: 2}, Ladder{Max: 9 * time.Second, Repeat: 2}, Ladder{Max: 9 * time.Second, Start: 2 * time.Second},
	} {
		ph := Phase{Name: "a", Arrivals: a, For: 10 * time.Second}
		one, again := mustSchedule(t, 1, ph), mustSchedule(t, 1, ph)
		name := fmt.Sprintf("%T%+v", a, a)
		if one.Hash() != again.Hash() {
			t.Errorf("%s: two hashes with one seed", name)
		}
		if other, ok := seen[one.Hash()]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[one.Hash()] = name
	}
}

func BenchmarkArrivals(b *testing.B) {
	for _, kind := range ArrivalKinds {
		a, ok := kind.New(Profile{Rate: 1000}).(Streamer)
		if !ok || a.Check() != nil || a.Mean() < 1 {
			continue
		}
		b.Run(kind.Name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for range a.Each(time.Second, stream(1, "b", "arrivals")) {
					n++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/arrival")
		})
	}
}
