// Package timeset works on sets of time: stretches in order that neither overlap nor touch.
package timeset

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
)

// Union returns the time that lies in any of the stretches, which may come in any order and overlap. Empty ones are left out.
func Union(list []assay.Stretch) []assay.Stretch {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b assay.Stretch) int { return cmp.Compare(a.Begin, b.Begin) })
	var out []assay.Stretch
	for _, s := range sorted {
		switch n := len(out); {
		case s.End <= s.Begin:
		case n > 0 && s.Begin <= out[n-1].End:
			out[n-1].End = max(out[n-1].End, s.End)
		default:
			out = append(out, s)
		}
	}
	return out
}

// Both returns the time that lies in a set and in another.
func Both(a, b []assay.Stretch) []assay.Stretch {
	var out []assay.Stretch
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if s := (assay.Stretch{Begin: max(a[i].Begin, b[j].Begin), End: min(a[i].End, b[j].End)}); s.Begin < s.End {
			out = append(out, s)
		}
		if a[i].End < b[j].End {
			i++
		} else {
			j++
		}
	}
	return out
}

// Minus returns the time that lies in a set and not in another.
func Minus(a, b []assay.Stretch) []assay.Stretch {
	var out []assay.Stretch
	j := 0
	for _, s := range a {
		for j < len(b) && b[j].End <= s.Begin {
			j++
		}
		for k := j; k < len(b) && b[k].Begin < s.End; k++ {
			if s.Begin < b[k].Begin {
				out = append(out, assay.Stretch{Begin: s.Begin, End: b[k].Begin})
			}
			s.Begin = max(s.Begin, b[k].End)
		}
		if s.Begin < s.End {
			out = append(out, s)
		}
	}
	return out
}

// Length returns how long a set is, in ns.
func Length(list []assay.Stretch) int64 {
	var sum int64
	for _, s := range list {
		sum += s.End - s.Begin
	}
	return sum
}

// Holds reports whether instant t lies in a set.
func Holds(list []assay.Stretch, t int64) bool {
	i, found := slices.BinarySearchFunc(list, t, func(s assay.Stretch, t int64) int { return cmp.Compare(s.Begin, t) })
	return found || i > 0 && t < list[i-1].End
}

// Outline returns a set of at most n stretches that holds another one: the smallest gaps are closed.
func Outline(list []assay.Stretch, n int) []assay.Stretch {
	if len(list) <= n || n < 1 {
		return list
	}
	gaps := make([]int64, len(list)-1)
	for i := range gaps {
		gaps[i] = list[i+1].Begin - list[i].End
	}
	sorted := slices.Clone(gaps)
	slices.Sort(sorted)
	close := len(list) - n // this many of the smallest
	most := sorted[close-1]
	for _, g := range sorted[:close] {
		if g < most {
			close--
		}
	}
	out := []assay.Stretch{list[0]}
	for i, g := range gaps {
		switch {
		case g == most && close > 0:
			close--
			fallthrough
		case g < most:
			out[len(out)-1].End = list[i+1].End
		default:
			out = append(out, list[i+1])
		}
	}
	return out
}
