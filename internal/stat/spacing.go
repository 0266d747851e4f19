package stat

import (
	"math"
	"slices"
)

// Dispersion returns the index of dispersion of a point process: the variance over the mean of the counts in consecutive windows of equal width, from the
// first instant. It is 1 for a Poisson process, 0 for even spacing, and more for bursts. Times are in order; NaN with fewer than two whole windows.
func Dispersion(times []float64, width float64) float64 {
	if len(times) == 0 || !(width > 0) {
		return math.NaN()
	}
	windows := int((times[len(times)-1] - times[0]) / width)
	if windows < 2 {
		return math.NaN()
	}
	counts := make([]float64, windows)
	for _, t := range times {
		if i := int((t - times[0]) / width); i < windows {
			counts[i]++
		}
	}
	var mean, ss float64
	for _, c := range counts {
		mean += c / float64(windows)
	}
	for _, c := range counts {
		ss += (c - mean) * (c - mean)
	}
	if mean == 0 {
		return math.NaN()
	}
	return ss / float64(windows-1) / mean
}

// KSWithin returns Kolmogorov and Smirnov's distance between two samples after each value may be moved by up to slack. With no slack it
// is the usual one, which is large for two lattices that differ by a hair. NaN where a sample is empty.
func KSWithin(a, b []float64, slack float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return math.Max(ahead(a, b, slack), ahead(b, a, slack))
}

// ahead returns the largest excess of a's distribution over that of b moved down by slack.
func ahead(a, b []float64, slack float64) float64 {
	var d float64
	j := 0
	for i := range a {
		if i+1 < len(a) && a[i+1] == a[i] {
			continue
		}
		for j < len(b) && b[j]-slack <= a[i] {
			j++
		}
		d = math.Max(d, float64(i+1)/float64(len(a))-float64(j)/float64(len(b)))
	}
	return d
}
