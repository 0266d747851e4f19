package store

import (
	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
)

// spanRow is the schema of spans/*.parquet. Attributes are a map of text to text.
type spanRow struct {
	TraceID  string            `parquet:"trace_id,dict"`
	SpanID   string            `parquet:"span_id"`
	Parent   *string           `parquet:"parent_span_id,optional"`
	Name     string            `parquet:"name,dict"`
	Service  string            `parquet:"service,dict"`
	Instance *string           `parquet:"instance,optional,dict"`
	Kind     string            `parquet:"kind,dict"`
	Start    int64             `parquet:"start_ns"`
	End      int64             `parquet:"end_ns"`
	Failed   bool              `parquet:"failed"`
	Attrs    map[string]string `parquet:"attrs" parquet-key:",dict"`
}

var spanTable = newTable(spanRow{}, 0, []column[assay.Span]{
	idColumn("trace_id", func(s *assay.Span) []byte { return s.TraceID[:] }),
	idColumn("span_id", func(s *assay.Span) []byte { return s.SpanID[:] }),
	optIDColumn("parent_span_id", func(s *assay.Span) []byte { return s.Parent[:] }),
	textColumn("name", func(s *assay.Span) *string { return &s.Name }),
	textColumn("service", func(s *assay.Span) *string { return &s.Service }),
	optTextColumn("instance", func(s *assay.Span) *string { return &s.Instance }),
	nameColumn("kind", func(s *assay.Span) *assay.SpanKind { return &s.Kind }, kindNames),
	int64Column("start_ns", func(s *assay.Span) *int64 { return &s.Start }),
	int64Column("end_ns", func(s *assay.Span) *int64 { return &s.End }),
	boolColumn("failed", func(s *assay.Span) *bool { return &s.Failed }),
	{path: "attrs.key_value.key",
		put: func(dst []parquet.Value, s *assay.Span, _ *[]byte) []parquet.Value {
			return putAttrs(dst, s, func(a *assay.Attr) string { return a.Key })
		},
		get: func(s *assay.Span, v parquet.Value, rd *columnReader) error {
			rd.attrs = append(rd.attrs, assay.Attr{Key: rd.text(v)})
			n := len(rd.attrs)
			s.Attrs = rd.attrs[n-1-len(s.Attrs) : n : n]
			return nil
		}},
	{path: "attrs.key_value.value",
		put: func(dst []parquet.Value, s *assay.Span, _ *[]byte) []parquet.Value {
			return putAttrs(dst, s, func(a *assay.Attr) string { return a.Value })
		},
		// Values come after all keys of the row group, one for each of them in the same order. The
		// attributes of a span may lie in memory that the arena has outgrown, so they are reached by the span.
		get: func(s *assay.Span, v parquet.Value, rd *columnReader) error {
			if v.RepetitionLevel() == 0 {
				rd.attr = 0
			}
			if rd.attr >= len(s.Attrs) {
				return errShape
			}
			s.Attrs[rd.attr].Value = rd.text(v)
			rd.attr++
			return nil
		}},
})

func putAttrs(dst []parquet.Value, s *assay.Span, text func(*assay.Attr) string) []parquet.Value {
	for i := range s.Attrs {
		dst = append(dst, level(parquet.ByteArrayValue(bytesOf(text(&s.Attrs[i]))), i))
	}
	if len(s.Attrs) == 0 {
		dst = append(dst, parquet.Value{})
	}
	return dst
}
