package stat

import "math"

// profile fills in the intervals of a fit: all values of a parameter with which the likelihood, at its best over the other one, falls from the top by no more than half the square of
// Student's t. With the square of the normal quantile in its place, which many failures make it, six failures would cover one time in ten less than they claim. An interval
// without an end on one side is open there.
func (f *WeibullFit) profile(lives []Life, like func(lnk, lneta float64) float64, confidence float64) {
	r := float64(f.Failures)
	t := StudentT(1-(1-confidence)/2, r-1)
	least := f.LogL - t*t/2
	lnk, lneta := math.Log(f.Shape), math.Log(f.Scale)
	shape := func(at float64) float64 {
		// Of the scale the best is known; it is found in units of the fitted one, so that no power overflows.
		k, sum := math.Exp(at), 0.0
		for _, l := range lives {
			sum += math.Exp(k * (math.Log(l.Time) - lneta))
		}
		return like(at, lneta+math.Log(sum/r)/k)
	}
	scale := func(at float64) float64 {
		// The likelihood has one top over the shape.
		lo, hi := lnk-4, lnk+3
		for range 45 {
			a, b := lo+(hi-lo)*0.382, lo+(hi-lo)*0.618
			if like(a, at) < like(b, at) {
				lo = a
			} else {
				hi = b
			}
		}
		return like((lo+hi)/2, at)
	}
	f.InShape = Interval{math.Exp(falls(shape, lnk, -1, least)), math.Exp(falls(shape, lnk, 1, least)), confidence}
	f.InScale = Interval{math.Exp(falls(scale, lneta, -1/f.Shape, least)), math.Exp(falls(scale, lneta, 1/f.Shape, least)), confidence}
}

// falls returns where, from its top on in steps of the given direction, f falls to least; infinite in that direction if it does not.
func falls(f func(float64) float64, top, step, least float64) float64 {
	in, out := top, top+step/8
	for i := 0; ; i++ {
		if v := f(out); !(v > least) {
			break
		}
		if i == 12 {
			return math.Inf(int(math.Copysign(1, step)))
		}
		in, out = out, top+2*(out-top)
	}
	for range 40 {
		if mid := (in + out) / 2; f(mid) > least {
			in = mid
		} else {
			out = mid
		}
	}
	return (in + out) / 2
}
