package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
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

// A Streamer is an Arrivals that yields its instants one by one, so that a schedule of any length needs no memory. It yields
// what Due appends.
type Streamer interface {
	Arrivals
	Each(d time.Duration, rng *rand.Rand) iter.Seq[int64]
}

// A Lasting is an Arrivals that knows how long it is: the phase need not say, and may only cut it short.
type Lasting interface {
	Arrivals
	Lasts() time.Duration
}

// ArrivalKind is one entry of [ArrivalKinds].
type ArrivalKind struct {
	Name string
	Help string // one sentence

	// New returns the process with the mean rate of a profile and its other settings at their defaults. What has no
	// rate of its own, or needs more than a rate, ignores the profile or fails Check until it is filled in.
	New func(Profile) Arrivals
}

// ArrivalKinds is the table of arrival processes.
var ArrivalKinds = []ArrivalKind{
	{"poisson", "Independent users: exponential gaps.", func(p Profile) Arrivals { return Poisson{p} }},
	{"even", "Equal gaps.", func(p Profile) Arrivals { return Even{p} }},
	{"gamma", "Bursty or regular users: gaps with a gamma distribution of a given coefficient of variation.", func(p Profile) Arrivals { return Gamma{Profile: p, CV: 2} }},
	{"weibull", "Gaps with a Weibull distribution, whose tail is heavier than that of a gamma.", func(p Profile) Arrivals { return Weibull{p, 0.7} }},
	{"stages", "A list of rates, each for a time, with ramps between them.", func(p Profile) Arrivals { return Stages{Stages: []Stage{{Rate: p.Mean(), For: time.Minute}}} }},
	{"diurnal", "A rate that rises and falls as a sine, as a day does.", func(p Profile) Arrivals {
		return Diurnal{Rate: p.Mean(), Amplitude: 0.8, Period: time.Minute}
	}},
	{"onoff", "Bursts at one rate with pauses between them.", func(p Profile) Arrivals {
		return OnOff{Rate: 2 * p.Mean(), On: 5 * time.Second, Off: 5 * time.Second}
	}},
	{"ladder", "Single requests after growing idle gaps: finds the time after which a platform scales to zero.", func(Profile) Arrivals { return Ladder{} }},
	{"trace", "The requests of a recorded trace, with their lengths and shared prefixes.", func(Profile) Arrivals { return Replay{} }},
}

// gather appends what seq yields to dst.
func gather(dst []int64, seq iter.Seq[int64]) []int64 {
	for at := range seq {
		dst = append(dst, at)
	}
	return dst
}

// renewal yields the arrivals of a renewal process with gaps of mean one, stretched to the rate of p. The process is in
// equilibrium at the phase's begin: it has run for a while before, so that the expected number of arrivals
// is the rate times the time however the gaps are distributed. cv is their coefficient of variation.
func renewal(p Profile, d time.Duration, gap trace.Gap, cv float64, rng *rand.Rand) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		total := p.total(d)
		for s := -20*(1+cv*cv) + gap(rng); s < total; s += gap(rng) {
			if s < 0 {
				continue
			}
			if at := p.at(s, d); at < int64(d) && !yield(at) {
				return
			}
		}
	}
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
		if err := checkRate(r); err != nil {
			return err
		}
	}
	return nil
}

func checkRate(r float64) error {
	if !(r >= 0) || math.IsInf(r, 0) || r > 1e6 {
		return fmt.Errorf("rate %g/s: want between 0/s and 1000000/s", r)
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
