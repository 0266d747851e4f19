package stat

import (
	"math"
	"slices"
)

// Gamma is the ratio of neighbouring bounds of a [Sketch]. A value is known to within half a bucket: 0.5 %.
const Gamma = 1.01

var logGamma = math.Log(Gamma)

// The bucket of a value is looked up by its exponent and the first bits of its mantissa: a cell is narrower than a bucket, so that
// one bound at most lies within it. The cells go from 1 to 2^cellOctaves, where a logarithm is taken for each of the few values beyond.
const (
	cellBits    = 7
	cellOctaves = 50
)

// A cell is the bucket of its least value, and the least value of the next bucket.
type cell struct {
	bucket int
	next   float64
}

var cells = func() (c [cellOctaves << cellBits]cell) {
	for i := range c {
		b := int(math.Floor(math.Log(math.Float64frombits(uint64(i)<<(52-cellBits)+math.Float64bits(1))) / logGamma))
		c[i] = cell{b, math.Exp(float64(b+1) * logGamma)}
	}
	return c
}()

// bucketOf returns the bucket of a value above zero: the floor of its logarithm to the base Gamma, as near to a bound as floating point tells.
func bucketOf(v float64) int {
	i := (math.Float64bits(v) - math.Float64bits(1)) >> (52 - cellBits)
	if i >= uint64(len(cells)) {
		return int(math.Floor(math.Log(v) / logGamma))
	}
	if c := &cells[i]; v < c.next {
		return c.bucket
	}
	return cells[i].bucket + 1
}

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
	i := bucketOf(v)
	if k := i - s.Offset; k < 0 || k >= len(s.Counts) {
		s.reach(i, i)
	}
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
	b := bucketOf(v) - s.Offset
	var n uint64
	for i := max(0, b+1); i < len(s.Counts); i++ {
		n += s.Counts[i]
	}
	return n
}

// Placed returns the p-quantile as [Sketch.Quantile] does, placed within its bucket by its rank among the bucket's values: quantiles of
// distributions that differ by less than a bucket differ too, and remain known to within a bucket.
func (s *Sketch) Placed(p float64) float64 {
	k := 1 + int(math.Round(p*float64(int64(s.N)-1)))
	if s.N == 0 || k <= 1 || uint64(k) >= s.N || uint64(k) <= s.Zero {
		return s.Rank(k)
	}
	left := uint64(k) - s.Zero
	for i, c := range s.Counts {
		if left <= c {
			v := math.Exp((float64(i+s.Offset) + (float64(left)-0.5)/float64(c)) * logGamma)
			return math.Max(s.Min, math.Min(s.Max, v))
		}
		left -= c
	}
	return s.Max
}
