package analyzers

import (
	"github.com/assay-dev/assay"
)

// Spans of two services are stamped by two clocks. A server's span that does not lie within the client's span that called it shows that they
// disagree, and laying both over one time line would charge the wrong class. Durations are within one clock and stay; such a span and all
// that its service did below it are moved so that it lies in the middle of its caller's, which halves what the network took. A server
// that worked longer than its client waited is left where it is: who gave up waiting tells nothing of clocks.

// aligned returns the spans by the clock of the request, and whether any had to be moved because clocks disagree. The spans themselves are not changed.
func (a *attribution) aligned(r *assay.Request, spans []assay.Span) ([]assay.Span, bool) {
	moved, strayed := false, false
	for i := range spans {
		if begin, end, ok := caller(r, spans, &spans[i]); ok && stray(begin, end, spans[i].Start, spans[i].End) != 0 {
			moved = true
			if strayed = !coarse(&spans[i], begin, end); strayed {
				break
			}
		}
	}
	if !moved {
		return spans, false
	}
	a.moved = append(a.moved[:0], spans...)
	for i := range a.moved {
		d := shift(r, spans, &spans[i], 0)
		a.moved[i].Start += d
		a.moved[i].End += d
	}
	return a.moved, strayed
}

// shift returns by how much a span is moved: by what its caller is, and by its own straying.
func shift(r *assay.Request, spans []assay.Span, s *assay.Span, deep int) int64 {
	d := int64(0)
	if p := parentOf(spans, s); p != nil && deep < 64 {
		d = shift(r, spans, p, deep+1)
	}
	if begin, end, ok := caller(r, spans, s); ok {
		d += stray(begin, end, s.Start, s.End)
	}
	return d
}

// caller returns when the client's span lay that called s, a server's of another service; the request itself is the client of the first.
func caller(r *assay.Request, spans []assay.Span, s *assay.Span) (begin, end int64, ok bool) {
	if s.Kind != assay.SpanServer || s.Parent.IsZero() {
		return 0, 0, false
	}
	if p := parentOf(spans, s); p != nil {
		return p.Start, p.End, p.Kind == assay.SpanClient && p.Service != s.Service
	}
	if s.Parent != r.SpanID || r.End == 0 {
		return 0, 0, false
	}
	begin = r.Sent
	if begin == 0 {
		begin = r.Due
	}
	return begin, r.End, true
}

// afterLast is how long after its client has read the last byte a server may end its span without that showing anything of clocks: it has still to log and count.
const afterLast = int64(2e6)

// stray returns how far a server's span is to be moved to lie within its client's; 0 where it does, or where it is the longer one.
func stray(begin, end, start, stop int64) int64 {
	room := (end - begin) - (stop - start)
	if start >= begin && stop <= end+afterLast || room < 0 {
		return 0
	}
	return begin + room/2 - start
}
