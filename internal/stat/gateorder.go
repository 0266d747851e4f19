package stat

import "math"

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

// neighbours returns the differences candidate less base of consecutive trials of different sides, each used once.
func (g Gate) neighbours(trials []Trial) []float64 {
	var out []float64
	for i := 0; i+1 < len(trials); i++ {
		a, b := trials[i], trials[i+1]
		if a.Candidate == b.Candidate {
			continue
		}
		if a.Candidate {
			a, b = b, a
		}
		out = append(out, g.in(b.Value)-g.in(a.Value))
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
