package analyzers

import (
	"fmt"
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
	"github.com/assay-dev/assay/internal/stat"
)

// sloBins bounds how finely a run is cut to find its worst stretch.
const sloBins = 5000

// A sloCount is what became of the events of one promise.
type sloCount struct {
	slo     *assay.SLO
	begin   int64
	width   int64        // of a bin, ns
	bins    [][2]float64 // all and bad events by when they ended
	all     eventCount
	natural eventCount
	how     map[string]map[string]int // outcomes by cause
	untold  string                    // why nothing is known of it
	doubts  []string
}

func newSLOCount(f *assay.Facts, s *assay.SLO) *sloCount {
	width := max(int64(100*time.Millisecond), (f.End-f.Begin)/sloBins+1)
	slice := s.Slice
	if s.Method == assay.Occurrences {
		slice = 0
	}
	return &sloCount{slo: s, begin: f.Begin, width: width, bins: make([][2]float64, max(1, (f.End-f.Begin)/width+1)), how: map[string]map[string]int{},
		all: newEventCount(slice, s.SliceTarget), natural: newEventCount(slice, s.SliceTarget)}
}

// add takes n events that ended at t, bad of which were bad by a cause.
func (c *sloCount) add(t int64, n, bad float64, cause, how string, natural bool) {
	i := min(max(0, (t-c.begin)/c.width), int64(len(c.bins)-1))
	c.bins[i][0] += n
	c.bins[i][1] += bad
	c.all.add(t-c.begin, n, bad, cause)
	if natural {
		c.natural.add(t-c.begin, n, bad, cause)
	}
	if bad > 0 && how != "" {
		if c.how[cause] == nil {
			c.how[cause] = map[string]int{}
		}
		if how == assay.OK.String() {
			how = "too slow"
		}
		c.how[cause][how]++
	}
}

// An eventCount counts events, in all or by slice of time, and the clusters in which bad ones came.
type eventCount struct {
	clusters stat.Clusters // of events, in order of when they were due
	n, lost  float64
	by       map[string]float64 // bad events by cause

	slice  int64 // ns; 0: events alone are counted
	target float64
	slices map[int64]*sliceCount
}

type sliceCount struct {
	n, lost float64
	by      map[string]float64
}

func newEventCount(slice int64, target float64) eventCount {
	return eventCount{clusters: stat.Clusters{Gap: clusterGap}, by: map[string]float64{}, slice: slice, target: target, slices: map[int64]*sliceCount{}}
}

func (e *eventCount) add(t int64, n, bad float64, cause string) {
	e.clusters.Add(bad > 0)
	e.n += n
	e.lost += bad
	if bad > 0 {
		e.by[cause] += bad
	}
	if e.slice == 0 {
		return
	}
	s := e.slices[t/e.slice]
	if s == nil {
		s = &sliceCount{by: map[string]float64{}}
		e.slices[t/e.slice] = s
	}
	s.n += n
	s.lost += bad
	if bad > 0 {
		s.by[cause] += bad
	}
}

func (e *eventCount) events() int { return e.clusters.Good + e.clusters.Bad }

// ordered returns the slices in order of time.
func (e *eventCount) ordered() []*sliceCount {
	var out []*sliceCount
	last := int64(-1)
	for i := range e.slices {
		last = max(last, i)
	}
	for i := int64(0); i <= last; i++ {
		if s := e.slices[i]; s != nil {
			out = append(out, s)
		}
	}
	return out
}

// good is the share of good events.
func (e *eventCount) good(method assay.Budgeting) assay.Quantity {
	q := e.bad(method)
	if !q.Known() {
		return q
	}
	if q.Basis == assay.Measured {
		because := "none was bad, and so nothing bounds how many will be when some are"
		if q.Value > 0 {
			because = fmt.Sprintf("%d %s cannot bound a mean; %d are the least", q.N, q.Of, ratioSlices)
		}
		return assay.NotEstimable(assay.Ratio, q.N, q.Of, because)
	}
	q.Value, q.Lo, q.Hi = 1-q.Value, 1-q.Hi, 1-q.Lo
	return q
}

// ratioSlices is how many slices bound a mean share at least.
const ratioSlices = 4

