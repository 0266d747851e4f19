package analyzers

import (
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// A madeWindows tells the share of bad requests of a promise over windows of time, by sums over the series made of the run's requests. It gives what PromQL does over the
// same series, at a cost that does not grow with the window.
type madeWindows struct {
	begin, step int64 // ns of Unix time; ns
	before      int   // samples of a good past
	n           int
	all, some   []madeSums // of all requests that count; of the bad ones, or of those that were served in time
	good        bool       // some are the good ones
}

// madeSums is a counter: what it was at each sample of the run, if at 0 before, and how much it rose from one sample to the next in a good past.
type madeSums struct {
	sums []float64
	past float64
}

// windows returns those of a promise, or nil where none of its requests was seen.
func (m *madeSeries) windows(f *assay.Facts, lines []madeLine, s *assay.SLO, past time.Duration) *madeWindows {
	w := &madeWindows{begin: m.begin + f.Manifest.Epoch, step: m.step, n: m.n, good: s.Good.Metric != "availability"}
	if past > 0 {
		w.before = int(int64(past)/m.step) + 1
	}
	var limit madeLimit
	if w.good {
		limit.family = s.Good.Metric
		limit.le, _ = promrules.Bucket(s.Good.Metric, s.Good.Max)
	}
	for i := range lines {
		x := &lines[i]
		if s.Good.Phase != "" && s.Good.Phase != x.key.phase || s.Good.Class != "" && s.Good.Class != x.key.class {
			continue
		}
		bucket := x.limit.family != ""
		all, some := !bucket && x.key.outcome.Counts(), w.good && bucket && x.limit == limit || !w.good && !bucket && x.key.outcome.Bad()
		if !all && !some {
			continue
		}
		c := madeSums{sums: make([]float64, len(x.counts)), past: x.past * seconds(m.step)}
		sum := 0.0
		for j, n := range x.counts {
			sum += float64(n)
			c.sums[j] = sum
		}
		if all {
			w.all = append(w.all, c)
		}
		if some {
			w.some = append(w.some, c)
		}
	}
	if len(w.all) == 0 || len(w.some) == 0 && !w.good {
		return nil
	}
	return w
}

// at returns a counter's value at a sample; those of the past have negative numbers.
func (w *madeWindows) at(c *madeSums, i int) float64 {
	if i < 0 {
		return c.past * float64(i+w.before+1)
	}
	return c.past*float64(w.before) + c.sums[i]
}

// ms is the instant of a sample.
func (w *madeWindows) ms(i int) int64 { return (w.begin + int64(i)*w.step) / 1e6 }

// last is the last sample at or before an instant, in ms, whether there is one or not.
func (w *madeWindows) last(ms int64) int {
	i := int((ms*1e6 - w.begin) / w.step)
	for w.ms(i+1) <= ms {
		i++
	}
	for w.ms(i) > ms {
		i--
	}
	return i
}

// ratio is the share of bad requests in the window that ends at ms, as rate has it: from the first sample in the window to the last, and from there to the
// window's ends where these are no further than one sample is from the next. It is not known with less than two samples.
func (w *madeWindows) ratio(window time.Duration, ms int64) (bad float64, known bool) {
	start := ms - window.Milliseconds()
	first, last := max(-w.before, w.last(start)+1), min(w.n-1, w.last(ms))
	if last <= first {
		return 0, false
	}
	sampled := float64(w.ms(last)-w.ms(first)) / 1000
	apart := sampled / float64(last-first)
	toStart, toEnd := float64(w.ms(first)-start)/1000, float64(ms-w.ms(last))/1000
	if toStart >= 1.1*apart {
		toStart = apart / 2
	}
	if toEnd >= 1.1*apart {
		toEnd = apart / 2
	}
	sum := func(of []madeSums) (out float64) {
		for i := range of {
			from := w.at(&of[i], first)
			rise := w.at(&of[i], last) - from
			if rise > 0 { // a counter was never below 0
				out += rise * (sampled + min(toStart, sampled*from/rise) + toEnd) / sampled
			}
		}
		return out
	}
	if w.good {
		return 1 - sum(w.some)/sum(w.all), true
	}
	return sum(w.some) / sum(w.all), true
}

// count is how many requests of the run itself ended in the window that ends at ms, and how many of them were bad.
func (w *madeWindows) count(window time.Duration, ms int64) (bad, all float64) {
	first, last := max(-1, w.last(ms-window.Milliseconds())), min(w.n-1, w.last(ms))
	sum := func(of []madeSums) (out float64) {
		for i := range of {
			if last >= 0 {
				out += of[i].sums[last]
			}
			if first >= 0 {
				out -= of[i].sums[min(first, w.n-1)]
			}
		}
		return out
	}
	if all, bad = sum(w.all), sum(w.some); w.good {
		bad = all - bad
	}
	return math.Max(0, bad), all
}
