package stat

import "math"

// Losses bounds how many more of its requests one side loses than another, as a difference of shares, from pairs of blocks that come one after another; like
// a [Sequence] it may be looked at after each. Requests are put against one another one by one: 1 + λ(u-x), with x 1 where the second side alone lost, -1 where the
// first alone did, else 0, is fair or worse for any x whose mean is u or more (Waudby-Smith and Ramdas, as there). So it takes requests to fail one by one: a whole block lost at
// once by the second side is told by no block in which that does not happen, and [Sequence] with Bounded is what allows for it. What the first side loses in bursts
// tells nothing of the second: of each pair at most 2 more than the second side's count.
//
// The zero value is ready to use.
type Losses struct {
	n, first, second []float64 // by pair: requests, and those lost by one side
}

// lossCredit is how many more losses of the first side than of the second a pair may count.
const lossCredit = 2

var (
	lossBets  = []float64{0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95}
	lossParts = []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4}
)

// Add takes a pair of blocks: how many requests each side had that count, and how many it lost. A pair without requests on either side is left out.
func (l *Losses) Add(n, lost, otherN, otherLost int) {
	if n < 1 || otherN < 1 {
		return
	}
	of := min(n, otherN)
	first := min(lost, otherLost+lossCredit, of)
	l.n, l.first, l.second = append(l.n, float64(of)), append(l.first, float64(first)), append(l.second, float64(otherLost))
}

// Evidence returns the logarithm of the money won so far against the second side losing at least u more, 0 to 1.
func (l *Losses) Evidence(u float64) float64 {
	var n, first, second float64
	for i := range l.n {
		n, first, second = n+l.n[i], first+l.first[i], second+l.second[i]
	}
	most, sum := math.Inf(-1), 0.0
	for i, bet := range lossBets {
		grown := math.Log(lossParts[i]) + second*math.Log1p(bet*(u-1)) + first*math.Log1p(bet*(u+1)) + (n-first-second)*math.Log1p(bet*u)
		if grown > most {
			sum, most = sum*math.Exp(most-grown)+1, grown
		} else {
			sum += math.Exp(grown - most)
		}
	}
	return most + math.Log(sum)
}

// Bound returns the least loss, 0 to 1, that is refused with a chance of alpha of being wrong, at this look and all others; 1 if none is.
func (l *Losses) Bound(alpha float64) float64 {
	goal := -math.Log(alpha)
	if l.Evidence(1) < goal {
		return 1
	}
	low, high := 0.0, 1.0
	for range 40 {
		if mid := low + (high-low)/2; l.Evidence(mid) >= goal {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}
