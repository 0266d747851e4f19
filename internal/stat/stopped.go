package stat

import "math"

// A Course is what becomes of a sequential test that is broken off after some time, where the MTBF is known: the chances that it accepts, rejects or ends
// undecided, and how long it takes on average and at most in 95 of 100 cases.
type Course struct {
	Accepts, Rejects, Undecided float64
	Mean, Most                  float64 // in the unit of Good and Bad
}

// Course returns what becomes of the test where the MTBF is m, if it is broken off after longest, which may be +Inf. Unlike [Sequential.Expected] and
// [Sequential.Reaches] it is exact: failures are a Poisson process, the accepting line is met at instants known beforehand, one for each number of failures, and
// the rejecting line is a number of failures that stays the same between two such instants, so that the chance of each number of failures can be carried from
// one to the next.
func (s Sequential) Course(m, longest float64) Course {
	c := s.carry(m, longest)
	out := Course{Accepts: c.accepted, Rejects: c.rejected, Mean: c.mean, Most: c.most}
	for _, p := range c.alive {
		out.Undecided += p
	}
	return out
}

// carried are the chances at the end of a test that was broken off.
type carried struct {
	accepted, rejected float64
	alive              []float64 // undecided with first + i failures
	first              int
	mean, most         float64
}

// aliveEnough is the chance of going on below which a test without an end is taken to have ended.
const aliveEnough = 1e-12

// carry follows the chances until the instant end.
func (s Sequential) carry(m, end float64) carried {
	rate := 1 / m
	barrier := 1 // so many failures reject now
	for s.Reject(barrier) <= 0 {
		barrier++
	}
	c := carried{alive: []float64{1}, most: math.NaN()}
	now := 0.0
	for now < end {
		accept, reject := s.Accept(c.first), s.Reject(barrier)
		to := min(accept, reject, end)
		if d := to - now; d > 0 {
			c.advance(d, rate, barrier)
		}
		now = to
		if accept == to {
			c.accepted += c.alive[0]
			c.alive = c.alive[1:]
			c.first++
			if len(c.alive) == 0 { // all who are left have more failures
				c.alive = []float64{0}
			}
		}
		if reject == to {
			barrier++
		}
		on := 0.0
		for _, p := range c.alive {
			on += p
		}
		if on <= 0.05 && math.IsNaN(c.most) {
			c.most = now
		}
		if on < aliveEnough {
			break
		}
	}
	if math.IsNaN(c.most) {
		c.most = end
	}
	return c
}

// advance carries the chances over d, in which the barrier stays where it is. Failures only add up, so whoever has reached it at the end has been rejected.
func (c *carried) advance(d, rate float64, barrier int) {
	most := barrier - c.first // numbers of failures below the barrier
	next := make([]float64, most)
	x := rate * d
	pmf := make([]float64, most) // of so many more failures
	beyond := make([]float64, most)
	at, sum := math.Exp(-x), 0.0
	for j := range pmf {
		pmf[j] = at
		sum += at
		beyond[j] = math.Max(0, 1-sum) // more than j more
		at *= x / float64(j+1)
	}
	for i, p := range c.alive {
		if p == 0 {
			continue
		}
		left := most - 1 - i // more failures that it may have
		for j := 0; j <= left; j++ {
			next[i+j] += p * pmf[j]
			c.mean += p * beyond[j] / rate // the time with exactly j more: the integral of its chance
		}
		c.rejected += p * beyond[left]
	}
	c.alive = next
}

// Interval returns the two-sided interval of the MTBF after a test that ended at stop. An interval for a set time would not hold: what ended the test is in what it
// saw. The ends of a test are put in order from the best (accepted at once) to the worst (rejected at once), and the bounds are those MTBFs under which an end at least as
// good, or at most as good, has half of 1-confidence (Bryant and Schmee, Technometrics 21, 1979, for the plans of MIL-STD-781). A test that was not decided must have
// been broken off for a reason that lies not in its failures.
func (s Sequential) Interval(stop Stop, confidence float64) Interval {
	tail := (1 - confidence) / 2
	in := Interval{0, math.Inf(1), confidence}
	in.Lo = s.solve(func(m float64) float64 { asGood, _ := s.ends(stop, m); return asGood }, tail)
	if stop.Decision == Rejected || stop.Failures > 0 { // else nothing is better
		in.Hi = s.solve(func(m float64) float64 { _, better := s.ends(stop, m); return better }, 1-tail)
	}
	return in
}

// ends returns the chances, where the MTBF is m, of an end at least as good as stop and of a better one. Both grow with m.
func (s Sequential) ends(stop Stop, m float64) (asGood, better float64) {
	switch stop.Decision {
	case Accepted:
		asGood = s.carry(m, s.Accept(stop.Failures)).accepted
		if stop.Failures > 0 {
			better = s.carry(m, s.Accept(stop.Failures-1)).accepted
		}
	case Rejected:
		asGood = 1 - s.carry(m, stop.At).rejected
		better = asGood
	default:
		c := s.carry(m, stop.At)
		asGood = c.accepted + c.between(0, stop.Failures)
		better = c.accepted + c.between(0, stop.Failures-1)
	}
	return asGood, better
}

// between returns the chance of being undecided with from to to failures.
func (c *carried) between(from, to int) float64 {
	sum := 0.0
	for i, p := range c.alive {
		if n := c.first + i; from <= n && n <= to {
			sum += p
		}
	}
	return sum
}

// solve returns the MTBF at which a chance that grows with it is p.
func (s Sequential) solve(chance func(m float64) float64, p float64) float64 {
	lo, hi := math.Log(s.Bad)-8, math.Log(s.Good)+12
	if chance(math.Exp(lo)) >= p {
		return 0
	}
	if chance(math.Exp(hi)) < p {
		return math.Inf(1)
	}
	for range 45 {
		if mid := (lo + hi) / 2; chance(math.Exp(mid)) < p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp((lo + hi) / 2)
}
