package collectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
)

// native is what is remembered of a native histogram from look to look.
type native struct {
	buckets flatten.Histogram
	by      map[string][]assay.Label // labels, by le
}

// waiting is a native histogram that was read. Where the exposition tells it as a classic one, too, that is what is recorded: its boundaries
// are those that its engine chose. A classic one that has no boundary but +Inf is none.
type waiting struct {
	s          *series
	at         int64
	buckets    []flatten.Bucket
	count, sum float64

	begun  bool
	mark   int // where the samples of the classic form begin
	finite bool
}

// covers reports whether s belongs to the classic form of the same histogram. have is the number of samples before it.
func (w *waiting) covers(s *series, have int) bool {
	suffix, ok := strings.CutPrefix(s.name, w.s.name)
	if !ok || suffix != "_count" && suffix != "_sum" && suffix != "_bucket" || !w.begun && suffix != "_count" {
		return false
	}
	if suffix == "_count" && w.begun {
		return false // of the next one
	}
	if !w.begun {
		w.begun, w.mark = true, have
	}
	w.finite = w.finite || s.finite
	return true
}

// histogram reads a native histogram.
func (x *exposition) histogram(p textparse.Parser, now int64, out []assay.Sample) ([]assay.Sample, error) {
	text, stamp, h, fh := p.Histogram()
	if h != nil {
		fh = h.ToFloat(nil)
	}
	var err error
	if x.waiting != nil {
		if out, err = x.decide(out); err != nil {
			return out, err
		}
	}
	key := "\xff" + string(text) // apart from a classic series of that name
	s := x.series[key]
	if s == nil {
		if s, err = x.meet(p); err != nil {
			return out, err
		}
		x.series[key] = s
	}
	if s.seen == x.looks {
		x.repeated++
		return out, nil
	}
	s.seen = x.looks
	buckets, err := flatten.Native(fh)
	if err != nil {
		return out, fmt.Errorf("histogram %s: %w", s.name, err)
	}
	x.waiting = &waiting{s: s, at: x.at(stamp, now), buckets: buckets, count: fh.Count, sum: fh.Sum}
	x.exemplify(p, s.name, s.labels, x.waiting.at)
	return out, nil
}

// decide records the waiting histogram, in one of its forms.
func (x *exposition) decide(out []assay.Sample) ([]assay.Sample, error) {
	w := x.waiting
	x.waiting = nil
	if w.finite {
		return out, nil
	}
	if w.begun {
		out = out[:w.mark]
	}
	if w.s.native == nil {
		w.s.native = &native{by: map[string][]assay.Label{}}
	}
	n := w.s.native
	put := func(le string, at int64, v float64) {
		ls := n.by[le]
		if ls == nil {
			ls = append(slices.Clone(w.s.labels), assay.Label{Name: "le", Value: le})
			sortLabels(ls)
			n.by[le] = ls
		}
		out = append(out, assay.Sample{Name: w.s.name + "_bucket", Labels: ls, Time: at, Value: v})
	}
	if err := n.buckets.Look(w.at, w.buckets, put); err != nil {
		return out, fmt.Errorf("histogram %s: %w", w.s.name, err)
	}
	put("+Inf", w.at, w.count)
	out = append(out, assay.Sample{Name: w.s.name + "_sum", Labels: w.s.labels, Time: w.at, Value: w.sum},
		assay.Sample{Name: w.s.name + "_count", Labels: w.s.labels, Time: w.at, Value: w.count})
	if len(out) > x.maxSamples {
		return out, x.tooMany()
	}
	return out, nil
}

// exemplify takes up the exemplars of the parser's current series.
func (x *exposition) exemplify(p textparse.Parser, name string, labels []assay.Label, at int64) {
	e := &x.exemplar // of the heap once and not for each series
	for p.Exemplar(e) {
		trace := ""
		for _, l := range [...]string{"trace_id", "traceID", "traceId"} {
			if trace = e.Labels.Get(l); trace != "" {
				break
			}
		}
		when := at
		if e.HasTs {
			when = x.at(&e.Ts, at)
		}
		if ev := x.exemplars.Event(flatten.Series(name, labels), strings.Clone(trace), e.Value, when); ev != nil && len(x.events) < 100 {
			x.events = append(x.events, *ev)
		}
		*e = exemplar.Exemplar{}
	}
}
