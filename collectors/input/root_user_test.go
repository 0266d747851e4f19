package input

import (
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// TestRootUser: a request that is made of a trace has the user of its root, or else that of the first span that tells one.
func TestRootUser(t *testing.T) {
	attrs := func(user string) []assay.Attr { return []assay.Attr{{Key: collectors.UserAttr, Value: user}} }
	for want, spans := range map[string][]assay.Span{
		"root":  {{SpanID: assay.SpanID{2}, Parent: assay.SpanID{1}, Attrs: attrs("child")}, {SpanID: assay.SpanID{1}, Attrs: attrs("root")}},
		"child": {{SpanID: assay.SpanID{1}}, {SpanID: assay.SpanID{2}, Parent: assay.SpanID{1}, Attrs: attrs("child")}},
		"":      {{SpanID: assay.SpanID{1}}},
	} {
		r := newRoots()
		var root *assay.Span
		for i := range spans {
			s := &spans[i]
			s.TraceID, s.Start, s.End, s.Kind = assay.TraceID{1}, 10, 20, assay.SpanServer
			if r.see(s); s.Parent.IsZero() {
				root = s
			}
		}
		if err := r.finish(); err != nil {
			t.Fatal(err)
		}
		if q := r.request(root, 0); q == nil || q.User != want {
			t.Errorf("request %+v, want user %q", q, want)
		}
	}
}
