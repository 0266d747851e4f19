package input

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// TestManyRootsOfOneTrace: what takes one span does not grow with the roots that its trace has, and each is a request once, exported twice or not.
func TestManyRootsOfOneTrace(t *testing.T) {
	const n = 200_000
	began := time.Now()
	r := newRoots()
	span := func(i int) *assay.Span {
		s := &assay.Span{TraceID: assay.TraceID{1}, Start: base * 1e9, End: base*1e9 + 1e6, Kind: assay.SpanServer}
		binary.BigEndian.PutUint64(s.SpanID[:], uint64(i+1))
		return s
	}
	for range 2 {
		for i := range n {
			r.see(span(i))
		}
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	requests := 0
	for range 2 {
		for i := range n {
			if q := r.request(span(i), 0); q != nil {
				requests++
			}
		}
	}
	if q := r.request(span(n), 0); q != nil {
		t.Error("a span that was not seen is a request")
	}
	if r.requests != n || requests != n {
		t.Errorf("%d roots counted, %d requests made; want %d", r.requests, requests, n)
	}
	if took := time.Since(began); took > pacetest.Most(10*time.Second) { // where each is looked for among all it takes a minute
		t.Errorf("took %v", took)
	}
}
