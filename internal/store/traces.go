package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// blockTraces is how many traces a callback gets at most at once.
const blockTraces = 1 << 10

// tracedCodec sorts requests as the spans are sorted.
var tracedCodec = &codec[assay.Request]{
	kind: "requests", encode: encodeRequest, decode: decodeRequest,
	compare: func(a, b *assay.Request) int {
		if c := compareTraces(a.TraceID, b.TraceID); c != 0 {
			return c
		}
		return compareRequests(a, b)
	},
}

// Traces calls fn with each trace that has spans, in blocks, in an order that is
// the same each time. A trace that no request asked for has none. Of a trace that several requests
// asked for, each gets the spans that descend from its own. Requests come without Arrivals and Counts. A block and what it
// holds is borrowed until fn returns. An error of fn ends the scan and is returned.
func (r *Run) Traces(ctx context.Context, fn func(block []assay.Trace) error) error {
	if r.counts.Spans == 0 {
		return nil
	}
	requests, err := r.requestsByTrace(ctx)
	if err != nil {
		return err
	}
	next, err := requests.merge()
	if err != nil {
		return err
	}
	j := joiner{next: next, emit: fn}
	if j.ahead, err = next(); err != nil {
		return err
	}
	return scan(ctx, r, &r.spans, spanTable, false, func(rows []assay.Span) error {
		for i := 0; i < len(rows); {
			n := i + 1
			for n < len(rows) && rows[n].TraceID == rows[i].TraceID {
				n++
			}
			if !rows[i].TraceID.IsZero() {
				if err := j.trace(rows[i:n]); err != nil {
					return err
				}
			}
			i = n
		}
		return j.flush() // the rows are about to be reused
	})
}

// joinBudget is the memory for requests that are sorted by trace: they are as many as all there are.
const joinBudget = 4 * sortBudget

// requestsByTrace sorts the requests that have a trace by it, once for all scans.
func (r *Run) requestsByTrace(ctx context.Context) (*sorter[assay.Request], error) {
	r.joining.Lock()
	defer r.joining.Unlock()
	if r.byTrace != nil {
		return r.byTrace, nil
	}
	r.mu.Lock()
	dir, err := r.tempDir("traces")
	r.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s := &sorter[assay.Request]{codec: tracedCodec, dir: dir, budget: joinBudget}
	err = r.Outline(ctx, func(rows []assay.Request) error {
		b := s.block()
		b.reset()
		b.rows = b.rows[:0]
		for i := range rows {
			if !rows[i].TraceID.IsZero() {
				b.rows = append(b.rows, rows[i])
			}
		}
		return s.add(b)
	})
	if err == nil {
		err = s.finish()
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("join requests and spans: %w", err)
	}
	r.byTrace = s
	return s, nil
}

// A joiner brings the spans of traces together with their requests. Both come in the order of traces.
type joiner struct {
	next  func() (*assay.Request, error)
	ahead *assay.Request // not yet used; nil at the end
	emit  func([]assay.Trace) error

	of     assay.TraceID    // of held
	held   []*assay.Request // in slab
	slab   []assay.Request  // copies for the block: whoever gets it may change them
	traces []assay.Trace
	seen   duplicates
	owner  []int
	index  map[assay.SpanID]int
}

// trace adds the trace that has the given spans. Repeated ones are taken out of them.
func (j *joiner) trace(spans []assay.Span) error {
	id := spans[0].TraceID
	if len(j.traces) >= blockTraces {
		if err := j.flush(); err != nil {
			return err
		}
	}
	if id != j.of { // or an enormous trace goes on
		if err := j.hold(id); err != nil {
			return err
		}
	}
	j.seen.reset()
	spans = slices.DeleteFunc(spans, func(s assay.Span) bool { return j.seen.again(s.SpanID) })
	switch len(j.held) {
	case 0:
		j.traces = append(j.traces, assay.Trace{Spans: spans})
	case 1:
		j.traces = append(j.traces, assay.Trace{Request: j.held[0], Spans: spans})
	default:
		j.divide(spans)
	}
	return nil
}

// hold collects the requests of trace id.
func (j *joiner) hold(id assay.TraceID) error {
	j.of, j.held = id, j.held[:0]
	for j.ahead != nil {
		switch c := compareTraces(j.ahead.TraceID, id); {
		case c > 0:
			return nil
		case c == 0:
			if len(j.slab) == cap(j.slab) { // traces of this block point into the old one
				j.slab = make([]assay.Request, 0, blockTraces)
			}
			j.slab = append(j.slab, *j.ahead)
			j.held = append(j.held, &j.slab[len(j.slab)-1])
		}
		var err error
		if j.ahead, err = j.next(); err != nil {
			return fmt.Errorf("join requests and spans: %w", err)
		}
	}
	return nil
}

// divide gives each of several requests the spans that descend from its own, and the first those of unknown descent.
func (j *joiner) divide(spans []assay.Span) {
	if j.index == nil {
		j.index = map[assay.SpanID]int{}
	}
	clear(j.index)
	for i := range spans {
		j.index[spans[i].SpanID] = i
	}
	j.owner = j.owner[:0]
	for i := range spans {
		root := i
		for range spans { // a cycle of parents ends, too
			up, ok := j.index[spans[root].Parent]
			if !ok {
				break
			}
			root = up
		}
		owner := slices.IndexFunc(j.held, func(r *assay.Request) bool {
			return r.SpanID == spans[root].Parent || r.SpanID == spans[root].SpanID // an import's request may be a span itself
		})
		j.owner = append(j.owner, max(owner, 0))
	}
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(j.owner[a], j.owner[b]) })
	divided := make([]assay.Span, len(spans))
	for i, o := range order {
		divided[i] = spans[o]
	}
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && j.owner[order[to]] == j.owner[order[from]] {
			to++
		}
		j.traces = append(j.traces, assay.Trace{Request: j.held[j.owner[order[from]]], Spans: divided[from:to:to]})
		from = to
	}
}

// flush hands the traces out.
func (j *joiner) flush() error {
	if len(j.traces) == 0 {
		return nil
	}
	err := j.emit(j.traces)
	clear(j.traces)
	j.traces, j.slab = j.traces[:0], j.slab[:0]
	for i, r := range j.held { // the last trace may go on in the next block
		j.slab = append(j.slab, *r)
		j.held[i] = &j.slab[i]
	}
	return err
}
