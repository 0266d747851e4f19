package main

import (
	"context"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// affected checks that what result.json lists of the requests that faults cost is found among the records, by request and attempt, and among the
// spans, by trace.
func affected(t *testing.T, dir string, r *assay.Report) {
	type key struct {
		id      uint64
		attempt int32
	}
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	known, traced := map[key]assay.Affected{}, map[string]bool{}
	err = run.Requests(context.Background(), func(block []assay.Request) error {
		for i := range block {
			q := &block[i]
			known[key{q.ID, q.Attempt}] = assay.Affected{Request: q.ID, Attempt: q.Attempt, TraceID: q.TraceID.String(), SpanID: q.SpanID.String(), Due: q.Due, Outcome: q.Outcome}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = run.Traces(context.Background(), func(block []assay.Trace) error {
		for i := range block {
			if q := block[i].Request; q != nil && len(block[i].Spans) > 0 {
				traced[q.TraceID.String()] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n, spans := 0, 0
	for _, f := range r.Faults {
		if want := f.Lost + f.Slow; len(f.Affected) != min(want, 1000) {
			t.Errorf("%s: %d listed, %d lost and %d slow", f.Window.ID, len(f.Affected), f.Lost, f.Slow)
		}
		for _, a := range f.Affected {
			n++
			if traced[a.TraceID] {
				spans++
			}
			a.Slow = false
			if got := known[key{a.Request, a.Attempt}]; got != a {
				t.Errorf("%s lists %+v, the record says %+v", f.Window.ID, a, got)
			}
		}
	}
	if n == 0 {
		t.Skip("the faults of this run met no request: there is nothing to join")
	}
	t.Logf("%d affected requests found among the records, %d of them among the spans", n, spans)
}
