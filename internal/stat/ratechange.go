package stat

import "math"

// RateChange finds where the rate of a Poisson process changed from before to after, events a bin, given how many came in each of bins of one length: the number of the first bin at the
// new rate with the largest likelihood, and the least and the greatest number that hold it with the given confidence where each was as likely beforehand. Rates are 0 or more and differ;
// numbers go from 0 to len(counts).
func RateChange(counts []int, before, after, confidence float64) (at, lo, hi int) {
	const least = 1e-9 // of a rate: one event at none is unlikely, and not impossible
	gain := math.Log(max(before, least)) - math.Log(max(after, least))
	like := make([]float64, len(counts)+1) // log likelihood against a change before all
	for i, n := range counts {
		like[i+1] = like[i] + float64(n)*gain - (before - after)
		if like[i+1] > like[at] {
			at = i + 1
		}
	}
	sum, most := 0.0, like[at]
	for i := range like {
		like[i] = math.Exp(like[i] - most)
		sum += like[i]
	}
	tail := (1 - confidence) / 2 * sum
	below := 0.0
	for lo = 0; lo < at && below+like[lo] <= tail; lo++ {
		below += like[lo]
	}
	above := 0.0
	for hi = len(counts); hi > at && above+like[hi] <= tail; hi-- {
		above += like[hi]
	}
	return at, lo, hi
}