// bad is the share of bad events, with an interval that counts them by the cluster. Where none was bad it is what was seen of this run.
func (e *eventCount) bad(method assay.Budgeting) assay.Quantity {
	if e.n == 0 {
		return assay.NotMeasured(assay.Ratio, "no event was seen")
	}
	good, bad, clusters, of := e.n-e.lost, e.lost, &e.clusters, "clusters"
	how := "bad of all events; interval: rate of clusters of bad events × events lost to one"
	switch method {
	case assay.Timeslices:
		run := stat.Clusters{Gap: 1}
		for _, s := range e.ordered() {
			run.Add(s.lost/s.n > 1-e.target+1e-12)
		}
		good, bad, clusters = float64(run.Good), float64(run.Bad), &run
		how = "bad of all slices; interval: rate of stretches of bad slices × their mean length"
	case assay.RatioTimeslices:
		var shares []float64
		for _, s := range e.ordered() {
			shares = append(shares, s.lost/s.n)
		}
		mean, in := stat.MeanInterval(shares, Confidence)
		q := assay.Quantity{Value: mean, Lo: max(0, in.Lo), Hi: min(1, in.Hi), Confidence: Confidence, Unit: assay.Ratio, N: len(shares), Of: "slices",
			Method: "mean share of bad events of slices; interval from blocks of slices", Basis: assay.Estimated}
		if mean == 0 || len(shares) < ratioSlices || math.IsInf(in.Hi, 1) {
			return counted(mean, assay.Ratio, len(shares), "slices", "mean share of bad events of slices, in this run")
		}
		return q
	}
	if bad == 0 {
		if method == assay.Timeslices {
			return counted(0, assay.Ratio, len(e.slices), "slices", "bad of all slices, in this run")
		}
		return counted(0, assay.Ratio, e.events(), "events", "bad of all events, in this run")
	}
	in := stat.Unavailability(good, bad, clusters.N, clusters.Sigma(), Confidence)
	return assay.Quantity{Value: bad / (good + bad), Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: clusters.N, Of: of, Method: how, Basis: assay.Estimated}
}

// causes returns shares of what was bad by cause, on any scale, and of slices in how many there was something of a cause and how many were bad.
func (e *eventCount) causes(method assay.Budgeting) (out map[string]float64, in map[string]int, slices int) {
	if method == assay.Occurrences {
		return e.by, nil, 0
	}
	out, in = map[string]float64{}, map[string]int{}
	for _, s := range e.ordered() {
		whole := s.lost / s.n
		if method == assay.Timeslices {
			whole = bit(s.lost/s.n > 1-e.target+1e-12)
		}
		if whole == 0 {
			continue
		}
		slices++
		for _, cause := range keys(s.by) {
			out[cause] += whole * s.by[cause] / s.lost
			in[cause]++
		}
	}
	return out, in, slices
}

// worstLeast is how many events the worst stretch rests on at least.
const worstLeast = 20

// worst returns the highest burn rate over each standard window that the run fills, and of the first that is longer than the run that over all of it.
func (c *sloCount) worst(f *assay.Facts, budget float64) []assay.Burn {
	least, of := float64(worstLeast), "events"
	if !c.slo.Good.Own() {
		least, of = 0, "events as PromQL counts them"
	}
	var out []assay.Burn
	for _, w := range promrules.Windows(time.Duration(c.slo.Window)) {
		b := assay.Burn{Window: int64(w)}
		span := max(1, int(int64(w)/c.width))
		var n, bad, most, events float64
		most = -1
		for i := range c.bins {
			n += c.bins[i][0]
			bad += c.bins[i][1]
			if i >= span {
				n -= c.bins[i-span][0]
				bad -= c.bins[i-span][1]
			}
			if i < min(span, len(c.bins))-1 { // the window is not full yet
				continue
			}
			if n > 0 && n >= least && bad/n > most {
				most, events, b.At = max(0, bad/n), n, min(f.End, c.begin+int64(i+1)*c.width)
			}
		}
		method := fmt.Sprintf("highest share of bad events within %s, by when they ended, over the budget", promrules.Span(w))
		long := int64(w) >= f.End-f.Begin
		if long {
			method += "; the run is shorter: over all of it"
		}
		if most < 0 {
			b.Rate = assay.NotEstimable(assay.Count, 0, "events", fmt.Sprintf("no stretch of %s has %d events", promrules.Span(w), worstLeast))
		} else {
			b.Rate = counted(most/budget, assay.Count, int(events+.5), of, method)
		}
		out = append(out, b)
		if long {
			break
		}
	}
	return out
}
