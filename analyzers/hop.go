package analyzers

import "github.com/assay-dev/assay"

// A hop is a proxy that passes the id of its caller's span on as it got it, so that the spans of what it asked stand beside its own and not below.
type hop struct {
	span   *assay.Span // nil: the trace has none
	passed bool        // spans of what it asked are there
}

// hopDepth is how deep what a hop asked lies below it: under its span and that of its upstream.
const hopDepth = 2

// hopOf finds the hop of a trace, as collectors/front makes its spans.
func hopOf(spans []assay.Span) (h hop) {
	for i := range spans {
		if _, ok := spans[i].Attr("assay.hop"); ok && !spans[i].Parent.IsZero() {
			h.span = &spans[i]
			break
		}
	}
	for i := range spans {
		h.passed = h.passed || h.beside(&spans[i])
	}
	return h
}

// beside reports whether a span is of what the hop asked, under the id that it passed on.
func (h hop) beside(s *assay.Span) bool {
	return h.span != nil && s.Parent == h.span.Parent && s.Service != h.span.Service
}

// above returns how many spans of the hop lie above a span beside the depth that its own parents give it.
func (h hop) above(spans []assay.Span, s *assay.Span) int {
	if !h.passed {
		return 0
	}
	for range 64 {
		if h.beside(s) {
			return hopDepth
		}
		if s = parentOf(spans, s); s == nil {
			return 0
		}
	}
	return 0
}

// asks reports whether a span is the hop's wait for what it asked, all of which but the wire is told by the spans below.
func (h hop) asks(s *assay.Span) bool {
	return h.passed && s.Parent == h.span.SpanID && s.Service == h.span.Service
}

// hopResolution is how far the spans that are made of a hop's access log may lie beside the truth: its stamps are of whole milliseconds, by a clock that it
// reads once for all that it does at a time.
const hopResolution = 2_000_000

// coarse reports whether a span of a hop lies outside its caller's by no more than its stamps are coarse.
func coarse(s *assay.Span, begin, end int64) bool {
	_, ok := s.Attr("assay.hop")
	return ok && s.Start >= begin-hopResolution && s.End <= end+hopResolution
}
