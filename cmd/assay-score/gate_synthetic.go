package main

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Groups of made noise.
const (
	likeShared  = "as measured series are"
	likeOthers  = "as others may be"
	inStep      = "in step with the turns" // no comparison of two sides in turns that never change can tell these from a change
	eachOfNoise = 2000                     // comparisons of each kind
)

// A madeNoise is a kind of noise that is made, as logarithms of the values of runs one after the other.
type madeNoise struct {
	group, name string
	draw        func(r *rand.Rand, v []float64)
}

// madeKinds are like the noise of the public series (their spread within twenty runs is 0.04 to 12 %, mostly below 1.5 %, with correlations of neighbours up to 0.3, shifts of level by 1 to 3 %, rare far values,
// and few distinct ones), and like what they do not show.
func madeKinds() []madeNoise {
	var out []madeNoise
	add := func(group, name string, draw ...func(r *rand.Rand, v []float64)) {
		out = append(out, madeNoise{group, name, func(r *rand.Rand, v []float64) {
			clear(v)
			for _, d := range draw {
				d(r, v)
			}
		}})
	}
	like := func(name string, draw ...func(r *rand.Rand, v []float64)) { add(likeShared, name, draw...) }
	other := func(name string, draw ...func(r *rand.Rand, v []float64)) { add(likeOthers, name, draw...) }
	// Fourteen of eighteen series are narrow beside the margin, and four are not.
	like("few distinct values, 0.1 %", normalOf(.0004), rounded(.001))
	like("few distinct values, 1 %", normalOf(.005), rounded(.01))
	like("narrow, rare far values", normalOf(.001), far(.01, .05))
	like("narrow, 0.3 %, rare far values", normalOf(.003), far(.02, .05))
	like("0.7 %", normalOf(.007))
	like("1 %, neighbours 0.2", neighbours(.01, .2))
	like("1 %, neighbours 0.3, rare far values", neighbours(.009, .3), far(.01, .1))
	like("0.6 %, levels 3 %", normalOf(.006), levelsOf(.03, .04))
	like("0.7 %, levels 3 %, neighbours 0.2", neighbours(.007, .2), levelsOf(.03, .03))
	like("1.1 %", normalOf(.011))
	like("1.1 %, slow drift 2 %", normalOf(.011), driftOf(.02))
	like("heavy tails, 0.5 %", tails(.005, 3))
	like("heavy tails, 0.8 %", tails(.008, 3))
	like("0.5 %, levels 2 %", normalOf(.005), levelsOf(.02, .03))
	like("two modes 3 % apart, 1 %", normalOf(.01), modes(.03, .3))
	like("4 %", normalOf(.04))
	like("3.5 %, skewed low", skewed(-.035))
	like("12 %, skewed high", skewed(.12))

	other("constant")
	other("2 %", normalOf(.02))
	other("2.5 %", normalOf(.025))
	other("3 %", normalOf(.03))
	other("6 %", normalOf(.06))
	other("20 %", normalOf(.2))
	other("no middle, 2 %", tails(.005, 1))
	other("1 % of runs ten times lower", normalOf(.005), far(.01, 2.3))
	other("20 % of runs far lower", normalOf(.005), far(.2, .5))
	other("two modes 10 % apart, half each", normalOf(.01), modes(.1, .5))
	other("two modes 20 % apart, one in ten", normalOf(.005), modes(.2, .1))
	other("drift of 10 %", normalOf(.01), driftOf(.1))
	other("drift of 40 %", normalOf(.01), driftOf(.4))
	other("drift of 80 %", normalOf(.005), driftOf(.8))
	other("one step of 5 %", normalOf(.01), stepOf(.05))
	other("one step of 20 %", normalOf(.01), stepOf(.2))
	other("neighbours 0.6, 2 %", neighbours(.02, .6))
	other("neighbours 0.9, 3 %", neighbours(.03, .9))
	for _, period := range []int{3, 4, 5, 7, 10, 20} {
		other(fmt.Sprintf("one run in %d 10 %% lower", period), normalOf(.01), everyRun(.1, period, 1))
	}
	for _, period := range []int{4, 6, 10, 20} {
		other(fmt.Sprintf("half of each %d runs 5 %% lower", period), normalOf(.01), everyRun(.05, period, period/2))
	}
	other("swings of 5 % over 3.3 runs", normalOf(.01), swings(.05, 3.3))
	other("swings of 5 % over 20 runs", normalOf(.01), swings(.05, 20))

	add(inStep, "every second run 3 % lower", normalOf(.01), everyRun(.03, 2, 1))
	add(inStep, "swings of 5 % over 2.1 runs", normalOf(.01), swings(.05, 2.1))
	add(inStep, "neighbours -0.7, 2 %", neighbours(.02, -.7))
	return out
}

