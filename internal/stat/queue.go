package stat

import "math"

// ErlangC returns the chance that an arrival has to wait with c servers under an offered load of a (arrival rate times mean service time),
// for Poisson arrivals and exponential service; 1 where a is at least c.
func ErlangC(c int, a float64) float64 {
	if a >= float64(c) {
		return 1
	}
	b := 1.0 // Erlang B, by its recursion
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

// Wait returns the mean wait in queue with c servers at the arrival rate and the service rate of one, both per unit of time. ca2 and cs2 are the squared
// coefficients of variation of the times between arrivals and of service, 1 each for Poisson and exponential, where it is exact; else it is
// Allen and Cunneen's approximation. Infinite where the servers cannot keep up.
func Wait(c int, arrivals, service, ca2, cs2 float64) float64 {
	a := arrivals / service
	if a >= float64(c) {
		return math.Inf(1)
	}
	return ErlangC(c, a) / (float64(c)*service - arrivals) * (ca2 + cs2) / 2
}

// Servers returns the least number of servers with which the mean wait is at most limit, and that wait; 0 if a million are not enough.
func Servers(arrivals, service, ca2, cs2, limit float64) (c int, wait float64) {
	for c = int(arrivals/service) + 1; c <= 1_000_000; c++ {
		if wait = Wait(c, arrivals, service, ca2, cs2); wait <= limit {
			return c, wait
		}
	}
	return 0, math.NaN()
}
