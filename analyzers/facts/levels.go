package facts

import (
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Where no phase tells at which rate it offered load, or it varies within one, the requests do: their rate is taken to be constant between change points (stat.ChangePoints), each then
// placed by its likelihood on finer bins. A change of less than a fifth, or one that noise makes once in a million stretches, is none.
const (
	fineBins    = 1 << 17 // most bins to place a change in
	coarseBins  = 4000    // most bins to find changes in
	coarseLeast = 5       // requests that come in one of these in the mean
	levelWindow = 200     // bins in which one change is looked for
	levelP      = 1e-6
	levelChange = .2
	levelLeast  = 8 // bins of a run that can show a change
)

// An arrivalCount counts requests by when they were due, in bins that become coarser as the run gets longer.
type arrivalCount struct {
	begin, width int64
	bins         []int
}

func (a *arrivalCount) add(due int64) {
	if a.bins == nil {
		a.begin, a.width = due, 100e6
	}
	i := (due - a.begin) / a.width
	for i >= fineBins {
		for j := range (len(a.bins) + 1) / 2 {
			a.bins[j] = a.bins[2*j]
			if 2*j+1 < len(a.bins) {
				a.bins[j] += a.bins[2*j+1]
			}
		}
		a.bins = a.bins[:(len(a.bins)+1)/2]
		a.width *= 2
		i = (due - a.begin) / a.width
	}
	i = max(0, i)
	for int64(len(a.bins)) <= i {
		a.bins = append(a.bins, 0)
	}
	a.bins[i]++
}

// levels returns the stretches of constant rate, at least one where requests came; nil where there are too few to tell.
func (a *arrivalCount) levels() []assay.Level {
	total := 0
	for _, n := range a.bins {
		total += n
	}
	if total < levelLeast*coarseLeast {
		return nil
	}
	group := max(1, (len(a.bins)+coarseBins-1)/coarseBins, int(math.Ceil(coarseLeast*float64(len(a.bins))/float64(total))))
	var coarse []float64 // the last, which is not full, is left out
	for i := 0; i+group <= len(a.bins); i += group {
		n := 0
		for _, k := range a.bins[i : i+group] {
			n += k
		}
		coarse = append(coarse, float64(n))
	}
	if len(coarse) < levelLeast {
		return nil
	}
	points := stat.ChangePoints(coarse, levelWindow, levelP, levelChange)
	at := func(bin int) int64 { return a.begin + int64(bin)*a.width }
	out := []assay.Level{{Begin: a.begin, Lo: a.begin, Hi: a.begin}}
	for i, p := range points {
		from, to := 0, len(coarse)
		if i > 0 {
			from = points[i-1].Index
		}
		if i+1 < len(points) {
			to = points[i+1].Index
		}
		before, after := mean(coarse[from:p.Index])/float64(group), mean(coarse[p.Index:to])/float64(group)
		first, last := max(from, p.Index-2)*group, min(to, p.Index+2)*group
		bin, lo, hi := stat.RateChange(a.bins[first:last], before, after, 0.95)
		out = append(out, assay.Level{Begin: at(first + bin), Lo: at(first + lo), Hi: at(first + hi)})
	}
	slices.SortStableFunc(out, func(x, y assay.Level) int { return int(min(1, max(-1, x.Begin-y.Begin))) })
	end := at(len(a.bins))
	for i := range out {
		x, until := &out[i], end
		if i+1 < len(out) {
			until = out[i+1].Begin
		}
		for b := (x.Begin - a.begin) / a.width; b < (until-a.begin)/a.width; b++ {
			x.N += a.bins[b]
		}
		if until > x.Begin {
			x.Rate = float64(x.N) / (float64(until-x.Begin) / 1e9)
		}
	}
	return out
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// telltale reports whether the requests must tell the offered rate: no phase does, or it varies within one.
func telltale(phases []assay.Phase) bool {
	return !slices.ContainsFunc(phases, func(p assay.Phase) bool { return p.Rate > 0 }) || slices.ContainsFunc(phases, func(p assay.Phase) bool { return p.Varies })
}
