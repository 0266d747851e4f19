package series

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/flatten"
	"github.com/assay-dev/assay/internal/gpu"
)

const (
	maxLabels = 64
	maxLabel  = 4096 // bytes
	maxKnown  = 100_000
)

// isAPI tells an answer of Prometheus' HTTP API.
func isAPI(_ string, head []byte) bool {
	head = bytes.TrimSpace(head)
	return bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"status"`)) && bytes.Contains(head, []byte(`"data"`)) &&
		(bytes.Contains(head, []byte(`"resultType"`)) || bytes.Contains(head, []byte(`"__name__"`)))
}

// readAPI emits the samples of one answer, or of several one after another. It reads series by series, so that an answer may be of any size.
func readAPI(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	a := &api{in: in, emit: emit, dec: json.NewDecoder(in.File), native: map[string]*flatten.Histogram{}}
	for {
		in.Row()
		err := a.answer()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, byte %d: %w", in.Path, a.dec.InputOffset(), err)
		}
	}
}

// An api reads answers.
type api struct {
	in     *input.Input
	emit   func(assay.Record) error
	dec    *json.Decoder
	native map[string]*flatten.Histogram
	sample assay.Sample
}

// answer reads one answer.
func (a *api) answer() error {
	return a.object(func(key string) error {
		switch key {
		case "status":
			var status string
			if err := a.dec.Decode(&status); err != nil {
				return err
			}
			if status != "success" {
				a.in.Tally.Reject("an answer that says it is an error", 1)
			}
			return nil
		case "data":
			return a.data()
		}
		return a.skip()
	})
}

// object reads an object: each is called with the decoder before the value of a key.
func (a *api) object(each func(key string) error) error {
	t, err := a.dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%v: want an object", t)
	}
	for a.dec.More() {
		t, err := a.dec.Token()
		if err != nil {
			return torn(err)
		}
		key, _ := t.(string)
		if err := each(key); err != nil {
			return torn(err)
		}
	}
	_, err = a.dec.Token()
	return torn(err)
}

// torn keeps an end in the middle of an answer from being taken for its end.
func torn(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (a *api) skip() error {
	a.in.Row()
	var v json.RawMessage
	return a.dec.Decode(&v)
}

// data reads what query and query_range answer, an object, or series, a list.
func (a *api) data() error {
	a.in.Row()
	t, err := a.dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		return a.list(func() error {
			if err := a.skip(); err != nil {
				return err
			}
			a.in.Tally.Reject("a name of a series without a value", 1)
			return nil
		})
	case json.Delim('{'):
	case nil:
		return nil
	default:
		return fmt.Errorf("%v: want the data of an answer", t)
	}
	for a.dec.More() {
		t, err := a.dec.Token()
		if err != nil {
			return err
		}
		if t != "result" {
			if err := a.skip(); err != nil {
				return err
			}
			continue
		}
		if t, err = a.dec.Token(); err != nil {
			return err
		}
		if t != json.Delim('[') {
			return fmt.Errorf("%v: want a list of series", t)
		}
		if err := a.list(a.series); err != nil {
			return err
		}
	}
	_, err = a.dec.Token()
	return err
}

// list reads a list whose bracket was read.
func (a *api) list(each func() error) error {
	for a.dec.More() {
		a.in.Row()
		if err := each(); err != nil {
			return err
		}
	}
	_, err := a.dec.Token()
	return err
}

// series reads one series with all its points.
func (a *api) series() error {
	var s struct {
		Metric     map[string]string    `json:"metric"`
		Values     [][2]json.RawMessage `json:"values"`
		Value      *[2]json.RawMessage  `json:"value"`
		Histograms [][2]json.RawMessage `json:"histograms"`
		Histogram  *[2]json.RawMessage  `json:"histogram"`
	}
	var raw json.RawMessage
	if err := a.dec.Decode(&raw); err != nil {
		return err
	}
	if len(raw) > 0 && raw[0] != '{' { // a scalar, which is two values and no series
		a.in.Tally.Reject("a number without a series", 1)
		return nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		a.in.Tally.Reject("no series of an answer", 1)
		return nil
	}
	if s.Value != nil {
		s.Values = append(s.Values, *s.Value)
	}
	if s.Histogram != nil {
		s.Histograms = append(s.Histograms, *s.Histogram)
	}
	points := int64(len(s.Values) + len(s.Histograms))
	a.sample = assay.Sample{Name: s.Metric["__name__"]}
	delete(s.Metric, "__name__")
	switch {
	case a.sample.Name == "":
		a.in.Tally.Reject("of an expression: want series with their names", points)
		return nil
	case len(s.Metric) > maxLabels || len(a.sample.Name) > maxLabel:
		a.in.Tally.Reject("of a series with too many labels, or too long ones", points)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metric)) {
		if len(name) > maxLabel || len(s.Metric[name]) > maxLabel {
			a.in.Tally.Reject("of a series with too many labels, or too long ones", points)
			return nil
		}
		if s.Metric[name] != "" {
			a.sample.Labels = append(a.sample.Labels, assay.Label{Name: name, Value: s.Metric[name]})
		}
	}
	for _, v := range s.Values {
		var text string
		at, ok := instant(v[0])
		if !ok || json.Unmarshal(v[1], &text) != nil {
			a.in.Tally.Reject("no point of a series", 1)
			continue
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			a.in.Tally.Reject("no point of a series", 1)
			continue
		}
		if gpu.Blank(a.sample.Name, f) {
			a.in.Tally.Reject(whyBlank, 1)
			continue
		}
		a.in.Tally.Keep(1)
		a.sample.Time, a.sample.Value = at, f
		if err := a.emit(&a.sample); err != nil {
			return err
		}
	}
	return a.histograms(s.Histograms)
}

// instant reads Unix seconds.
func instant(raw json.RawMessage) (int64, bool) {
	var s float64
	if json.Unmarshal(raw, &s) != nil || math.IsNaN(s) || math.Abs(s) > 9e9 {
		return 0, false
	}
	ms := math.Round(s * 1000)
	return max(int64(ms)*1_000_000, 1), true // what lies before 1970 is refused with all that lies before 2000
}

// histograms emits native histograms as classic ones.
func (a *api) histograms(points [][2]json.RawMessage) error {
	if len(points) == 0 {
		return nil
	}
	base := a.sample
	key := flatten.Series(base.Name, base.Labels)
	h := a.native[key]
	if h == nil {
		if len(a.native) >= maxKnown {
			clear(a.native)
		}
		h = &flatten.Histogram{}
		a.native[key] = h
	}
	var errs error
	put := func(suffix, le string, at int64, v float64) {
		s := assay.Sample{Name: base.Name + suffix, Labels: base.Labels, Time: at, Value: v}
		if le != "" {
			s.Labels = append(slices.Clone(base.Labels), assay.Label{Name: "le", Value: le})
			slices.SortFunc(s.Labels, func(a, b assay.Label) int { return strings.Compare(a.Name, b.Name) })
		}
		errs = errors.Join(errs, a.emit(&s))
	}
	for _, p := range points {
		at, ok := instant(p[0])
		buckets, count, sum, err := native(p[1])
		if !ok || err != nil {
			a.in.Tally.Reject("no native histogram", 1)
			continue
		}
		if err := h.Look(at, buckets, func(le string, at int64, n float64) { put("_bucket", le, at, n) }); err != nil {
			a.in.Tally.Reject("a native histogram with too many buckets", 1)
			continue
		}
		a.in.Tally.Keep(1)
		put("_bucket", "+Inf", at, count)
		put("_sum", "", at, sum)
		put("_count", "", at, count)
		if errs != nil {
			return errs
		}
	}
	return nil
}

// native reads a native histogram as the API writes it: buckets of a rule for their ends, two ends and a count.
func native(raw json.RawMessage) (buckets []flatten.Bucket, count, sum float64, err error) {
	var h struct {
		Count   string               `json:"count"`
		Sum     string               `json:"sum"`
		Buckets [][4]json.RawMessage `json:"buckets"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, 0, 0, err
	}
	number := func(text string) float64 {
		v, e := strconv.ParseFloat(text, 64)
		err = errors.Join(err, e)
		return v
	}
	count, sum = number(h.Count), number(h.Sum)
	for _, b := range h.Buckets {
		var text [3]string
		for i := range text {
			err = errors.Join(err, json.Unmarshal(b[i+1], &text[i]))
		}
		buckets = append(buckets, flatten.Bucket{Lower: number(text[0]), Upper: number(text[1]), Count: number(text[2])})
	}
	slices.SortFunc(buckets, func(a, b flatten.Bucket) int {
		if a.Upper < b.Upper {
			return -1
		}
		return 1
	})
	return buckets, count, sum, err
}
