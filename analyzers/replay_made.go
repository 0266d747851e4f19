package analyzers

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// madeLabel marks what was made of requests, so that nobody takes it for what was recorded.
const madeLabel, madeOf = "made_of", "requests"

// madeSeries makes the counters of the run's live metrics out of its requests: how many had ended by each sample, by phase, class and outcome, and how many
// were served within the limit of each promised latency.
type madeSeries struct {
	begin, step int64
	n           int // samples
	limits      []madeLimit
	ended       map[madeKey][]int
	fast        map[madeKey][]int
	counted     int
	last        madeCounts
	lastFast    []madeCounts // of each limit
}

type madeKey struct {
	phase, class string
	outcome      assay.Outcome
	limit        int // index of the limit
}

// A madeLimit is one bucket that rules ask for.
type madeLimit struct {
	family string
	le     float64
}

func newMadeSeries(f *assay.Facts, slos []assay.SLO, step int64) *madeSeries {
	m := &madeSeries{begin: f.Begin, step: step, n: int((f.End-f.Begin)/step) + 2, ended: map[madeKey][]int{}, fast: map[madeKey][]int{}}
	for i := range slos {
		if in := &slos[i].Good; in.Own() && in.Metric != "availability" {
			le, _ := promrules.Bucket(in.Metric, in.Max)
			if l := (madeLimit{in.Metric, le}); !slices.Contains(m.limits, l) {
				m.limits = append(m.limits, l)
			}
		}
	}
	m.lastFast = make([]madeCounts, len(m.limits))
	return m
}

func (m *madeSeries) add(r *assay.Request) {
	at := max(r.Due, r.End) - m.begin
	i := min(max(0, int((at+m.step-1)/m.step)), m.n-1)
	k := madeKey{phase: r.Phase, class: r.Class, outcome: r.Outcome}
	m.of(m.ended, &m.last, k)[i]++
	if r.Outcome.Counts() {
		m.counted++
	}
	if r.Outcome != assay.OK {
		return
	}
	for j, l := range m.limits {
		if took, known := latencyOf(l.family, r); known && took <= l.le*1e9 {
			k.limit = j
			m.of(m.fast, &m.lastFast[j], k)[i]++
		}
	}
}

// of returns the counts of a key. Most requests have that of the one before, which saves the look-up.
func (m *madeSeries) of(in map[madeKey][]int, last *madeCounts, k madeKey) []int {
	if last.counts != nil && last.key == k {
		return last.counts
	}
	if in[k] == nil {
		in[k] = make([]int, m.n)
	}
	*last = madeCounts{k, in[k]}
	return last.counts
}

type madeCounts struct {
	key    madeKey
	counts []int
}

// A madeLine is one counter.
type madeLine struct {
	labels labels.Labels
	key    madeKey
	limit  madeLimit // of a bucket
	counts []int     // that it rose by until each sample
	past   float64   // that it rose by each second of a good past
}

// lines returns the counters, those of requests first. In a good past requests came at the run's mean rate, and all were served in time.
func (m *madeSeries) lines(f *assay.Facts) []madeLine {
	if len(m.ended) == 0 {
		return nil
	}
	for _, k := range madeOrder(m.ended) { // both are there from the first sample on, as they are live
		for _, o := range []assay.Outcome{assay.OK, assay.ServerError} {
			if k.outcome = o; m.ended[k] == nil {
				m.ended[k] = make([]int, m.n)
			}
		}
	}
	rate := float64(m.counted) / seconds(f.End-f.Begin)
	share := func(counts []int, of int) float64 { return rate * float64(summed(counts)) / float64(max(1, of)) }
	served, fast := 0, make([]int, len(m.limits))
	for k, counts := range m.ended {
		if k.outcome == assay.OK {
			served += summed(counts)
		}
	}
	for k, counts := range m.fast {
		fast[k.limit] += summed(counts)
	}
	var out []madeLine
	for _, k := range madeOrder(m.ended) {
		x := madeLine{key: k, counts: m.ended[k],
			labels: labels.FromStrings(labels.MetricName, promrules.RequestSeries, "phase", k.phase, "class", k.class, "outcome", k.outcome.String(), madeLabel, madeOf)}
		if k.outcome == assay.OK {
			x.past = share(x.counts, served)
		}
		out = append(out, x)
	}
	for _, k := range madeOrder(m.fast) {
		l := m.limits[k.limit]
		out = append(out, madeLine{key: k, limit: l, counts: m.fast[k], past: share(m.fast[k], fast[k.limit]),
			labels: labels.FromStrings(labels.MetricName, promrules.LatencySeries(l.family), "phase", k.phase, "class", k.class, "le", strconv.FormatFloat(l.le, 'g', -1, 64), madeLabel, madeOf)})
	}
	return out
}

// memory returns the series, with a past before the run in which all was good.
func (m *madeSeries) memory(f *assay.Facts, past time.Duration) *promrules.Memory {
	out := promrules.NewMemory()
	for _, x := range m.lines(f) {
		ms := func(t int64) int64 { return (t + f.Manifest.Epoch) / 1e6 }
		sum := 0.0
		if past > 0 {
			step := max(m.step, int64(past)/pastSamples)
			for t := m.begin - int64(past)/step*step - step; t < m.begin; t += step {
				sum += x.past * seconds(step)
				out.Add(x.labels, ms(t), sum)
			}
		}
		for i, n := range x.counts {
			sum += float64(n)
			out.Add(x.labels, ms(m.begin+int64(i)*m.step), sum)
		}
	}
	return out
}

// pastSamples bounds the samples of a past.
const pastSamples = 3000

func summed(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func madeOrder(m map[madeKey][]int) []madeKey {
	out := make([]madeKey, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b madeKey) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.class, b.class), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.limit, b.limit))
	})
	return out
}
