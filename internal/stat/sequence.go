package stat

import "math"

// A Sequence bounds the centre of differences that come one after another, and may be looked at after each: the chance that a bound is ever on
// the wrong side of the truth, at any look, is at most Alpha a side. So one may stop when an answer is there and need not have said when.
//
// A bound is what no bettor could have been ruined by: against "the centre is at most δ" one unit of money is put on each difference lying above δ,
// in parts at several odds; if that is true the money grows to 1/Alpha with chance Alpha at most (Ville's inequality), so what made it grow so far is refused. The
// bets are 1 + tanh(λ(d-δ)), which is fair for any differences that lie symmetrically around δ given those before, whatever their spread and tails (de la Peña,
// Ann. Probab. 27, 1999; Ramdas, Ruf, Larsson and Koolen, arXiv 2009.03167). Differences of two blocks in random order are symmetric around 0 where the
// blocks are alike, so that a bound above 0 or more needs no assumption at all. With Bounded the differences lie in [-1, 1] and the bets
// are 1 + λ(d-δ), fair for any whose mean is δ (Waudby-Smith and Ramdas, J. R. Stat. Soc. B 86, 2024): slower, and right for what is rare and comes in bursts.
// Nothing is faster there that bursts on one side alone do not deceive: the admissible bets on a bounded mean are these. Half the money goes to the highest odds,
// since differences of shares of what is lost are small against 1.
//
// The zero value with an Alpha is ready to use.
type Sequence struct {
	Alpha   float64 // of each side; above 0 and below 1
	Bounded bool

	diffs        []float64
	stale        []int // looks whose bounds were not computed yet, by the differences there were
	lower, upper float64
}

// Parts of the money: λ from what suits a change as large as the values themselves to what suits one of a thousandth of it.
var (
	symmetricBets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500}
	boundedBets   = []float64{0.05, 0.1, 0.2, 0.4, 0.7, 0.98} // of what the worst difference, -1, could take: below 1, so that none takes it all
	boundedParts  = []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.5}   // of the money
)

// Add takes the next difference. One that is not finite is left out.
func (s *Sequence) Add(d float64) {
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return
	}
	if len(s.diffs) == 0 {
		s.lower, s.upper = math.Inf(-1), math.Inf(1)
		if s.Bounded {
			s.lower, s.upper = -1, 1
		}
	}
	s.diffs = append(s.diffs, d)
	s.stale = append(s.stale, len(s.diffs))
}

// N returns how many differences were taken.
func (s *Sequence) N() int { return len(s.diffs) }

// Bounds returns the interval of the centre. It never grows.
func (s *Sequence) Bounds() Interval {
	if len(s.diffs) == 0 {
		return Interval{math.Inf(-1), math.Inf(1), 1 - 2*s.Alpha}
	}
	all := s.diffs
	for _, n := range s.stale {
		s.diffs = all[:n]
		s.lower = s.bound(s.lower, 1)
		s.upper = -s.bound(-s.upper, -1)
	}
	s.diffs, s.stale = all, s.stale[:0]
	return Interval{s.lower, s.upper, 1 - 2*s.Alpha}
}

// Centre returns the median of all means of two differences, each with itself too: the estimate of Hodges and Lehmann. NaN without any.
func (s *Sequence) Centre() float64 {
	if len(s.diffs) == 0 {
		return math.NaN()
	}
	if s.Bounded {
		sum := 0.0
		for _, d := range s.diffs {
			sum += d
		}
		return sum / float64(len(s.diffs))
	}
	return newPairTest(s.diffs).shift()
}

// Evidence returns the logarithm of the money won so far against a centre of at most shift; with turned, against one of at least shift.
func (s *Sequence) Evidence(shift float64, turned bool) float64 {
	if turned {
		return s.evidence(-shift, -1)
	}
	return s.evidence(shift, 1)
}

// bound returns the highest δ that is refused from below, or the bound there is. sign turns the differences around.
func (s *Sequence) bound(have, sign float64) float64 {
	goal := -math.Log(s.Alpha)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, d := range s.diffs {
		lo, hi = math.Min(lo, sign*d), math.Max(hi, sign*d)
	}
	// Nothing is won against the largest difference. Far below the smallest everything is, or nothing ever will be.
	if math.IsInf(have, -1) {
		have = lo - 10/symmetricBets[0]
		if s.evidence(have, sign) < goal {
			return math.Inf(-1)
		}
	} else if s.evidence(have, sign) < goal {
		return have
	}
	low, high := have, math.Max(hi, have)
	for range 50 {
		mid := low + (high-low)/2
		if s.evidence(mid, sign) >= goal {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// evidence is the logarithm of the mean over the parts of what each grew to.
func (s *Sequence) evidence(shift, sign float64) float64 {
	bets := symmetricBets
	if s.Bounded {
		bets = boundedBets
	}
	most, sum := math.Inf(-1), 0.0
	for i, bet := range bets {
		part := 1 / float64(len(bets))
		if s.Bounded {
			part = boundedParts[i]
			bet /= math.Max(1+shift, 0.01)
		}
		grown, product := math.Log(part), 1.0 // the logarithm is taken now and then only: it is most of the work
		for _, d := range s.diffs {
			switch x := bet * (sign*d - shift); {
			case s.Bounded:
				product *= 1 + x
			case x < -100:
				grown += math.Ln2 + 2*x
			default:
				product *= 2 / (1 + math.Exp(-2*x))
			}
			if product < 1e-100 || product > 1e100 {
				grown, product = grown+math.Log(product), 1
			}
		}
		grown += math.Log(product)
		if grown > most { // the sum is kept relative to the largest
			sum, most = sum*math.Exp(most-grown)+1, grown
		} else {
			sum += math.Exp(grown - most)
		}
	}
	return most + math.Log(sum)
}
