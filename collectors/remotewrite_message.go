package collectors

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/prompb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/protofield"
)

// The messages are walked field by field, so that memory is bounded by what one series holds and not by what a message promises.

var (
	errWrite       = errors.New("malformed remote write")
	errWriteSeries = fmt.Errorf("more than %d series in one request; send smaller batches", writeSeries)
)

const maxHistogramBytes = 64 << 10

// A writing is one request being taken.
type writing struct {
	r           *RemoteWrite
	now, offset int64
	symbols     []string

	series     int
	sample     assay.Sample
	wrong      string // what is wrong with the labels of the present series
	histograms [][]byte

	floats, natives, exemplars, emitted int64
	rejected                            map[string]int64
	refusal                             error
	blank                               int64 // left out without a word to the sender, who can do nothing about it
}

func (t *writing) reject(reason string, n int64) {
	if t.rejected == nil {
		t.rejected = map[string]int64{}
	}
	t.rejected[reason] += n
}

// fields calls each for every field of a message. Bytes are valid as long as b.
func fields(b []byte, each func(num protowire.Number, typ protowire.Type, raw []byte, v uint64) error) error {
	return protofield.Each(b, errWrite, each)
}

// v1 takes a prometheus.WriteRequest.
func (t *writing) v1(body []byte) error {
	return fields(body, func(num protowire.Number, typ protowire.Type, raw []byte, _ uint64) error {
		if num != 1 || typ != protowire.BytesType {
			return nil // metadata
		}
		return t.one(raw, 1, 2, 4, 3, func(raw []byte) (name, value string, err error) {
			err = fields(raw, func(num protowire.Number, _ protowire.Type, raw []byte, _ uint64) error {
				switch num {
				case 1:
					name = string(raw)
				case 2:
					value = string(raw)
				}
				return nil
			})
			return name, value, err
		})
	})
}

