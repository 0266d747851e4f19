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
	return SlopeWithin([]Stretch{{x[:n], y[:n]}}, confidence)
}

// A Stretch is a piece of a series: values Y at rising X, as many of one as of the other.
type Stretch struct{ X, Y []float64 }

// SlopeWithin is [SlopeOf] of a trend that several stretches share while each has a level of its own: only pairs within a stretch are looked at, and the variances of their S add up
// (Hirsch, Slack and Smith, Water Resour. Res. 18, 1982, whose stretches are seasons). The intercept is that of the last stretch.
func SlopeWithin(stretches []Stretch, confidence float64) (s Slope, ok bool) {
	var slopes []float64
	for k := range stretches {
		x, y := stretches[k].X, stretches[k].Y
		s.N += len(x)
		for i := range x {
			for j := i + 1; j < len(x); j++ {
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
	}
	n := s.N
	if n < SlopeLeast || len(slopes) == 0 {
		return s, false
	}
	slices.Sort(slopes)
	s.PerX = Quantile(slopes, .5, Type7)
	var own, next, variance float64
	for k := range stretches {
		x, y := stretches[k].X, stretches[k].Y
		if len(x) == 0 {
			continue
		}
		rest := make([]float64, len(x))
		for i := range x {
			rest[i] = y[i] - s.PerX*x[i]
		}
		o, e := neighbours(rest, 1e-9*math.Max(math.Abs(slices.Max(y)), math.Abs(slices.Min(y))))
		own, next = own+o, next+e
		slices.Sort(rest)
		s.Intercept = Quantile(rest, .5, Type7)
		variance += (kendall(len(x)) - ties(y) - ties(x)) / 18
	}
	if own > 0 {
		s.Rho = next / own
	}
	// What Rho is too small by beside a trend is added (Kendall, Biometrika 41, 1954), for each stretch that has a level of its own.
	if rho := math.Min(s.Rho+float64(len(stretches))*(1+4*s.Rho)/float64(n), .99); rho > 1/math.Sqrt(float64(n)) {
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

// neighbours returns the sums of squares of values about their mean, and of their products with the next; 0 where they differ by less than rounding does.
func neighbours(v []float64, rounding float64) (own, next float64) {
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for i, x := range v {
		own += (x - mean) * (x - mean)
		if i > 0 {
			next += (x - mean) * (v[i-1] - mean)
		}
	}
	if own <= float64(len(v))*rounding*rounding {
		return 0, 0
	}
	return own, next
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
