package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// cold is the trace of a request that an instance initialized for, from begin for a second; "" names no instance, as X-Ray does.
func cold(n byte, id string, begin int64) assay.Trace {
	trace := assay.TraceID{n}
	attrs := []assay.Attr{{Key: "faas.coldstart", Value: "true"}}
	return assay.Trace{Request: &assay.Request{ID: uint64(n), TraceID: trace, Due: begin, End: begin + 2*second, Outcome: assay.OK, Instance: id, NoSchedule: true}, Spans: []assay.Span{
		{TraceID: trace, SpanID: assay.SpanID{1}, Name: "fn", Service: "fn", Instance: id, Kind: assay.SpanServer, Start: begin, End: begin + 2*second, Attrs: attrs},
		{TraceID: trace, SpanID: assay.SpanID{2}, Parent: assay.SpanID{1}, Name: "Initialization", Service: "fn", Instance: id, Kind: assay.SpanInternal, Start: begin, End: begin + second, Attrs: attrs}}}
}

// TestStartsOfSpansGiveLives: from an init until the instance was last seen, or until it initializes again without anyone having told that it went.
func TestStartsOfSpansGiveLives(t *testing.T) {
	warm := func(n byte, id string, begin int64) assay.Trace {
		c := cold(n, id, begin)
		c.Spans = []assay.Span{{TraceID: assay.TraceID{n}, SpanID: assay.SpanID{1}, Name: "fn", Service: "fn", Instance: id, Kind: assay.SpanServer, Start: begin, End: begin + second}}
		return c
	}
	run := &factstest.Run{M: assay.Manifest{Imported: true}, T: []assay.Trace{warm(9, "a", 50*second), cold(1, "a", 10*second), cold(2, "b", 20*second), cold(3, "b", 60*second), cold(4, "", 30*second), warm(5, "c", 40*second)}}
	for i := range run.T {
		run.R = append(run.R, *run.T[i].Request)
	}
	f, err := Compute(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	type life struct {
		Instance               string
		Created, Ready, Exited int64
		Exit                   string
		Again                  bool
	}
	var got []life
	for _, l := range f.Lives {
		got = append(got, life{l.Instance, l.Created / second, l.Ready / second, l.Exited / second, l.Exit, l.Again})
	}
	want := []life{{"a", 10, 11, 51, exitSight, false}, {"b", 20, 21, 60, exitUnseen, false}, {"b", 60, 61, 62, exitSight, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lives (-want +got):\n%s", diff)
	}
	if len(f.Inits) != 1 || f.Inits[0].Instance != "fn?" {
		t.Errorf("starts of nobody knows which: %+v", f.Inits)
	}
	// An event of a life tells more than spans do.
	run.E = []assay.Event{{Time: 5 * second, Kind: assay.EventInstanceCreated, Instance: "a"}, {Time: 11 * second, Kind: assay.EventInstanceReady, Instance: "a"}}
	if f, err = Compute(t.Context(), run); err != nil || len(f.Lives) != 1 || f.Lives[0].Exited != 0 || f.Inits != nil {
		t.Errorf("beside events: %+v, %v", f.Lives, err)
	}
}
