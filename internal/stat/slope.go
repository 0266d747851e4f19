package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// SlopeLeast is the least number of points from which a [Slope] says anything: with fewer no order of them is rare enough.
const SlopeLeast = 8

// A Slope is a monotone trend of y over x that no outlier moves: Kendall's test of whether there is one, and Theil and Sen's
// estimate of how steep it is.
type Slope struct {
	N         int
	PerX      float64  // median of the slopes of all pairs
	Interval  Interval // of PerX, by Sen's ranks
	S         int      // concordant less discordant pairs
	P         float64  // of Mann and Kendall's test, two-sided, with continuity correction
	Intercept float64  // median of y − PerX·x
	Rho       float64  // correlation of what is left beside the trend with its neighbour
}

// SlopeOf returns the trend of values y at rising x. Where what is left beside the trend resembles its neighbour more than chance explains, test
// and interval allow for it: the variance of S is that of so many fewer points, by the factor (1+Rho)/(1−Rho). ok is false with fewer than
// [SlopeLeast] points or without two different x.
func SlopeOf(x, y []float64, confidence float64) (s Slope, ok bool) {
	n := min(len(x), len(y))
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := i + 1; j < n; j++ {
			dx, dy := x[j]-x[i], y[j]-y[i]
			if dx == 0 {
				continue
			}
			v := dy / dx
			slopes = append(slopes, v)
			switch {
			case v > 0:
				s.S++
			case v < 0:
				s.S--
			}
		}
	}
	if s.N = n; n < SlopeLeast || len(slopes) == 0 {
		return s, false
	}
	slices.Sort(slopes)
	s.PerX = Quantile(slopes, .5, Type7)
	rest := make([]float64, n)
	for i := range n {
		rest[i] = y[i] - s.PerX*x[i]
	}
	s.Rho = neighbours(rest, 1e-9*math.Max(math.Abs(slices.Max(y[:n])), math.Abs(slices.Min(y[:n]))))
	slices.Sort(rest)
	s.Intercept = Quantile(rest, .5, Type7)
	variance := (kendall(n) - ties(y[:n]) - ties(x[:n])) / 18
	// What Rho is too small by beside a trend is added (Kendall, Biometrika 41, 1954).
	if rho := math.Min(s.Rho+(1+4*s.Rho)/float64(n), .99); rho > 1/math.Sqrt(float64(n)) {
		variance *= (1 + rho) / (1 - rho)
	}
	if variance > 0 {
		z := math.Max(0, math.Abs(float64(s.S))-1) / math.Sqrt(variance)
		s.P = 2 * distuv.UnitNormal.Survival(z)
	} else {
		s.P = 1
	}
	// Of the ordered slopes, those so many ranks from the middle bound the truth.
	c := normalQuantile(1-(1-confidence)/2) * math.Sqrt(math.Max(0, variance))
	m := float64(len(slopes))
	lo := int(math.Floor((m - c) / 2))
	hi := int(math.Ceil((m+c)/2)) + 1
	s.Interval = Interval{math.Inf(-1), math.Inf(1), confidence}
	if lo >= 1 {
		s.Interval.Lo = slopes[lo-1]
	}
	if hi <= len(slopes) {
		s.Interval.Hi = slopes[hi-1]
	}
	return s, true
}

// neighbours returns the correlation of values with the next; 0 where they differ by less than rounding does.
func neighbours(v []float64, rounding float64) float64 {
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	var own, next float64
	for i, x := range v {
		own += (x - mean) * (x - mean)
		if i > 0 {
			next += (x - mean) * (v[i-1] - mean)
		}
	}
	if own <= float64(len(v))*rounding*rounding {
		return 0
	}
	return next / own
}

func kendall(n int) float64 {
	f := float64(n)
	return f * (f - 1) * (2*f + 5)
}

// ties returns what groups of equal values take from the variance of Kendall's S, times 18.
func ties(v []float64) float64 {
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	var sum float64
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		if j-i > 1 {
			sum += kendall(j - i)
		}
		i = j
	}
	return sum
}
