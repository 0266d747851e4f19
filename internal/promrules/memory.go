package promrules

import (
	"context"
	"math"
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// A Memory holds series that rules are evaluated on: made of requests, or recorded by rules. It is for one goroutine.
type Memory struct {
	byHash map[uint64]*memorySeries
	byName map[string][]*memorySeries // in order of their labels
}

type memorySeries struct {
	labels labels.Labels
	points points
}

// NewMemory returns one without series.
func NewMemory() *Memory {
	return &Memory{byHash: map[uint64]*memorySeries{}, byName: map[string][]*memorySeries{}}
}

// Add appends a sample at ms, which must be above that of the series' last one; else it is left out, and Add reports false.
func (m *Memory) Add(l labels.Labels, ms int64, v float64) bool {
	h := l.Hash()
	s := m.byHash[h]
	if s == nil {
		s = &memorySeries{labels: l}
		m.byHash[h] = s
		name := l.Get(labels.MetricName)
		list := m.byName[name]
		i := sort.Search(len(list), func(i int) bool { return labels.Compare(list[i].labels, l) >= 0 })
		m.byName[name] = slices.Insert(list, i, s)
	}
	if n := len(s.points); n > 0 && s.points[n-1].t >= ms {
		return false
	}
	s.points = append(s.points, point{ms, v})
	return true
}

// A Line is the samples of one series: times in ms, without stale markers.
type Line struct {
	Labels labels.Labels
	Times  []int64
	Values []float64
}

// Lines returns the series of a name, in order of their labels.
func (m *Memory) Lines(name string) []Line {
	var out []Line
	for _, s := range m.byName[name] {
		l := Line{Labels: s.labels}
		for _, p := range s.points {
			if !value.IsStaleNaN(p.v) {
				l.Times, l.Values = append(l.Times, p.t), append(l.Values, p.v)
			}
		}
		out = append(out, l)
	}
	return out
}

// Querier implements storage.Queryable.
func (m *Memory) Querier(mint, maxt int64) (storage.Querier, error) {
	return memoryQuerier{m, mint, maxt}, nil
}

type memoryQuerier struct {
	m          *Memory
	mint, maxt int64
}

func (q memoryQuerier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &memorySet{at: -1}
	take := func(list []*memorySeries) {
		for _, s := range list {
			if p := s.points.within(q.mint, q.maxt); len(p) > 0 && matchesAll(s.labels, matchers) {
				set.series = append(set.series, memorySeries{s.labels, p})
			}
		}
	}
	for _, x := range matchers {
		if x.Name == labels.MetricName && x.Type == labels.MatchEqual {
			take(q.m.byName[x.Value])
			return set
		}
	}
	for _, list := range q.m.byName {
		take(list)
	}
	slices.SortFunc(set.series, func(a, b memorySeries) int { return labels.Compare(a.labels, b.labels) })
	return set
}

func matchesAll(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, x := range matchers {
		if !x.Matches(l.Get(x.Name)) {
			return false
		}
	}
	return true
}

func (memoryQuerier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (memoryQuerier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (memoryQuerier) Close() error { return nil }

type memorySet struct {
	series []memorySeries
	at     int
}

func (s *memorySet) Next() bool                      { s.at++; return s.at < len(s.series) }
func (s *memorySet) At() storage.Series              { return &s.series[s.at] }
func (*memorySet) Err() error                        { return nil }
func (*memorySet) Warnings() annotations.Annotations { return nil }
func (s *memorySeries) Labels() labels.Labels        { return s.labels }
func (s *memorySeries) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(s.points)
}

// A point is one sample; points are in order of time.
type point struct {
	t int64
	v float64
}

type points []point

// within returns the samples in the closed range.
func (p points) within(mint, maxt int64) points {
	lo := sort.Search(len(p), func(i int) bool { return p[i].t >= mint })
	hi := sort.Search(len(p), func(i int) bool { return p[i].t > maxt })
	return p[lo:max(lo, hi)]
}

func (p points) Get(i int) chunks.Sample { return p[i] }
func (p points) Len() int                { return len(p) }

func (p point) T() int64                    { return p.t }
func (point) ST() int64                     { return 0 }
func (p point) F() float64                  { return p.v }
func (point) H() *histogram.Histogram       { return nil }
func (point) FH() *histogram.FloatHistogram { return nil }
func (point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample         { return p }

var stale = math.Float64frombits(value.StaleNaN)
