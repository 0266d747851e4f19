package inputtest

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// Made reads bytes that a fuzz test made up as an input of a kind, once. Whatever they are, the reading ends, in at most most records for each byte, which can all be
// true, the error, if there is one, names the file, and of a kind that counts spans as many came as were kept. State is the kind's own, and see, which may be nil, is
// shown each record.
func Made(t *testing.T, k *input.Kind, text []byte, state any, most int, see func(assay.Record)) (*input.Tally, error) {
	t.Helper()
	in := &input.Input{File: input.NewFile("made.up", bytes.NewReader(text), nil), Tally: &input.Tally{}, State: state}
	n, spans := 0, int64(0)
	err := k.Read(t.Context(), in, func(r assay.Record) error {
		if n++; n > most*(len(text)+1) {
			t.Fatalf("%d records of %d bytes", n, len(text))
		}
		if why := Untrue(r); why != "" {
			t.Fatalf("%s: %+v", why, r)
		}
		if _, ok := r.(*assay.Span); ok {
			spans++
		}
		if see != nil {
			see(r)
		}
		return nil
	})
	if err != nil && !strings.Contains(err.Error(), "made.up") {
		t.Fatalf("the error %v names no file", err)
	}
	if err == nil && strings.HasPrefix(k.Things, "spans") && spans != in.Tally.Kept {
		t.Fatalf("%d spans came, and %d were kept", spans, in.Tally.Kept)
	}
	in.Tally.Notes()
	return in.Tally, err
}

// Untrue says what of a record cannot be, whatever it was made of; "" for nothing.
func Untrue(r assay.Record) string {
	switch r := r.(type) {
	case *assay.Request:
		switch {
		case r.End != 0 && r.End < r.Due:
			return "it ended before it was due"
		case r.End != 0 && r.FirstByte > r.End:
			return "its first byte came after its end"
		case r.TokensIn < 0 || r.TokensOut < 0:
			return "it has less than no token"
		case r.Status < 0 || r.Status > 999:
			return "its status is none"
		case len(r.Error) > 200 || strings.ContainsAny(r.Error, "\n\x00"):
			return "its error is no short text"
		}
	case *assay.Span:
		switch {
		case r.TraceID.IsZero() || r.SpanID.IsZero():
			return "it lacks an id"
		case r.Start <= 0 || r.End < r.Start:
			return "it ends before it starts"
		}
	case *assay.Sample:
		return untrueSample(r)
	case *assay.Scrape:
		for i := range r.Samples {
			if why := untrueSample(&r.Samples[i]); why != "" {
				return why
			}
		}
	case *assay.Event:
		if r.Kind == "" || r.Resolution < 0 {
			return "it has no kind or less than no resolution"
		}
	}
	return ""
}

func untrueSample(s *assay.Sample) string {
	if s.Name == "" || math.IsInf(s.Value, 0) {
		return "it has no name or no finite value"
	}
	return ""
}
