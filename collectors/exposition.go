package collectors

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
	"github.com/assay-dev/assay/internal/gpu"
)

// An exposition reads one target's expositions. A series it has met before is found by its bytes, without reading its labels again.
type exposition struct {
	target   *target
	fromUnix func(int64) int64
	series   map[string]*series // by its text in the exposition
	looks    int64

	maxSamples, maxLabels, maxLabel int
	repeated                        int // series that stood twice in the last exposition
	blank                           int // values of DCGM in it that stand for none

	// stamped returns the run time of a sample that has a time of its own, in Unix ms; nil: it counts where it lies near the look.
	stamped   func(ms, now int64) int64
	waiting   *waiting          // a native histogram that may be told as a classic one yet
	exemplars flatten.Exemplars // over all looks
	exemplar  exemplar.Exemplar
	events    []assay.Event // of the last exposition
}

type series struct {
	name   string
	labels []assay.Label
	seen   int64 // the look that last had it
	finite bool  // a bucket of a histogram that ends somewhere
	native *native
}

// maxStamp is how far a sample's own time may lie from the scrape's before it is not believed. A
// stamp far in the future would make a time-series database refuse everything after it.
const maxStamp = int64(time.Hour)

// read appends the samples of an exposition to out. On an error the samples are not to be used.
func (x *exposition) read(body []byte, contentType string, now int64, out []assay.Sample) ([]assay.Sample, error) {
	if len(x.series) > 2*x.maxSamples {
		clear(x.series) // failed looks leave theirs behind
	}
	p, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{FallbackContentType: "text/plain", OpenMetricsSkipSTSeries: true, KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		return out, fmt.Errorf("content type %q: %w", contentType, err)
	}
	x.looks++
	x.repeated, x.blank = 0, 0
	x.events = x.events[:0]
	x.waiting = nil
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, fmt.Errorf("parse exposition: %w", err)
		}
		var text []byte
		var stamp *int64
		var value float64
		switch entry {
		case textparse.EntrySeries:
			text, stamp, value = p.Series()
		case textparse.EntryHistogram:
			if out, err = x.histogram(p, now, out); err != nil {
				return out, err
			}
			continue
		default:
			continue
		}
		s := x.series[string(text)]
		if s == nil {
			if s, err = x.meet(p); err != nil {
				return out, err
			}
			x.series[string(text)] = s
		}
		if x.waiting != nil && !x.waiting.covers(s, len(out)) {
			if out, err = x.decide(out); err != nil {
				return out, err
			}
		}
		if s.seen == x.looks && (x.stamped == nil || stamp == nil) {
			x.repeated++
			continue
		}
		s.seen = x.looks
		if gpu.Blank(s.name, value) {
			x.blank++
			continue
		}
		if len(out) >= x.maxSamples {
			return out, x.tooMany()
		}
		at := x.at(stamp, now)
		out = append(out, assay.Sample{Name: s.name, Labels: s.labels, Time: at, Value: value})
		if x.waiting == nil { // else the native form has told them
			x.exemplify(p, s.name, s.labels, at)
		}
	}
	if x.waiting != nil {
		if out, err = x.decide(out); err != nil {
			return out, err
		}
	}
	if len(x.series) > 2*len(out)+100 {
		x.forget()
	}
	return out, nil
}

func (x *exposition) tooMany() error {
	return fmt.Errorf("more than max_samples, %d, in one exposition", x.maxSamples)
}

// at returns the instant of a sample: its own time where that can be believed, else that of the look.
func (x *exposition) at(stamp *int64, now int64) int64 {
	if stamp == nil {
		return now
	}
	if x.stamped != nil {
		return x.stamped(*stamp, now)
	}
	if t := x.fromUnix(*stamp * int64(time.Millisecond)); t > now-maxStamp && t < now+maxStamp {
		return t
	}
	return now
}

// meet reads the labels of the parser's current series and joins the target's to them.
func (x *exposition) meet(p textparse.Parser) (*series, error) {
	var ls labels.Labels
	p.Labels(&ls)
	s := &series{name: strings.Clone(ls.Get(labels.MetricName))}
	if n := ls.Len() - 1; n > x.maxLabels {
		return nil, fmt.Errorf("series %s has %d labels, more than max_labels, %d", s.name, n, x.maxLabels)
	}
	if len(s.name) > x.maxLabel {
		return nil, fmt.Errorf("a metric's name has %d bytes, more than max_label_length, %d", len(s.name), x.maxLabel)
	}
	s.labels = slices.Clone(x.target.labels)
	var err error
	ls.Range(func(l labels.Label) {
		if len(l.Name) > x.maxLabel || len(l.Value) > x.maxLabel {
			err = fmt.Errorf("series %s has a label of %d bytes, more than max_label_length, %d", s.name, max(len(l.Name), len(l.Value)), x.maxLabel)
		}
		s.finite = s.finite || l.Name == "le" && l.Value != "+Inf" && strings.HasSuffix(s.name, "_bucket")
		if l.Name == labels.MetricName || l.Value == "" {
			return // an empty label is no label
		}
		name := strings.Clone(l.Name)
		for slices.ContainsFunc(s.labels, func(have assay.Label) bool { return have.Name == name }) {
			name = "exported_" + name
		}
		s.labels = append(s.labels, assay.Label{Name: name, Value: strings.Clone(l.Value)})
	})
	sortLabels(s.labels)
	return s, err
}

func sortLabels(ls []assay.Label) {
	slices.SortFunc(ls, func(a, b assay.Label) int { return strings.Compare(a.Name, b.Name) })
}

// forget lets go of series that the last look did not have.
func (x *exposition) forget() {
	for text, s := range x.series {
		if s.seen != x.looks {
			delete(x.series, text)
		}
	}
}
