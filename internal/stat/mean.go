package stat

import (
	"math"
	"slices"
)

// MeanOfShares returns the mean of independent values between 0 and 1 and its interval, whatever their distribution (Anderson, Applied Mathematics and Statistics
// Laboratory, Stanford, 1969: the mean of the distributions that lie within the one-sided bands of Kolmogorov and Smirnov). It covers at least with the
// confidence asked for, also where few values were seen and all are the same; that makes it wide.
func MeanOfShares(values []float64, confidence float64) (mean float64, in Interval) {
	n := len(values)
	if n == 0 {
		return math.NaN(), Interval{0, 1, confidence}
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	d := smirnov(n, (1-confidence)/2)
	lo, hi, at := 1.0, 1.0, 0.0
	for i := 0; i <= n; i++ {
		next := 1.0
		if i < n {
			next = sorted[i]
			mean += next / float64(n)
		}
		f := float64(i) / float64(n)
		lo -= math.Min(1, f+d) * (next - at)
		hi -= math.Max(0, f-d) * (next - at)
		at = next
	}
	return mean, Interval{math.Max(0, lo), math.Min(1, hi), confidence}
}

// smirnov returns the distance that the empirical distribution of n values exceeds the true one by with probability p, by the exact formula of Birnbaum and
// Tingey (1951).
func smirnov(n int, p float64) float64 {
	lo, hi := 0.0, 1.0
	for range 60 {
		if d := (lo + hi) / 2; exceeds(n, d) > p {
			lo = d
		} else {
			hi = d
		}
	}
	return (lo + hi) / 2
}

// exceeds is the probability that it exceeds the true one by more than d somewhere.
func exceeds(n int, d float64) float64 {
	if n > 1000 {
		return math.Exp(-2 * float64(n) * d * d) // its limit, which is never below
	}
	m := float64(n)
	all, _ := math.Lgamma(m + 1)
	sum := 0.0
	for j := 0; float64(j) <= m*(1-d); j++ {
		k := float64(j)
		rest := 1 - d - k/m
		if rest <= 0 {
			continue
		}
		a, _ := math.Lgamma(k + 1)
		b, _ := math.Lgamma(m - k + 1)
		sum += math.Exp(all - a - b + (m-k)*math.Log(rest) + (k-1)*math.Log(d+k/m))
	}
	return d * sum
}
