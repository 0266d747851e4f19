package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// spread returns n values of a lognormal distribution whose logarithms have exactly the mean m and the variance s2.
func spread(n int, m, s2 float64) []Life {
	z := make([]float64, n)
	var mean, ss float64
	for i := range z {
		z[i] = normalQuantile((float64(i) + 0.5) / float64(n))
		mean += z[i] / float64(n)
	}
	for _, v := range z {
		ss += (v - mean) * (v - mean)
	}
	out := make([]Life, n)
	for i, v := range z {
		out[i].Time = math.Exp(m + (v-mean)*math.Sqrt(s2*float64(n-1)/ss))
	}
	return out
}

// Olsson's example (J. Stat. Educ. 13(1), 2005): n = 40, m = 5.127, s² = 1.010 gives 279.22, and a t interval of (187.92, 414.88) by Cox's variance. Ours takes
// chi-square for the variance, which is the longer on the right.
func TestRepairOfOlsson(t *testing.T) {
	r, err := RepairOf(spread(40, 5.127, 1.010), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", r.Mean, 279.22, 5e-3)
	near(t, "median", r.Median, math.Exp(5.127), 1e-6)
	half := StudentT(0.975, 39) * math.Sqrt(1.010/40)
	near(t, "median from", r.InMedian.Lo, math.Exp(5.127-half), 1e-3)
	near(t, "median to", r.InMedian.Hi, math.Exp(5.127+half), 1e-3)
	near(t, "p90", r.P90, math.Exp(5.127+1.2815515655*math.Sqrt(1.010)), 1e-3)
	near(t, "mean from", r.InMean.Lo, 187.92, 12)
	near(t, "mean to", r.InMean.Hi, 414.88, 50)
}

func TestFewRepairs(t *testing.T) {
	if r, err := RepairOf(lives([]float64{3, 5}, 9), 0.95); !errors.Is(err, ErrFewRepairs) || r.N != 3 || r.Censored != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := RepairOf(lives([]float64{3}, 9, 9), 0.95); err == nil || r.N != 3 || r.Censored != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := RepairOf(lives([]float64{4, 4, 4}), 0.95); err == nil {
		t.Error("three equal repairs gave a distribution")
	}
}

// A repair that had not ended when it was last seen lengthens the estimate.
func TestCensoredRepairs(t *testing.T) {
	open, err := RepairOf(lives([]float64{12, 30, 7, 45}, 20), 0.95)
	if err != nil {
		t.Fatal(err)
	}
	dropped, _ := RepairOf(lives([]float64{12, 30, 7, 45}), 0.95)
	ended, _ := RepairOf(lives([]float64{12, 30, 7, 45, 20}), 0.95)
	if !(open.Median > dropped.Median && open.Median > ended.Median) || open.N != 5 || open.Censored != 1 {
		t.Errorf("median %g with one open, %g without it, %g as if it had ended", open.Median, dropped.Median, ended.Median)
	}
}

func TestRepairsCoverTheTruth(t *testing.T) {
	n := repeats(250, 2000)
	for _, c := range []struct {
		k          int
		sigma, cut float64 // cut: the watch sees no longer, in medians; 0: all
	}{{4, 1, 0}, {8, 0.5, 0}, {8, 1.5, 0}, {8, 1, 3}, {20, 1, 2}, {20, 1.5, 4}} {
		rng := rand.New(rand.NewPCG(uint64(c.k), uint64(100*c.sigma+c.cut)))
		const median = 10.0
		truth := []float64{median, median * math.Exp(c.sigma*c.sigma/2), median * math.Exp(1.2815515655*c.sigma)}
		var hit [3]int
		told := 0
		for range n {
			ls := make([]Life, c.k)
			for i := range ls {
				v := median * math.Exp(c.sigma*rng.NormFloat64())
				if ls[i].Time = v; c.cut > 0 && v > median*c.cut {
					ls[i] = Life{median * c.cut, true}
				}
			}
			r, err := RepairOf(ls, 0.95)
			if err != nil {
				continue
			}
			told++
			for i, in := range []Interval{r.InMedian, r.InMean, r.InP90} {
				if in.Lo <= truth[i] && truth[i] <= in.Hi {
					hit[i]++
				}
			}
		}
		for i, what := range []string{"median", "mean", "p90"} {
			got := float64(hit[i]) / float64(told)
			t.Logf("n %d, sigma %g, cut %g: %s covered in %.3f of %d", c.k, c.sigma, c.cut, what, got, told)
			if got < floor(0.95, told) {
				t.Errorf("n %d, sigma %g, cut %g: %s covered in %.3f of %d, want at least %.3f", c.k, c.sigma, c.cut, what, got, told, floor(0.95, told))
			}
		}
	}
}
