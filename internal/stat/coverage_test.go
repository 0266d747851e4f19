package stat

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// repeats is how many simulated runs a coverage test makes.
func repeats(fast, full int) int {
	if os.Getenv("ASSAY_FULL") == "" {
		return fast
	}
	return full
}

// floor is the least coverage that n runs may show if the true one is nominal: one chance in 10 000 to fall below.
func floor(nominal float64, n int) float64 {
	return nominal - 3.72*math.Sqrt(nominal*(1-nominal)/float64(n))
}

// markov returns n trials of which a share p fails, in runs of mean length l.
func markov(rng *rand.Rand, n int, p, l float64) []bool {
	out := make([]bool, n)
	toGood := 1 / l
	toBad := toGood * p / (1 - p)
	bad := rng.Float64() < p
	for i := range out {
		out[i] = bad
		if bad {
			bad = rng.Float64() >= toGood
		} else {
			bad = rng.Float64() < toBad
		}
	}
	return out
}

// episodes returns what [Clusters] would count in markov's trials, drawn by whole runs.
func episodes(rng *rand.Rand, n int, p, l float64) Clusters {
	var c Clusters
	length := func(leave float64) int {
		return 1 + int(math.Log(1-rng.Float64())/math.Log1p(-leave))
	}
	bad := rng.Float64() < p
	for left := n; left > 0; bad = !bad {
		if !bad {
			k := min(left, length(p/(1-p)/l))
			c.Good += k
			left -= k
			continue
		}
		k := 1
		if l > 1 {
			k = min(left, length(1/l))
		}
		if c.current > 0 {
			c.closed.Add(float64(c.current))
		}
		c.N++
		c.current = k
		c.Bad += k
		left -= k
	}
	return c
}

// The experiment on clustered failures: whatever the clustering, the interval must hold.
func TestUnavailabilityCoverage(t *testing.T) {
	n := repeats(200, 1000)
	for i, row := range []struct {
		n    int
		p, l float64
	}{{20_000, .005, 1}, {20_000, .005, 50}, {100_000, .005, 50}, {100_000, .02, 50}, {100_000, .001, 20}, {20_000, .01, 10}} {
		rng := rand.New(rand.NewPCG(uint64(i), 16))
		var product, f, naive, silent int
		var widths, widthsF []float64
		for range n {
			c := episodes(rng, row.n, row.p, row.l)
			up, down := float64(c.Good), float64(c.Bad)
			if c.N == 0 {
				silent++ // not estimable: nothing is claimed
				continue
			}
			if w := Wilson(down, up+down, .95); w.Lo <= row.p && row.p <= w.Hi {
				naive++
			}
			in := Unavailability(up, down, c.N, c.Sigma(), .95)
			if in.Lo <= row.p && row.p <= in.Hi {
				product++
			}
			widths = append(widths, in.Hi-in.Lo)
			in = UnavailabilityF(up, down, c.N, .95)
			if in.Lo <= row.p && row.p <= in.Hi {
				f++
			}
			widthsF = append(widthsF, in.Hi-in.Lo)
		}
		told := float64(n - silent)
		slices.Sort(widths)
		slices.Sort(widthsF)
		t.Logf("n=%d p=%g L=%g: product %.3f (%.4f), F %.3f (%.4f), naive Wilson %.3f, not estimable %d of %d", row.n, row.p, row.l,
			float64(product)/told, Quantile(widths, .5, Type7), float64(f)/told, Quantile(widthsF, .5, Type7), float64(naive)/told, silent, n)
		least := .94
		if n < 1000 {
			least = floor(.95, n-silent)
		}
		if got := float64(product) / told; got < least {
			t.Errorf("n=%d p=%g L=%g: coverage %.3f, want at least %.3f", row.n, row.p, row.l, got, least)
		}
	}
}

