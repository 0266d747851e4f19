package facts

import "github.com/assay-dev/assay"

// A start is what the spans of one cold start tell, for platforms that emit no events of it.
type start struct {
	reason     string
	begin, end int64
	phases     []assay.Interval
}

const coldStartSpan = "cold_start"

func learnStart(starts map[string]*start, t *assay.Trace) {
	var root *assay.Span
	for i := range t.Spans {
		if t.Spans[i].Name == coldStartSpan {
			root = &t.Spans[i]
		}
	}
	if root == nil {
		return
	}
	id, _ := root.Attr("faas.instance")
	if id == "" {
		id = root.Instance
	}
	if id == "" {
		return
	}
	s := &start{begin: root.Start, end: root.End}
	s.reason, _ = root.Attr("reason")
	for i := range t.Spans {
		if c := &t.Spans[i]; c.Parent == root.SpanID && c != root {
			s.phases = append(s.phases, assay.Interval{Name: c.Name, Begin: c.Start, End: c.End, Source: "spans"})
		}
	}
	starts[id] = s
}
