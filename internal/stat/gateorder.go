package stat

import (
	"math"
	"slices"
)

// residuals returns the trials' values in order, each less the median of its side.
func (g Gate) residuals(trials []Trial, x, y []float64) []float64 {
	mx, my := Gate{}.level(x), Gate{}.level(y)
	out := make([]float64, len(trials))
	for i, t := range trials {
		if out[i] = g.in(t.Value) - mx; t.Candidate {
			out[i] = g.in(t.Value) - my
		}
	}
	return out
}

// neighbours returns the differences candidate less base of consecutive trials of different sides, each used once. Where nearly each run lies on the same side of the last one of its own,
// the second of two neighbours is ahead of the first by what one run goes, and that is taken out: of turns that never change it would count as a change.
func (g Gate) neighbours(trials []Trial) []float64 {
	var out []float64
	by := g.going(trials)
	for i := 0; i+1 < len(trials); i++ {
		a, b := trials[i], trials[i+1]
		if a.Candidate == b.Candidate {
			continue
		}
		d := g.in(b.Value) - g.in(a.Value) - by
		if a.Candidate {
			d = -d
		}
		out = append(out, d)
		i++
	}
	return out
}

// interleaved says whether no stretch of one side holds more than a quarter of all trials, or more than two where there are few, and neither side is on the whole much later than the other.
func interleaved(trials []Trial) bool {
	longest, stretch := 0, 0
	var at [2]float64
	var n [2]float64
	for i, t := range trials {
		if stretch++; i > 0 && trials[i-1].Candidate != t.Candidate {
			stretch = 1
		}
		longest = max(longest, stretch)
		side := 0
		if t.Candidate {
			side = 1
		}
		at[side] += float64(i)
		n[side]++
	}
	apart := math.Abs(at[1]/n[1] - at[0]/n[0])
	return longest <= max(2, len(trials)/4) && apart <= max(1.5, float64(len(trials))/4)
}

// steadily is the share of steps that go the same way from which on a drift is taken for one. Steps of noise share their ends, so that their signs are more even than a coin's.
const steadily = 0.9

// going returns by how much values go from one trial to the next, the median over the steps within a side; 0 unless nearly all of these go the same way.
func (g Gate) going(trials []Trial) float64 {
	var steps []float64
	var last [2]int // plus one
	up, down := 0, 0
	for i, t := range trials {
		side := 0
		if t.Candidate {
			side = 1
		}
		if at := last[side]; at > 0 {
			d := (g.in(t.Value) - g.in(trials[at-1].Value)) / float64(i-at+1)
			steps = append(steps, d)
			switch {
			case d > 0:
				up++
			case d < 0:
				down++
			}
		}
		last[side] = i + 1
	}
	if len(steps) < 8 || float64(max(up, down)) < steadily*float64(len(steps)) {
		return 0
	}
	slices.Sort(steps)
	return Quantile(steps, 0.5, Type7)
}