// made returns the noise of each kind, a machine for each comparison.
func made(n int, seed uint64) (out []noise, groups []string) {
	for i, k := range madeKinds() {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		x := noise{name: k.name}
		for range eachOfNoise {
			v := make([]float64, 2*n)
			k.draw(r, v)
			for j := range v {
				v[j] = 1000 * math.Exp(v[j])
			}
			x.machines = append(x.machines, v)
		}
		out, groups = append(out, x), append(groups, k.group)
	}
	return out, groups
}

func normalOf(sd float64) func(*rand.Rand, []float64) { return neighbours(sd, 0) }

// neighbours adds normal values of which neighbours are correlated.
func neighbours(sd, rho float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		g := r.NormFloat64()
		for i := range v {
			v[i] += sd * g
			g = rho*g + math.Sqrt(1-rho*rho)*r.NormFloat64()
		}
	}
}

// tails adds Student's t.
func tails(scale float64, degrees int) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			ss := 0.0
			for range degrees {
				z := r.NormFloat64()
				ss += z * z
			}
			v[i] += scale * r.NormFloat64() / math.Sqrt(ss/float64(degrees))
		}
	}
}

// skewed adds exponential values, to below where scale is.
func skewed(scale float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			v[i] += scale * r.ExpFloat64()
		}
	}
}

// rounded leaves multiples of a unit.
func rounded(unit float64) func(*rand.Rand, []float64) {
	return func(_ *rand.Rand, v []float64) {
		for i := range v {
			v[i] = unit * math.Round(v[i]/unit)
		}
	}
}

// far takes an exponential amount from a share of the runs.
func far(share, mean float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			if r.Float64() < share {
				v[i] -= mean * r.ExpFloat64()
			}
		}
	}
}

func modes(apart, share float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		for i := range v {
			if r.Float64() < share {
				v[i] -= apart
			}
		}
	}
}

// levelsOf changes the level now and then, with a chance for each run.
func levelsOf(sd, chance float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		level := 0.0
		for i := range v {
			if r.Float64() < chance {
				level = sd * r.NormFloat64()
			}
			v[i] += level
		}
	}
}

// driftOf lets values rise or fall evenly, by so much in all.
func driftOf(by float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		way := float64(2*r.IntN(2) - 1)
		for i := range v {
			v[i] += way * by * float64(i) / float64(len(v)-1)
		}
	}
}

// stepOf changes the level once, in the middle.
func stepOf(by float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		way, at := float64(2*r.IntN(2)-1), len(v)/2+r.IntN(3)-1
		for i := max(at, 0); i < len(v); i++ {
			v[i] += way * by
		}
	}
}

// everyRun makes some of each period of runs lower, beginning anywhere.
func everyRun(by float64, period, some int) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		from := r.IntN(period)
		for i := range v {
			if (i+from)%period < some {
				v[i] -= by
			}
		}
	}
}

func swings(by, period float64) func(*rand.Rand, []float64) {
	return func(r *rand.Rand, v []float64) {
		from := r.Float64()
		for i := range v {
			v[i] += by * math.Sin(2*math.Pi*(float64(i)/period+from))
		}
	}
}
