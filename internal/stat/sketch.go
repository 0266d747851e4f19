package stat

import (
	"math"
	"slices"
)

// Gamma is the ratio of neighbouring bounds of a [Sketch]. A value is known to within half a bucket: 0.5 %.
const Gamma = 1.01

var logGamma = math.Log(Gamma)

// A Sketch is a histogram with buckets of equal relative width, which bounds the
// memory of a distribution and the relative error of its quantiles (0.5 %), and merges exactly.
// The zero value is empty. Values at or below zero count as zero.
type Sketch struct {
	Zero   uint64
	Offset int // index of Counts[0]
	Counts []uint64
	N      uint64
	Sum    float64
	Min    float64
	Max    float64
}

// Add counts one value.
func (s *Sketch) Add(v float64) {
	if s.N == 0 || v < s.Min {
		s.Min = v
	}
	if s.N == 0 || v > s.Max {
		s.Max = v
	}
	s.N++
	s.Sum += v
	if v <= 0 {
		s.Zero++
		return
	}
	i := int(math.Floor(math.Log(v) / logGamma))
	s.reach(i, i)
	s.Counts[i-s.Offset]++
}

// reach makes room for the buckets lo to hi.
func (s *Sketch) reach(lo, hi int) {
	if len(s.Counts) == 0 {
		s.Offset = lo
	}
	if lo < s.Offset {
		s.Counts = slices.Insert(s.Counts, 0, make([]uint64, s.Offset-lo)...)
		s.Offset = lo
	}
	if n := hi - s.Offset + 1; n > len(s.Counts) {
		s.Counts = append(s.Counts, make([]uint64, n-len(s.Counts))...)
	}
}

// Merge adds what o counted.
func (s *Sketch) Merge(o *Sketch) {
	if o.N == 0 {
		return
	}
	if s.N == 0 || o.Min < s.Min {
		s.Min = o.Min
	}
	if s.N == 0 || o.Max > s.Max {
		s.Max = o.Max
	}
	s.N += o.N
	s.Sum += o.Sum
	s.Zero += o.Zero
	if len(o.Counts) == 0 {
		return
	}
	s.reach(o.Offset, o.Offset+len(o.Counts)-1)
	for i, c := range o.Counts {
		s.Counts[i+o.Offset-s.Offset] += c
	}
}

// Rank returns the value of rank k, from 1, to within 0.5 %; the extremes exactly.
func (s *Sketch) Rank(k int) float64 {
	switch {
	case s.N == 0:
		return math.NaN()
	case k <= 1:
		return s.Min
	case uint64(k) >= s.N:
		return s.Max
	}
	left := uint64(k)
	if left <= s.Zero {
		return 0
	}
	left -= s.Zero
	for i, c := range s.Counts {
		if left <= c {
			// The middle of the bucket, in the sense of relative error.
			v := math.Exp(float64(i+s.Offset)*logGamma) * 2 * Gamma / (1 + Gamma)
			return math.Max(s.Min, math.Min(s.Max, v))
		}
		left -= c
	}
	return s.Max
}

// Quantile returns the p-quantile: the value of the rank next to that of Hyndman-Fan type 7.
func (s *Sketch) Quantile(p float64) float64 {
	return s.Rank(1 + int(math.Round(p*float64(int64(s.N)-1))))
}

// Above counts the values in buckets wholly above that of v.
func (s *Sketch) Above(v float64) uint64 {
	if v <= 0 {
		return s.N - s.Zero
	}
	b := int(math.Floor(math.Log(v)/logGamma)) - s.Offset
	var n uint64
	for i := max(0, b+1); i < len(s.Counts); i++ {
		n += s.Counts[i]
	}
	return n
}
