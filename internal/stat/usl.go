package stat

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// USLLeast is the least number of distinct loads that a fit of the universal scalability law needs.
const USLLeast = 5

// A USL is a fit of Gunther's universal scalability law to pairs of concurrency and throughput:
//
//	X(N) = Lambda·N / (1 + Sigma·(N−1) + Kappa·N·(N−1))
//
// Lambda is the throughput of one, Sigma the share that cannot be done at once (contention) and Kappa what
// pairs cost each other (coherence). It is the least-squares fit with Sigma and Kappa at least 0.
type USL struct {
	Lambda, Sigma, Kappa float64
	SE                   [3]float64 // standard errors in that order, as if no bound held: one at its bound is uncertain too. NaN if the loads cannot tell them apart
	R2                   float64    // share of the variance of X that the fit explains
	DoF                  int        // pairs less coefficients

	cov [3][3]float64
}

// FitUSL fits the law to concurrency n and throughput x. What sd holds is proportional to the standard error of each throughput; nil means that all are
// equal. It is an error if there are fewer than [USLLeast] distinct loads, or if a value is not above 0.
func FitUSL(n, x, sd []float64) (USL, error) {
	if len(n) != len(x) || sd != nil && len(sd) != len(x) {
		return USL{}, fmt.Errorf("usl: %d loads, %d throughputs and %d errors", len(n), len(x), len(sd))
	}
	if sd == nil {
		sd = make([]float64, len(x))
		for i := range sd {
			sd[i] = 1
		}
	}
	distinct := slices.Clone(n)
	slices.Sort(distinct)
	if d := len(slices.Compact(distinct)); d < USLLeast {
		return USL{}, fmt.Errorf("it needs at least %d distinct loads and there are %d", USLLeast, d)
	}
	for i := range n {
		if !(n[i] > 0) || !(x[i] > 0) || !(sd[i] > 0) || math.IsInf(n[i]+x[i]+sd[i], 0) {
			return USL{}, fmt.Errorf("load %g with throughput %g ± %g: want all above 0", n[i], x[i], sd[i])
		}
	}
	best, found := USL{}, false
	least := math.Inf(1)
	// A coefficient that would be negative lies at its bound: of the fits that keep the bounds, the closest is the answer.
	for _, free := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		p, ss, ok := fitUSL(n, x, sd, free)
		if ok && p[1] >= 0 && p[2] >= 0 && ss < least*(1-1e-9) {
			best, found, least = uslOf(n, x, sd, p, ss), true, ss
		}
	}
	if !found {
		return USL{}, errors.New("no fit converged")
	}
	// What changes no throughput in nine digits is the dust of the arithmetic.
	if most := slices.Max(n); best.Kappa*most*(most-1) < 1e-9 {
		best.Kappa = 0
	}
	if best.Sigma*(slices.Max(n)-1) < 1e-9 {
		best.Sigma = 0
	}
	return best, nil
}

// uslModel returns X(n) and its derivatives by the three coefficients.
func uslModel(p [3]float64, n float64) (x float64, d [3]float64) {
	den := 1 + p[1]*(n-1) + p[2]*n*(n-1)
	x = p[0] * n / den
	return x, [3]float64{n / den, -x / den * (n - 1), -x / den * n * (n - 1)}
}

