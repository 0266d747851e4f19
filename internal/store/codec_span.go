package store

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/assay-dev/assay"
)

var spanCodec = &codec[assay.Span]{
	kind: "spans", magic: "assaySP1",
	encode: encodeSpan, decode: decodeSpan, compare: compareSpans,
}

// The flags of a span.
const (
	flagFailed = 1 << iota
	flagParent
	spanFlags
)

func encodeSpan(b *batch, s *assay.Span) {
	var flags byte
	if s.Failed {
		flags |= flagFailed
	}
	if !s.Parent.IsZero() {
		flags |= flagParent
	}
	b.buf = append(b.buf, flags, byte(s.Kind))
	b.buf = append(b.buf, s.TraceID[:]...)
	b.buf = append(b.buf, s.SpanID[:]...)
	if flags&flagParent != 0 {
		b.buf = append(b.buf, s.Parent[:]...)
	}
	b.string(slotName, s.Name)
	b.string(slotService, s.Service)
	b.string(slotInstance, s.Instance)
	b.int(s.Start - b.prev)
	b.prev = s.Start
	b.int(s.End - s.Start)
	b.uint(uint64(len(s.Attrs)))
	for i := range s.Attrs {
		// Keys come again in each span of a name, values mostly do not.
		b.entry(s.Attrs[i].Key)
		b.literal(s.Attrs[i].Value)
	}
	b.n++
}

func decodeSpan(d *decoder, s *assay.Span, a *arena) {
	flags := d.byte()
	if flags >= spanFlags {
		d.fail()
		return
	}
	s.Failed = flags&flagFailed != 0
	s.Kind = assay.SpanKind(d.byte())
	copy(s.TraceID[:], d.bytes(16))
	copy(s.SpanID[:], d.bytes(8))
	if flags&flagParent != 0 {
		copy(s.Parent[:], d.bytes(8))
	}
	s.Name, s.Service, s.Instance = d.string(), d.string(), d.string()
	d.prev += d.int()
	s.Start = d.prev
	s.End = s.Start + d.int()
	if n := d.count(); n > 0 {
		from := len(a.attrs)
		for range n {
			a.attrs = append(a.attrs, assay.Attr{Key: d.string(), Value: d.literal()})
			if d.bad {
				return
			}
		}
		s.Attrs = a.attrs[from:len(a.attrs):len(a.attrs)]
	}
}

// traceHash spreads trace ids over partitions, whichever of their bytes an exporter leaves zero.
func traceHash(t assay.TraceID) uint64 {
	h := binary.LittleEndian.Uint64(t[:8])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(t[8:])
	h *= 0xff51afd7ed558ccd
	return h ^ h>>32
}

// compareTraces is the order of traces within the spans of a run. It makes each
// partition, for any power of two of them, one stretch of the whole.
func compareTraces(a, b assay.TraceID) int {
	if a == b {
		return 0
	}
	return cmp.Or(cmp.Compare(traceHash(a), traceHash(b)), bytes.Compare(a[:], b[:]))
}

// partition is the number of the partition, of 1<<bits, that trace t is in.
func partition(t assay.TraceID, bits int) int { return int(traceHash(t) >> 1 >> (63 - bits)) }

// compareSpans is the order of a run's spans: by trace, then by start.
func compareSpans(a, b *assay.Span) int {
	if c := compareTraces(a.TraceID, b.TraceID); c != 0 {
		return c
	}
	if a.Start != b.Start {
		return cmp.Compare(a.Start, b.Start)
	}
	return cmp.Or(bytes.Compare(a.SpanID[:], b.SpanID[:]), cmp.Compare(a.End, b.End), cmp.Compare(a.Name, b.Name))
}
