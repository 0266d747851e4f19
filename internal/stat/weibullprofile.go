package stat

import "math"

// profile fills in the intervals of a fit: all values of a parameter with which the likelihood, at its best over the other one, falls from the top by no more than half the square of
// Student's t. With the square of the normal quantile in its place, which many failures make it, six failures would cover one time in ten less than they claim. An interval
// without an end on one side is open there.
func (f *WeibullFit) profile(ages []age, lnl float64, like func(lnk, lneta float64) float64, confidence float64) {
	r := float64(f.Failures)
	t := StudentT(1-(1-confidence)/2, r-1)
	least := f.LogL - t*t/2
	lnk, lneta := math.Log(f.Shape), math.Log(f.Scale)
	shape := func(at float64) float64 {
		// Of the scale the best is known; it is found in units of the fitted one, so that no power overflows.
		k, sum := math.Exp(at), 0.0
		for _, a := range ages {
			sum += a.n * math.Exp(k*(a.log+lnl-lneta))
		}
		return like(at, lneta+math.Log(sum/r)/k)
	}
	scale := func(at float64) float64 {
		// The likelihood has one top over the shape, where its slope r/k + Σ z - Σ z exp(kz), which falls all the way, is 0: by Newton's method, within bounds that close in.
		lo, hi, k := f.Shape*math.Exp(-4), f.Shape*math.Exp(3), f.Shape
		for range 60 {
			slope, bend := r/k, -r/(k*k)
			for _, a := range ages {
				z := a.log + lnl - at
				p := a.n * math.Exp(k*z)
				slope += z * (a.failed - p)
				bend -= z * z * p
			}
			if slope > 0 {
				lo = k
			} else {
				hi = k
			}
			next := k - slope/bend
			if !(next > lo && next < hi) {
				next = (lo + hi) / 2
			}
			if math.Abs(next-k) < 1e-9*k {
				break
			}
			k = next
		}
		return like(math.Log(k), at)
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
	// Regula falsi with the weight of an end that stays halved (Illinois).
	fin, fout, side := f(in)-least, f(out)-least, 0
	for range 60 {
		mid := in + (out-in)*fin/(fin-fout)
		if math.IsInf(fout, 0) || !(math.Min(in, out) < mid && mid < math.Max(in, out)) {
			mid = (in + out) / 2
		}
		v := f(mid) - least
		switch {
		case math.Abs(out-in) < 1e-11*(1+math.Abs(top)) || v == 0:
			return mid
		case v > 0:
			if in, fin = mid, v; side > 0 {
				fout /= 2
			}
			side = 1
		default:
			if out, fout = mid, v; side < 0 {
				fin /= 2
			}
			side = -1
		}
	}
	return (in + out) / 2
}
