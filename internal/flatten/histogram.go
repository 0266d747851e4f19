package flatten

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
)

const (
	maxSchema  = 2   // boundaries are a factor of 2^(2^-2) apart at the finest
	MaxBuckets = 512 // of one histogram
)

var errBuckets = fmt.Errorf("a histogram has more than %d buckets", MaxBuckets)

// A Bucket is how many observations lay above Lower and at or below Upper.
type Bucket struct{ Lower, Upper, Count float64 }

// A Histogram is what is remembered of one native histogram from look to look. The zero value is ready.
type Histogram struct {
	at     int64
	before []Bucket  // of the look at that instant
	bounds []float64 // that were told, in order; +Inf is not among them
}

// Look tells the cumulative count at each boundary, in order, of a look at instant at; the buckets are in order, and where nothing lies between
// two of them there need be none. A boundary that is new is
// told for the look before, too. What it was given it keeps.
func (h *Histogram) Look(at int64, buckets []Bucket, tell func(le string, at int64, count float64)) error {
	if len(buckets) > MaxBuckets {
		return errBuckets
	}
	if at <= h.at && h.at != 0 {
		h.at, h.before = 0, nil // late or again: what the one before it was is not known
	}
	var now []float64
	for _, b := range buckets {
		if b.Count > 0 && b.Lower != -b.Upper && !math.IsInf(b.Lower, -1) { // a bucket of zero has no room to interpolate in
			now = append(now, b.Lower)
		}
		if !math.IsInf(b.Upper, 1) && !math.IsNaN(b.Upper) {
			now = append(now, b.Upper)
		}
	}
	bounds := slices.Concat(h.bounds, now)
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	kept := bounds[:0:0]
	for _, le := range bounds {
		count, ok := below(buckets, le)
		if !ok {
			continue // the resolution was lowered: nothing tells how many lie below
		}
		text := strconv.FormatFloat(le, 'g', -1, 64)
		if _, told := slices.BinarySearch(h.bounds, le); !told && h.at != 0 {
			if was, ok := below(h.before, le); ok {
				tell(text, h.at, was)
			}
		}
		tell(text, at, count)
		if kept = append(kept, le); len(kept) > 2*MaxBuckets {
			return errBuckets
		}
	}
	h.at, h.before, h.bounds = at, buckets, kept
	return nil
}

// below adds up the buckets that end at or below le. It is not known where le lies within one that is not empty.
func below(buckets []Bucket, le float64) (sum float64, ok bool) {
	for _, b := range buckets {
		switch {
		case b.Upper <= le:
			sum += b.Count
		case b.Lower < le && b.Count > 0:
			return 0, false
		}
	}
	return sum, true
}

// Native returns the buckets of a histogram as Prometheus has it, in order. It fails where the histogram contradicts itself.
func Native(h *histogram.FloatHistogram) ([]Bucket, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	if h.Schema > maxSchema {
		coarse, err := h.CopyToSchema(maxSchema)
		if err != nil {
			return nil, err
		}
		h = coarse
	}
	var out []Bucket
	for it := h.AllBucketIterator(); it.Next(); {
		b := it.At()
		if out = append(out, Bucket{b.Lower, b.Upper, b.Count}); len(out) > MaxBuckets {
			return nil, errBuckets
		}
	}
	return out, nil
}

// exponential returns the buckets of an exponential histogram of OpenTelemetry, in order.
func exponential(scale int32, zero uint64, threshold float64, posOffset int32, pos []uint64, negOffset int32, neg []uint64) ([]Bucket, error) {
	if scale < -10 || scale > 20 {
		return nil, fmt.Errorf("scale %d of an exponential histogram: want -10 to 20", scale)
	}
	shift := max(scale-maxSchema, 0)
	base := math.Exp2(math.Exp2(-float64(scale - shift)))
	merge := func(offset int32, counts []uint64) (first int64, sums []float64, err error) {
		first = int64(offset) >> shift
		for i, c := range counts {
			at := (int64(offset)+int64(i))>>shift - first
			for int64(len(sums)) <= at {
				sums = append(sums, 0)
			}
			sums[at] += float64(c)
			if len(sums) > MaxBuckets {
				return 0, nil, errBuckets
			}
		}
		return first, sums, nil
	}
	bound := func(i int64) float64 { return math.Pow(base, float64(i)) }
	var out []Bucket
	first, sums, err := merge(negOffset, neg)
	if err != nil {
		return nil, err
	}
	for i := len(sums) - 1; i >= 0; i-- {
		out = append(out, Bucket{-bound(first + int64(i) + 1), -bound(first + int64(i)), sums[i]})
	}
	if zero > 0 {
		out = append(out, Bucket{-threshold, threshold, float64(zero)})
	}
	if first, sums, err = merge(posOffset, pos); err != nil {
		return nil, err
	}
	for i, c := range sums {
		out = append(out, Bucket{bound(first + int64(i)), bound(first + int64(i) + 1), c})
	}
	return out, nil
}
