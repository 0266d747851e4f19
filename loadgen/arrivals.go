package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Arrivals is a way to space the sends of a phase. Implementations hold settings only.
type Arrivals interface {
	// Due appends the instants, in ns from the phase's begin and in order, at which requests are due in a
	// phase that lasts d. All randomness comes from rng.
	Due(dst []int64, d time.Duration, rng *rand.Rand) []int64

	// Mean is the expected rate over the phase, in requests per second.
	Mean() float64

	// Check says what is wrong with the settings.
	Check() error
}

// ArrivalKind is one entry of [ArrivalKinds].
type ArrivalKind struct {
	Name string
	Help string // one sentence
	New  func(Profile) Arrivals
}

// ArrivalKinds is the table of arrival processes.
var ArrivalKinds = []ArrivalKind{
	{"poisson", "Independent users: exponential gaps.", func(p Profile) Arrivals { return Poisson{p} }},
	{"even", "Equal gaps.", func(p Profile) Arrivals { return Even{p} }},
}

// A Profile is the rate of an arrival process over a phase: constant, or changing linearly.
type Profile struct {
	Rate float64  // requests per second at the beginning
	To   *float64 // at the end; nil means Rate
}

// end returns the rate at the end of the phase.
func (p Profile) end() float64 {
	if p.To != nil {
		return *p.To
	}
	return p.Rate
}

// Mean implements [Arrivals].
func (p Profile) Mean() float64 { return (p.Rate + p.end()) / 2 }

// Check implements [Arrivals].
func (p Profile) Check() error {
	for _, r := range []float64{p.Rate, p.end()} {
		if !(r >= 0) || math.IsInf(r, 0) || r > 1e6 {
			return fmt.Errorf("rate %g/s: want between 0/s and 1000000/s", r)
		}
	}
	return nil
}

// total returns how many requests are expected in a phase of length d.
func (p Profile) total(d time.Duration) float64 { return p.Mean() * d.Seconds() }

// at returns when the expected number of requests since the phase's begin reaches s, in ns. With a
// rate that goes from a to b over T it solves a·t + (b-a)·t²/2T = s, in the form that
// stays exact when b is a.
func (p Profile) at(s float64, d time.Duration) int64 {
	if s == 0 {
		return 0
	}
	a, c := p.Rate, (p.end()-p.Rate)/d.Seconds()
	return int64(math.Round(1e9 * 2 * s / (a + math.Sqrt(max(0, a*a+2*c*s)))))
}