// v2 takes an io.prometheus.write.v2.Request: symbols first, or at least before the series that use them.
func (t *writing) v2(body []byte) error {
	err := fields(body, func(num protowire.Number, typ protowire.Type, raw []byte, _ uint64) error {
		if num == 4 && typ == protowire.BytesType {
			if len(t.symbols) >= 2*writeSeries {
				return errWriteSeries
			}
			t.symbols = append(t.symbols, string(raw))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fields(body, func(num protowire.Number, typ protowire.Type, raw []byte, _ uint64) error {
		if num != 5 || typ != protowire.BytesType {
			return nil
		}
		return t.one(raw, 0, 2, 3, 4, nil)
	})
}

// refs reads labels as pairs of indices of symbols.
func (t *writing) refs(raw []byte, add func(name, value string)) error {
	var name string
	for i := 0; len(raw) > 0; i++ {
		v, n := protowire.ConsumeVarint(raw)
		if n < 0 || v >= uint64(len(t.symbols)) {
			return fmt.Errorf("%w: a reference to no symbol", errWrite)
		}
		raw = raw[n:]
		if i%2 == 0 {
			name = t.symbols[v]
			continue
		}
		add(name, t.symbols[v])
	}
	return nil
}

// one takes one series whose labels, samples, histograms and exemplars stand in the fields of those numbers; of version 2 the labels are references
// in field 1.
func (t *writing) one(raw []byte, labels, samples, histograms, exemplars protowire.Number, label func([]byte) (name, value string, err error)) error {
	if t.series++; t.series > writeSeries {
		return errWriteSeries
	}
	t.sample = assay.Sample{Labels: t.sample.Labels[:0]}
	t.wrong = ""
	add := func(name, value string) {
		switch {
		case name == "__name__":
			t.sample.Name = value
		case name == "" || len(name) > promMaxLabel || len(value) > promMaxLabel || len(t.sample.Labels) >= promMaxLabels:
			t.wrong = "of a series with too many labels, or too long ones"
		case value != "":
			t.sample.Labels = append(t.sample.Labels, assay.Label{Name: name, Value: value})
		}
	}
	err := fields(raw, func(num protowire.Number, typ protowire.Type, raw []byte, v uint64) error {
		switch {
		case label == nil && num == 1 && typ == protowire.BytesType:
			return t.refs(raw, add)
		case label != nil && num == labels && typ == protowire.BytesType:
			name, value, err := label(raw)
			if err == nil {
				add(name, value)
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t.sample.Name == "" || len(t.sample.Name) > promMaxLabel {
		t.wrong = "of a series without a name"
	}
	sortLabels(t.sample.Labels)
	for i := 1; i < len(t.sample.Labels); i++ {
		if t.sample.Labels[i].Name == t.sample.Labels[i-1].Name {
			t.wrong = "of a series that has a label twice"
		}
	}
	return fields(raw, func(num protowire.Number, typ protowire.Type, raw []byte, _ uint64) error {
		if typ != protowire.BytesType || t.refusal != nil {
			return nil
		}
		switch num {
		case samples:
			return t.float(raw)
		case histograms:
			return t.histogram(raw)
		case exemplars:
			return t.exemplar(raw, label)
		}
		return nil
	})
}

// stamped returns the run time of a stamp in Unix ms, and whether it can be true.
func (t *writing) stamped(ms int64) (int64, bool) {
	if ms < 0 || ms > math.MaxInt64/1_000_000 {
		return 0, false
	}
	at := t.r.Clock.FromUnix(ms * 1_000_000)
	return at, at >= t.now-t.offset && at <= t.now+t.offset
}

// put emits a sample of the present series.
func (t *writing) put(s *assay.Sample) bool {
	if t.refusal != nil {
		return false
	}
	if err := t.r.emit(s); err != nil {
		t.refusal = err
		return false
	}
	t.emitted++
	return true
}

func (t *writing) float(raw []byte) error {
	var ms int64
	var value float64
	err := fields(raw, func(num protowire.Number, typ protowire.Type, _ []byte, v uint64) error {
		switch {
		case num == 1 && typ == protowire.Fixed64Type:
			value = math.Float64frombits(v)
		case num == 2 && typ == protowire.VarintType:
			ms = int64(v)
		}
		return nil
	})
	at, ok := t.stamped(ms)
	switch {
	case err != nil:
		return err
	case t.wrong != "":
		t.reject(t.wrong, 1)
	case !ok:
		t.reject("whose time lies too far from now", 1)
	case gpu.Blank(t.sample.Name, value):
		t.blank++
	default:
		t.sample.Time, t.sample.Value = at, value
		if t.put(&t.sample) {
			t.floats++
		}
	}
	return nil
}

// histogram emits a native histogram as a classic one. Both versions write it in the same way.
func (t *writing) histogram(raw []byte) error {
	if len(raw) > maxHistogramBytes {
		t.reject(fmt.Sprintf("of a native histogram of more than %d bytes", maxHistogramBytes), 1)
		return nil
	}
	var h prompb.Histogram
	if err := h.Unmarshal(raw); err != nil {
		return fmt.Errorf("%w: %w", errWrite, err)
	}
	at, ok := t.stamped(h.Timestamp)
	fh := h.ToFloatHistogram()
	buckets, err := flatten.Native(fh)
	switch {
	case t.wrong != "":
		t.reject(t.wrong, 1)
		return nil
	case !ok:
		t.reject("whose time lies too far from now", 1)
		return nil
	case err != nil:
		t.reject("of a native histogram that contradicts itself, or has too many buckets", 1)
		return nil
	}
	base := t.sample
	var out []assay.Sample
	with := func(le string, at int64, n float64) {
		ls := append(slices.Clone(base.Labels), assay.Label{Name: "le", Value: le})
		sortLabels(ls)
		out = append(out, assay.Sample{Name: base.Name + "_bucket", Labels: ls, Time: at, Value: n})
	}
	if err := t.r.lookAt(flatten.Series(base.Name, base.Labels), at, buckets, with); err != nil {
		t.reject("of a native histogram that contradicts itself, or has too many buckets", 1)
		return nil
	}
	with("+Inf", at, fh.Count)
	out = append(out, assay.Sample{Name: base.Name + "_sum", Labels: base.Labels, Time: at, Value: fh.Sum}, assay.Sample{Name: base.Name + "_count", Labels: base.Labels, Time: at, Value: fh.Count})
	for i := range out {
		if !t.put(&out[i]) {
			return nil
		}
	}
	t.natives++
	return nil
}

// lookAt tells the buckets of a native histogram by what is remembered of it.
func (r *RemoteWrite) lookAt(key string, at int64, buckets []flatten.Bucket, tell func(string, int64, float64)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.native[key]
	if h == nil {
		if len(r.native) >= writeNative {
			clear(r.native)
		}
		h = &flatten.Histogram{}
		r.native[key] = h
	}
	return h.Look(at, buckets, tell)
}

func (t *writing) exemplar(raw []byte, label func([]byte) (name, value string, err error)) error {
	var ms int64
	var value float64
	trace := ""
	add := func(name, value string) {
		if strings.EqualFold(strings.ReplaceAll(name, "_", ""), "traceid") {
			trace = value
		}
	}
	err := fields(raw, func(num protowire.Number, typ protowire.Type, raw []byte, v uint64) error {
		switch {
		case num == 1 && typ == protowire.BytesType && label == nil:
			return t.refs(raw, add)
		case num == 1 && typ == protowire.BytesType:
			name, value, err := label(raw)
			add(name, value)
			return err
		case num == 2 && typ == protowire.Fixed64Type:
			value = math.Float64frombits(v)
		case num == 3 && typ == protowire.VarintType:
			ms = int64(v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	at, ok := t.stamped(ms)
	if !ok || t.wrong != "" {
		return nil
	}
	t.exemplars++
	if e := t.r.exemplars.Event(flatten.Series(t.sample.Name, t.sample.Labels), trace, value, at); e != nil {
		t.r.emit(e)
	}
	return nil
}
