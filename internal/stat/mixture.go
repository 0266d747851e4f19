package stat

import (
	"math"
	"slices"
)

// A Component is one normal distribution of a [Mixture].
type Component struct {
	Weight, Mean, SD float64
}

// A Mixture is a sum of normal distributions, by rising mean. Of the logarithms of a sample it is a sum of lognormals.
type Mixture struct {
	Components []Component
	LogL       float64
	BIC        float64 // -2 LogL + (3k-1) ln n; the least of several numbers of components is best (Schwarz 1978)
}

// FitMixture fits k normal distributions to the values x, which count weight times each (nil: once), by expectation and maximization
// (Dempster, Laird and Rubin 1977) from several splits of the sorted sample, of which the likeliest end is kept. No standard deviation
// falls below least, which should be the resolution of x: else a component could shrink onto one value. ok is false without at least 3k values that differ.
func FitMixture(x, weight []float64, k int, least float64) (best Mixture, ok bool) {
	type point struct{ x, w float64 }
	points := make([]point, len(x))
	n := 0.0
	for i, v := range x {
		w := 1.0
		if weight != nil {
			w = weight[i]
		}
		points[i] = point{v, w}
		n += w
	}
	slices.SortFunc(points, func(a, b point) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	different := 0
	for i := range points {
		if i == 0 || points[i].x != points[i-1].x {
			different++
		}
	}
	if k < 1 || different < 3*k {
		return best, false
	}
	moments := func(from, to float64) Component { // of the values between two shares of the sample
		var c Component
		var seen, sum, squares float64
		for _, p := range points {
			if w := min(seen+p.w, to*n) - max(seen, from*n); w > 0 {
				c.Weight += w
				sum += w * p.x
				squares += w * p.x * p.x
			}
			seen += p.w
		}
		c.Mean = sum / c.Weight
		c.SD = max(least, math.Sqrt(max(0, squares/c.Weight-c.Mean*c.Mean)))
		c.Weight /= n
		return c
	}
	each := make([]float64, k)
	sums := make([]Component, k)
	best.LogL = math.Inf(-1)
	for _, cut := range mixtureCuts(k) {
		c := make([]Component, k)
		for i := range c {
			c[i] = moments(cut[i], cut[i+1])
		}
		last := math.Inf(-1)
		for range 2000 {
			logL := 0.0
			clear(sums)
			for _, p := range points {
				total := 0.0
				for i := range c {
					z := (p.x - c[i].Mean) / c[i].SD
					each[i] = c[i].Weight / c[i].SD * math.Exp(-z*z/2)
					total += each[i]
				}
				if total == 0 { // too far from all of them for floating point: it belongs to the nearest
					near := 0
					for i := range c {
						if math.Abs(p.x-c[i].Mean)/c[i].SD < math.Abs(p.x-c[near].Mean)/c[near].SD {
							near = i
						}
					}
					z := (p.x - c[near].Mean) / c[near].SD
					logL += p.w * (math.Log(c[near].Weight/c[near].SD) - z*z/2)
					each[near], total = 1, 1
				} else {
					logL += p.w * math.Log(total)
				}
				for i := range c {
					r := p.w * each[i] / total
					sums[i].Weight += r
					sums[i].Mean += r * p.x
					sums[i].SD += r * p.x * p.x
				}
			}
			logL -= n * math.Log(2*math.Pi) / 2
			for i, s := range sums {
				if s.Weight == 0 {
					continue
				}
				m := s.Mean / s.Weight
				c[i] = Component{s.Weight / n, m, max(least, math.Sqrt(max(0, s.SD/s.Weight-m*m)))}
			}
			if logL-last < 1e-9*math.Abs(logL) {
				last = logL
				break
			}
			last = logL
		}
		if last > best.LogL {
			best = Mixture{c, last, float64(3*k-1)*math.Log(n) - 2*last}
		}
	}
	slices.SortFunc(best.Components, func(a, b Component) int {
		switch {
		case a.Mean < b.Mean:
			return -1
		case a.Mean > b.Mean:
			return 1
		}
		return 0
	})
	return best, true
}

// mixtureCuts are the shares of the sorted sample at which fits of k components begin: equal ones, and small upper tails, as what is rare and slow needs.
func mixtureCuts(k int) [][]float64 {
	equal := make([]float64, k+1)
	for i := range equal {
		equal[i] = float64(i) / float64(k)
	}
	cuts := [][]float64{equal}
	if k == 1 {
		return cuts
	}
	for _, tail := range []float64{0.1, 0.02} {
		cut := make([]float64, k+1)
		for i := range k {
			cut[i] = (1 - tail) * float64(i) / float64(k-1)
		}
		cut[k] = 1
		cuts = append(cuts, cut)
	}
	return cuts
}
