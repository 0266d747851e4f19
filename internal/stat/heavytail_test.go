package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// The tables are what they are said to be, at their entries and between them.
func TestRepairFactor(t *testing.T) {
	n := repeats(20_000, 60_000)
	for _, sigma := range []float64{1, 1.25, 2} {
		for _, k := range []int{1, 4, 12, 60, 1000} {
			if k > 100 && n <= 20_000 {
				continue
			}
			rng := rand.New(rand.NewPCG(uint64(k), uint64(sigma*4)))
			lower, upper := distuv.Gamma{Alpha: float64(k), Beta: 1, Src: rng}, distuv.Gamma{Alpha: float64(k + 1), Beta: 1, Src: rng}
			lo, hi := make([]float64, n), make([]float64, n)
			for i := range n {
				var sum float64
				for range k {
					sum += math.Exp(sigma*rng.NormFloat64() - sigma*sigma/2)
				}
				lo[i], hi[i] = lower.Rand()/sum, upper.Rand()/sum
			}
			slices.Sort(lo)
			slices.Sort(hi)
			for _, tc := range []struct {
				name      string
				got, want float64
			}{
				{"lower", repairFactor(repairLower, sigma, k, 1.96), Quantile(lo, .025, Type7)},
				{"upper", repairFactor(repairUpper, sigma, k, 1.96), Quantile(hi, .975, Type7)},
				{"upper at 90 %", repairFactor(repairUpper, sigma, k, 1.45), Quantile(hi, .9265, Type7)},
			} {
				if off := math.Abs(math.Log(tc.got / tc.want)); off > .2 {
					t.Errorf("sigma %g, %d episodes: %s %.3f want %.3f", sigma, k, tc.name, tc.got, tc.want)
				}
			}
		}
	}
}

// Beyond the tables bounds go on as they must: closer with more episodes, further apart with more confidence.
func TestUnavailabilityOrder(t *testing.T) {
	const up, down = 1000, 10
	narrow := Unavailability(up, down, 1000, 2, .95)
	if in := Unavailability(up, down, 100_000, 2, .95); in.Lo <= narrow.Lo || in.Hi >= narrow.Hi || in.Lo >= share(.01) || in.Hi <= share(.01) {
		t.Errorf("with more episodes %+v, not within %+v", in, narrow)
	}
	if in := Unavailability(up, down, 1000, 2, .9999); in.Lo >= narrow.Lo || in.Hi <= narrow.Hi {
		t.Errorf("with more confidence %+v, not beyond %+v", in, narrow)
	}
	if in := Unavailability(up, down, 1000, 1, .95); in.Lo <= narrow.Lo || in.Hi >= narrow.Hi {
		t.Errorf("with less variable lengths %+v, not within %+v", in, narrow)
	}
	if in := Unavailability(up, 0, 0, 2, .95); in != (Interval{0, 1, .95}) {
		t.Errorf("without an episode %+v", in)
	}
}

func TestLengths(t *testing.T) {
	var none, same, wide Lengths
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		same.Add(3)
		wide.Add(math.Exp(3 * rng.NormFloat64()))
	}
	var mild Lengths
	for range 400 {
		mild.Add(math.Exp(1.2 * rng.NormFloat64()))
	}
	if a, b, c := none.Sigma(), same.Sigma(), wide.Sigma(); a != 2 || b != 1 || c != 2 {
		t.Errorf("none %g, all the same %g, wide %g; want 2, 1, 2", a, b, c)
	}
	if got := mild.Sigma(); got < 1.2 || got > 1.4 {
		t.Errorf("400 lengths of 1.2: %g", got)
	}
	c := Clusters{N: 3, Bad: 5} // counted elsewhere
	if got := c.Sigma(); got != 2 {
		t.Errorf("clusters without sizes: %g", got)
	}
	c = Clusters{}
	for range 30 {
		c.Add(true)
		c.Add(false)
	}
	if got := c.Sigma(); got != 1 {
		t.Errorf("clusters of one: %g", got)
	}
}
