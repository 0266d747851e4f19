package traces

import (
	"errors"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// A taker takes the spans of one input and counts what becomes of them.
type taker struct {
	in     *input.Input
	spans  *collectors.Spans
	emit   func(assay.Record) error
	hashed int64 // ids that were not hexadecimal
}

func newTaker(in *input.Input, resolution int64, emit func(assay.Record) error) *taker {
	in.Tally.Resolution = resolution
	return &taker{in: in, spans: collectors.NewSpans(), emit: emit}
}

// span takes a span in Unix time.
func (t *taker) span(raw *assay.Span) error {
	s, why := t.spans.Of(raw)
	if why != "" {
		t.refuse(why)
		return nil
	}
	return t.keep(s)
}

func (t *taker) keep(s *assay.Span) error {
	t.in.Tally.Keep(1)
	return t.emit(s)
}

func (t *taker) refuse(why string) { t.in.Tally.Reject(why, 1) }

// end notes what a reader of the report has to know; an input that was cut is kept so far as it goes.
func (t *taker) end(err error) error {
	if errors.Is(err, errCut) {
		t.refuse("cut short: the input ends in the middle")
		err = nil
	}
	private, clipped := t.spans.Left()
	for _, n := range []struct {
		text  string
		count int64
	}{
		{"%d attributes were dropped that hold content or credentials", private},
		{"%d attributes were shortened or left out because of a bound", clipped},
		{"%d ids were not hexadecimal and were replaced by a hash", t.hashed},
	} {
		if n.count > 0 {
			t.in.Tally.Note(n.text, n.count)
		}
	}
	return err
}

// trace and id read ids and count those that had to be replaced.
func (t *taker) trace(s string) assay.TraceID {
	id, hashed := traceID(s)
	if hashed {
		t.hashed++
	}
	return id
}

func (t *taker) id(s string) assay.SpanID {
	id, hashed := spanID(s)
	if hashed {
		t.hashed++
	}
	return id
}