// fitUSL minimises the sum of squares over the free coefficients by Levenberg and Marquardt's method, from the solution of the
// law's linear form N/X = (1 + σ(N−1) + κN(N−1))/λ.
func fitUSL(n, x, sd []float64, free []int) (p [3]float64, ss float64, ok bool) {
	var ata [3][3]float64
	var atb [3]float64
	for i := range n {
		w := x[i] * x[i] / n[i] / sd[i] // an error of x in terms of n/x
		row := [3]float64{w, w * (n[i] - 1), w * n[i] * (n[i] - 1)}
		for _, a := range free {
			for _, b := range free {
				ata[a][b] += row[a] * row[b]
			}
			atb[a] += row[a] * w * n[i] / x[i]
		}
	}
	s, ok := solve(ata, atb, free, 0)
	if !ok {
		return p, 0, false
	}
	if p[0] = 1 / s[0]; !(s[0] > 0) {
		p = [3]float64{slices.Max(x) / n[slices.Index(x, slices.Max(x))]}
	} else {
		p[1], p[2] = s[1]/s[0], s[2]/s[0]
	}
	sum := func(p [3]float64) float64 {
		var ss float64
		for i := range n {
			v, _ := uslModel(p, n[i])
			ss += (x[i] - v) * (x[i] - v) / sd[i] / sd[i]
		}
		return ss
	}
	ss = sum(p)
	damp := 1e-3
	for range 200 {
		var jtj [3][3]float64
		var jtr [3]float64
		for i := range n {
			v, d := uslModel(p, n[i])
			for _, a := range free {
				for _, b := range free {
					jtj[a][b] += d[a] * d[b] / sd[i] / sd[i]
				}
				jtr[a] += d[a] * (x[i] - v) / sd[i] / sd[i]
			}
		}
		step, ok := solve(jtj, jtr, free, damp)
		if !ok {
			return p, ss, false
		}
		q := p
		small := true
		for _, a := range free {
			q[a] += step[a]
			small = small && math.Abs(step[a]) <= 1e-12*math.Abs(q[a])
		}
		if next := sum(q); next <= ss {
			p, ss, damp = q, next, damp/10
		} else if damp *= 10; damp > 1e12 {
			return p, ss, true
		}
		if small {
			return p, ss, true
		}
	}
	return p, ss, true
}

// uslOf completes a fit with its standard errors. That a coefficient lies at its bound does not make it known, nor the others
// better known: the errors are those of all three.
func uslOf(n, x, sd []float64, p [3]float64, ss float64) USL {
	free := []int{0, 1, 2}
	u := USL{Lambda: p[0], Sigma: p[1], Kappa: p[2], DoF: len(n) - 3}
	var jtj [3][3]float64
	mean, weight, total := 0.0, 0.0, 0.0
	for i, v := range x {
		mean += v / sd[i] / sd[i]
		weight += 1 / sd[i] / sd[i]
	}
	mean /= weight
	for i := range n {
		_, d := uslModel(p, n[i])
		for _, a := range free {
			for _, b := range free {
				jtj[a][b] += d[a] * d[b] / sd[i] / sd[i]
			}
		}
		total += (x[i] - mean) * (x[i] - mean) / sd[i] / sd[i]
	}
	u.R2 = 1 - ss/total
	variance := ss / float64(u.DoF)
	for _, a := range free {
		var unit [3]float64
		unit[a] = 1
		col, ok := solve(jtj, unit, free, 0)
		for _, b := range free {
			if u.cov[a][b] = col[b] * variance; !ok {
				u.cov[a][b] = math.NaN()
			}
		}
		u.SE[a] = math.Sqrt(u.cov[a][a])
	}
	return u
}

// solve solves the symmetric system over the free rows, its diagonal raised by the factor 1+damp.
func solve(m [3][3]float64, b [3]float64, free []int, damp float64) (x [3]float64, ok bool) {
	// Rows and columns are scaled to a diagonal of one: the coefficients differ by orders of magnitude.
	var scale [3]float64
	for _, i := range free {
		if scale[i] = math.Sqrt(m[i][i]); !(scale[i] > 0) || math.IsInf(scale[i], 0) {
			return x, false
		}
	}
	k := len(free)
	var a [3][4]float64
	for i, r := range free {
		for j, c := range free {
			a[i][j] = m[r][c] / scale[r] / scale[c]
		}
		a[i][i] *= 1 + damp
		a[i][3] = b[r] / scale[r]
	}
	for i := range k {
		pivot := i
		for r := i + 1; r < k; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[pivot][i]) {
				pivot = r
			}
		}
		if a[i], a[pivot] = a[pivot], a[i]; math.Abs(a[i][i]) < 1e-13 {
			return x, false
		}
		for r := range k {
			if f := a[r][i] / a[i][i]; r != i {
				for c := i; c < 4; c++ {
					a[r][c] -= f * a[i][c]
				}
			}
		}
	}
	for i, r := range free {
		x[r] = a[i][3] / a[i][i] / scale[r]
	}
	return x, true
}

