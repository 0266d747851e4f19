package collectors

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestSpanUser: what a span says of its user is kept as a pseudonym alone, of a person before a session.
func TestSpanUser(t *testing.T) {
	for _, c := range []struct {
		name  string
		attrs []assay.Attr
		want  []assay.Attr
	}{
		{"a person in a session", []assay.Attr{{Key: "session.id", Value: "s"}, {Key: "user.id", Value: "ann"}, {Key: "user.email", Value: "ann@example.org"}, {Key: "http.route", Value: "/v1"}},
			[]assay.Attr{{Key: "http.route", Value: "/v1"}, {Key: UserAttr, Value: assay.Pseudonym("ann")}}},
		{"the old name", []assay.Attr{{Key: "enduser.id", Value: "ann"}, {Key: "user.id", Value: "7"}}, []assay.Attr{{Key: UserAttr, Value: assay.Pseudonym("ann")}}},
		{"a session", []assay.Attr{{Key: "gen_ai.conversation.id", Value: "c"}, {Key: "session.id", Value: "s"}}, []assay.Attr{{Key: UserAttr, Value: assay.Pseudonym("s")}}},
		{"nobody", []assay.Attr{{Key: "user.id", Value: ""}, {Key: "a", Value: "b"}}, []assay.Attr{{Key: "a", Value: "b"}}},
	} {
		s := NewSpans()
		for range 2 { // nothing is left over for the next
			raw := &assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{1}, Name: "x", Start: 1, End: 2, Attrs: c.attrs}
			got, why := s.Of(raw)
			if why != "" {
				t.Fatal(why)
			}
			if d := cmp.Diff(c.want, got.Attrs); d != "" {
				t.Errorf("%s: attributes (-want +got):\n%s", c.name, d)
			}
		}
		if _, why := s.Of(&assay.Span{TraceID: assay.TraceID{1}, SpanID: assay.SpanID{2}, Start: 1, End: 2}); why != "" || len(s.c.span.Attrs) != 0 {
			t.Errorf("%s: the next span has %v", c.name, s.c.span.Attrs)
		}
	}
}
