package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/assay-dev/assay/internal/stat"
)

const confidence = 0.95

// clusterGap is how many good requests in a row end an episode, as in the analyzers.
const clusterGap = 5

// nothingFailed is what most abstentions of availability rest on: of 20,000 requests with two spells expected one watch in eight meets none, and of 26 minutes with an MTBF of an hour more than half. An interval
// would need to be told how long a failure may last, as in the rows in which that is stated, which abstain never.
const nothingFailed = "nothing failed while it was watched, and so nothing bounds how long a failure would last: there is an interval once that is stated, as in the rows that state it"

// availabilityRows are requests whose failures come in runs of a mean length, and renewals in time with repairs of several distributions.
func availabilityRows() []row {
	const requests, renewal = "availability by request", "availability by time"
	var out []row
	for _, c := range []struct {
		n    int
		p, l float64
	}{{20_000, .005, 1}, {20_000, .005, 50}, {100_000, .005, 50}, {100_000, .02, 50}, {100_000, .001, 20}, {20_000, .01, 10}} {
		name := fmt.Sprintf("%d requests, share bad %g, %g at a time", c.n, c.p, c.l)
		told := func(k *stat.Clusters, in stat.Interval) claim {
			return claim{told: k.N > 0, in: in, truth: c.p, nines: in.Hi <= .1, why: nothingFailed}
		}
		out = append(out, row{requests, name, confidence, .94, false, func(rng *rand.Rand) claim {
			k := markov(rng, c.n, c.p, c.l)
			return told(k, stat.Unavailability(float64(k.Good), float64(k.Bad), k.N, k.Sigma(), confidence))
		}}, row{requests, name + ": independent requests, Wilson", confidence, 0, true, func(rng *rand.Rand) claim {
			k := markov(rng, c.n, c.p, c.l)
			return told(k, stat.Wilson(float64(k.Bad), float64(c.n), confidence))
		}}, row{requests, name + ": exponential, F", confidence, 0, true, func(rng *rand.Rand) claim {
			k := markov(rng, c.n, c.p, c.l)
			return told(k, stat.UnavailabilityF(float64(k.Good), float64(k.Bad), k.N, confidence))
		}})
	}
	out = append(out, row{requests, "20000 requests, share bad 0.005, 50 at a time; no more than 1000 stated", confidence, .94, false, func(rng *rand.Rand) claim {
		k := markov(rng, 20_000, .005, 50)
		in := stat.Unavailability(float64(k.Good), float64(k.Bad), k.N, k.Sigma(), confidence)
		if k.N == 0 {
			in = stat.UnavailabilityBound(float64(k.Good), 1000, confidence)
		}
		return claim{told: true, in: in, truth: .005, nines: in.Hi <= .1}
	}})
	hour := func(rng *rand.Rand, _ bool) float64 { return rng.ExpFloat64() }
	periodic := func(rng *rand.Rand, first bool) float64 {
		if first {
			return rng.Float64() // the watch begins at any instant
		}
		return 1
	}
	const repair = 1. / 6 // hours
	lognormal := func(sigma float64) func(*rand.Rand) float64 {
		return func(rng *rand.Rand) float64 { return repair * math.Exp(sigma*rng.NormFloat64()-sigma*sigma/2) }
	}
	exponential := func(rng *rand.Rand) float64 { return repair * rng.ExpFloat64() }
	watch := func(name string, hours float64, up func(*rand.Rand, bool) float64, down func(*rand.Rand) float64) {
		out = append(out, row{renewal, name, confidence, .94, false, func(rng *rand.Rand) claim {
			w := watched(rng, hours, 0, up, down)
			return w.claim(repair/(1+repair), 0)
		}})
	}
	for _, k := range []float64{3, 10, 40, 150} {
		hours := k * (1 + repair)
		watch(fmt.Sprintf("%g failures, repair exponential", k), hours, hour, exponential)
		for _, sigma := range []float64{1, 1.5, 2} {
			watch(fmt.Sprintf("%g failures, repair lognormal, sigma %g", k, sigma), hours, hour, lognormal(sigma))
		}
		watch(fmt.Sprintf("%g failures, repair always the same", k), hours, hour, func(*rand.Rand) float64 { return repair })
		watch(fmt.Sprintf("%g failures, one each hour, repair lognormal, sigma 1", k), hours, periodic, lognormal(1))
		watch(fmt.Sprintf("%g failures, one each hour, repair always the same", k), hours, periodic, func(*rand.Rand) float64 { return repair })
	}
	few := func(name string, longest float64, down func(*rand.Rand) float64) {
		out = append(out, row{renewal, name, confidence, .94, false, func(rng *rand.Rand) claim {
			w := watched(rng, 26./60, repair/(1+repair), hour, down)
			return w.claim(repair/(1+repair), longest)
		}})
	}
	few("0 to 3 failures: MTBF 1 h, repair 10 min, watched 26 min", 0, exponential)
	few("0 to 3 failures: the same, repair lognormal, sigma 1.5", 0, lognormal(1.5))
	few("0 to 3 failures: no more than 1 h of repair stated", 1, exponential)
	return out
}

// markov returns the clusters among n requests of which a share p fails, in runs of mean length l.
func markov(rng *rand.Rand, n int, p, l float64) *stat.Clusters {
	c := &stat.Clusters{Gap: clusterGap}
	toGood := 1 / l
	toBad := toGood * p / (1 - p)
	length := func(leave float64) int {
		if leave >= 1 {
			return 1
		}
		return 1 + int(math.Log(1-rng.Float64())/math.Log1p(-leave))
	}
	bad := rng.Float64() < p
	for left := n; left > 0; bad = !bad {
		leave := toBad
		if bad {
			leave = toGood
		}
		k := min(left, length(leave))
		left -= k
		for range k {
			c.Add(bad)
		}
	}
	return c
}

// A watchedTime is what was seen of a renewal process.
type watchedTime struct {
	up, down float64
	failures int
	lengths  stat.Lengths
}

// watched watches for hours a deployment that is down at the beginning with the given chance; a failure that has not ended counts with what was seen of it.
func watched(rng *rand.Rand, hours, startsDown float64, up func(rng *rand.Rand, first bool) float64, down func(*rand.Rand) float64) watchedTime {
	var w watchedTime
	first := true
	bad := rng.Float64() < startsDown
	for left := hours; left > 0; bad = !bad {
		if !bad {
			d := math.Min(left, up(rng, first))
			first = false
			w.up += d
			left -= d
			continue
		}
		d := math.Min(left, down(rng))
		w.failures++
		w.down += d
		w.lengths.Add(d)
		left -= d
	}
	return w
}

// claim is the interval of the share of bad time; without a failure there is one only if the mean repair is stated to take no longer than longest.
func (w watchedTime) claim(truth, longest float64) claim {
	if w.failures == 0 || w.up <= 0 {
		if longest == 0 || w.up <= 0 {
			why := nothingFailed
			if w.up <= 0 {
				why = "it was down all the time, and nothing bounds how rarely it is"
			}
			return claim{why: why}
		}
		in := stat.UnavailabilityBound(w.up, longest, confidence)
		return claim{told: true, in: in, truth: truth, nines: in.Hi <= .1}
	}
	in := stat.Unavailability(w.up, w.down, w.failures, w.lengths.Sigma(), confidence)
	return claim{told: true, in: in, truth: truth, nines: in.Hi <= .1}
}