// At returns the throughput that the law gives at concurrency n.
func (u *USL) At(n float64) float64 {
	x, _ := uslModel([3]float64{u.Lambda, u.Sigma, u.Kappa}, n)
	return x
}

// Coefficients returns the intervals of lambda, sigma and kappa from their standard errors and Student's t; none goes below 0. Of a
// coefficient at its bound the upper end is no lower than that of the fit without bounds.
func (u *USL) Coefficients(confidence float64) (lambda, sigma, kappa Interval) {
	t := StudentT(1-(1-confidence)/2, float64(u.DoF))
	in := func(v, se float64) Interval { return Interval{math.Max(0, v-t*se), v + t*se, confidence} }
	return in(u.Lambda, u.SE[0]), in(u.Sigma, u.SE[1]), in(u.Kappa, u.SE[2])
}

// Peak returns the concurrency and the throughput at the law's maximum with their intervals by the delta method. ok is false
// where there may be none: the interval of Kappa holds 0.
func (u *USL) Peak(confidence float64) (n, x float64, inN, inX Interval, ok bool) {
	if _, _, kappa := u.Coefficients(confidence); !(u.Kappa > 0) || !(kappa.Lo > 0) || u.Sigma >= 1 {
		return 0, 0, Interval{}, Interval{}, false
	}
	t := StudentT(1-(1-confidence)/2, float64(u.DoF))
	n = math.Sqrt((1 - u.Sigma) / u.Kappa)
	x, dx := uslModel([3]float64{u.Lambda, u.Sigma, u.Kappa}, n)
	// At the maximum x does not change with n, so its own derivatives are all that count.
	dn := [3]float64{0, -n / 2 / (1 - u.Sigma), -n / 2 / u.Kappa}
	sn, sx := u.sigma(dn), u.sigma(dx)
	// The logarithm of N* is far closer to normal than N* itself.
	f := math.Exp(t * sn / n)
	return n, x, Interval{n / f, n * f, confidence}, Interval{math.Max(0, x-t*sx), x + t*sx, confidence}, true
}

// PeakLeast returns the concurrency that a maximum lies above, if there is one, by the upper ends of the intervals of Sigma and Kappa; NaN where those bound nothing.
func (u *USL) PeakLeast(confidence float64) float64 {
	_, sigma, kappa := u.Coefficients(confidence)
	if !(sigma.Hi < 1) || !(kappa.Hi > 0) {
		return math.NaN()
	}
	return math.Sqrt((1 - sigma.Hi) / kappa.Hi)
}

// sigma returns the standard error of a function of the coefficients with gradient d.
func (u *USL) sigma(d [3]float64) float64 {
	var v float64
	for i := range d {
		for j := range d {
			v += d[i] * d[j] * u.cov[i][j]
		}
	}
	return math.Sqrt(math.Max(0, v))
}

// Knee returns the concurrency at which throughput over residence time, Kleinrock's power, is largest, and the throughput there. It is
// infinite where nothing bends.
func (u *USL) Knee() (n, x float64) {
	a, b, c := 3*u.Kappa, u.Sigma-u.Kappa, -(1 - u.Sigma)
	switch {
	case a > 0:
		n = (-b + math.Sqrt(b*b-4*a*c)) / (2 * a)
	case b > 0:
		n = -c / b
	default:
		return math.Inf(1), math.Inf(1)
	}
	return n, u.At(n)
}