// Repair times are lognormal rather than exponential; the product must hold where the F interval does not.
func TestUnavailabilityCoverageLognormal(t *testing.T) {
	n := repeats(400, 4000)
	for _, c := range [][2]float64{{1, 3}, {1, 10}, {1, 40}, {1.5, 10}, {1.5, 40}, {2, 3}, {2, 10}, {2, 40}, {2, 150}} {
		sigma, k := c[0], c[1]
		rng := rand.New(rand.NewPCG(9, uint64(k)))
		const mtbf = 1000.
		mean := math.Exp(sigma * sigma / 2)
		truth := mean / (mean + mtbf)
		var product, f, told int
		for range n {
			var up, down float64
			var lengths Lengths
			episodes := 0
			for {
				gap := rng.ExpFloat64() * mtbf
				if up+gap > k*mtbf {
					up = k * mtbf
					break
				}
				up += gap
				length := math.Exp(sigma * rng.NormFloat64())
				down += length
				lengths.Add(length)
				episodes++
			}
			if episodes == 0 {
				continue
			}
			told++
			if in := Unavailability(up, down, episodes, lengths.Sigma(), .95); in.Lo <= truth && truth <= in.Hi {
				product++
			}
			if in := UnavailabilityF(up, down, episodes, .95); in.Lo <= truth && truth <= in.Hi {
				f++
			}
		}
		got := float64(product) / float64(told)
		t.Logf("sigma %g, %g episodes expected: product %.3f, F %.3f of %d", sigma, k, got, float64(f)/float64(told), told)
		if got < floor(.95, told) {
			t.Errorf("sigma %g, %g episodes expected: coverage %.3f", sigma, k, got)
		}
	}
}

func TestMTBFCoverage(t *testing.T) {
	n := repeats(400, 4000)
	for _, mean := range []float64{0.5, 2, 8, 40} { // expected failures
		rng := rand.New(rand.NewPCG(7, uint64(mean*10)))
		hit := 0
		for range n {
			r := int(distuv.Poisson{Lambda: mean, Src: rng}.Rand())
			in := MTBF(100, r, .95)
			if truth := 100 / mean; in.Lo <= truth && truth <= in.Hi {
				hit++
			}
		}
		got := float64(hit) / float64(n)
		t.Logf("%g failures expected: coverage %.3f", mean, got)
		if got < floor(.95, n) {
			t.Errorf("%g failures expected: coverage %.3f", mean, got)
		}
	}
}

// Latencies of a queue are correlated: the interval must hold for them as for independent ones.
func TestQuantileIntervalCoverage(t *testing.T) {
	n := repeats(300, 3000)
	for _, c := range []struct {
		size   int
		p, rho float64 // autocorrelation of the underlying Gaussian process
	}{{240, .5, 0}, {240, .95, 0}, {100, .95, 0}, {1000, .99, 0}, {240, .5, .7}, {240, .95, .7}, {1000, .95, .9}, {2000, .99, .8}} {
		rng := rand.New(rand.NewPCG(11, uint64(c.size)))
		truth := math.Exp(distuv.UnitNormal.Quantile(c.p))
		hit, told := 0, 0
		var effective []float64
		for range n {
			x := make([]float64, c.size)
			g := rng.NormFloat64()
			for i := range x {
				x[i] = math.Exp(g)
				g = c.rho*g + math.Sqrt(1-c.rho*c.rho)*rng.NormFloat64()
			}
			in, e, ok := correlated(x, c.p)
			if !ok {
				continue
			}
			effective = append(effective, e)
			told++
			if in.Lo <= truth && truth <= in.Hi {
				hit++
			}
		}
		slices.Sort(effective)
		got := float64(hit) / float64(told)
		t.Logf("n=%d p=%g rho=%g: coverage %.3f, told %d of %d, median effective n %.0f", c.size, c.p, c.rho, got, told, n, Quantile(effective, .5, Type7))
		// The effective size is itself an estimate; two points are allowed for it under correlation.
		least := floor(.95, told)
		if c.rho > 0 {
			least = floor(.93, told)
		}
		if got < least {
			t.Errorf("n=%d p=%g rho=%g: coverage %.3f, want at least %.3f", c.size, c.p, c.rho, got, least)
		}
	}
}

func correlated(x []float64, p float64) (Interval, float64, bool) {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	q := Quantile(sorted, p, Type7)
	m := NumBlocks(len(x))
	ones, sizes := make([]float64, m), make([]float64, m)
	for i := range m {
		lo, hi := Split(len(x), m, i)
		for _, v := range x[lo:hi] {
			if v > q {
				ones[i]++
			}
		}
		sizes[i] = float64(hi - lo)
	}
	e := Effective(len(x), DesignEffect(ones, sizes), m, .95)
	in, ok := QuantileInterval(sorted, p, .95, e)
	return in, e, ok
}
