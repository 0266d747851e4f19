package stat

import (
	"math"
	"sort"
)

// SigmaMost is how variable the lengths of episodes may be: as a lognormal with this standard deviation of the logarithm, one in a hundred of which is a hundred times the
// median. Repair times of computer systems lie within (Schroeder and Gibson, DSN 2006); without any limit no finite sample bounds a mean.
const SigmaMost = 2

// Lengths gathers how long episodes lasted, in any unit, to tell how variable they are. The zero value is empty.
type Lengths struct {
	n        int
	mean, ss float64 // of the logarithms
}

// Add takes one length, above 0; others count as the shortest that there is.
func (l *Lengths) Add(length float64) {
	x := math.Log(math.Max(length, math.SmallestNonzeroFloat64))
	l.n++
	d := x - l.mean
	l.mean += d / float64(l.n)
	l.ss += d * (x - l.mean)
}

// Join takes the lengths that o gathered.
func (l *Lengths) Join(o *Lengths) {
	if o.n == 0 {
		return
	}
	n, d := l.n+o.n, o.mean-l.mean
	l.ss += o.ss + d*d*float64(l.n)*float64(o.n)/float64(n)
	l.mean += d * float64(o.n) / float64(n)
	l.n = n
}

// Sigma returns how variable the lengths are at the most, as the standard deviation of the logarithm of a lognormal: the upper bound at 99.5 %, 1 to 2. Exponential
// lengths, whose logarithms spread by 1.28, are no more variable than a lognormal with 1.
func (l *Lengths) Sigma() float64 {
	if l.n < 2 {
		return SigmaMost
	}
	most := math.Sqrt(l.ss / chi2(0.005, float64(l.n-1)))
	return math.Min(SigmaMost, math.Max(repairSigmas[0], most))
}

// repairFactor returns the factor from a table for k episodes, 1 or more, whose lengths are as variable as sigma, at the normal quantile z of one side. Between the entries logarithms are
// interpolated, over the logarithm of k. Beyond the last k they shrink with the root of k, and beyond the last z they grow as before it.
func repairFactor(table [][][]float64, sigma float64, k int, z float64) float64 {
	s, ws := between(repairSigmas, sigma)
	t, wt := between(repairTails, z)
	logs := make([]float64, len(repairCounts))
	for i, c := range repairCounts {
		logs[i] = math.Log(c)
	}
	last := repairCounts[len(repairCounts)-1]
	c, wc := between(logs, math.Log(math.Min(float64(k), last)))
	row := func(sigma, count int) float64 {
		r := table[sigma][count]
		return r[t] + wt*(r[t+1]-r[t])
	}
	plane := func(sigma int) float64 { return row(sigma, c) + wc*(row(sigma, c+1)-row(sigma, c)) }
	f := plane(s) + ws*(plane(s+1)-plane(s))
	if float64(k) > last {
		f *= math.Sqrt(last / float64(k))
	}
	return math.Exp(f)
}

// between returns the index of the entry of sorted at or before v, not the last, and how far v lies on the way to the next, beyond 1 behind the last.
func between(sorted []float64, v float64) (i int, w float64) {
	i = min(max(0, sort.Search(len(sorted), func(i int) bool { return sorted[i] > v })-1), len(sorted)-2)
	return i, (v - sorted[i]) / (sorted[i+1] - sorted[i])
}
