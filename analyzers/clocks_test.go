package analyzers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// skewed is the trace of request with the engine's clock off by d ms.
func skewed(d int64) (*assay.Request, []assay.Span) {
	r, spans := request("at_capacity")
	for i := range spans {
		if spans[i].Service == "engine" {
			spans[i].Start += d * ms
			spans[i].End += d * ms
		}
	}
	return r, spans
}

// Attribution is computed within one clock: an engine whose clock is off by more than the network hides gives the same classes.
func TestAttributionDoesNotDependOnClocks(t *testing.T) {
	classesOf := func(d int64) (map[string]string, bool) {
		r, spans := skewed(d)
		a := Attribution{}.Begin(someFacts(nil)).(*attribution)
		placed, moved := a.aligned(r, spans)
		x := a.decompose(r, placed)
		got := map[string]string{}
		for c, n := range classNames {
			got[n] = fmt.Sprintf("%.3f", x.class[c])
		}
		return got, moved
	}
	want, moved := classesOf(0)
	if moved {
		t.Error("spans of clocks that agree were moved")
	}
	for _, d := range []int64{-5000, -400, 400, 60_000} {
		got, moved := classesOf(d)
		if !moved {
			t.Errorf("a clock off by %d ms: nothing was moved", d)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a clock off by %d ms (-want +got):\n%s", d, diff)
		}
	}
}

func TestAServerThatOutlivesItsClientIsNotMoved(t *testing.T) {
	r := &assay.Request{Due: 1, End: 100 * ms, SpanID: spanID(9)}
	spans := []assay.Span{span(1, 0, "a", "call", assay.SpanClient, 0, 10), span(2, 1, "b", "serve", assay.SpanServer, 5, 60)}
	a := &attribution{}
	if _, moved := a.aligned(r, spans); moved {
		t.Error("it was moved")
	}
}

// A server logs and counts when its client has the last byte already: that shows nothing of clocks, until it is late by more than such work takes.
func TestAServerThatEndsAfterTheLastByteIsNotMoved(t *testing.T) {
	for late, want := range map[int64]bool{1: false, 2: false, 3: true} {
		r := &assay.Request{Due: 1, End: 100 * ms, SpanID: spanID(9)}
		spans := []assay.Span{span(1, 0, "a", "call", assay.SpanClient, 0, 50), span(2, 1, "b", "serve", assay.SpanServer, 20, 50+late)}
		if _, moved := (&attribution{}).aligned(r, spans); moved != want {
			t.Errorf("%d ms late: moved %v, want %v", late, moved, want)
		}
	}
}

func TestTracesTellOfTheirOwnQuality(t *testing.T) {
	r, spans := skewed(-50)
	spans = append(spans, span(20, 99, "engine", "lost", assay.SpanServer, 1300, 1310), span(21, 20, "engine", "below", assay.SpanInternal, 1300, 1310))
	h := traceHealth{repeated: 3}
	h.add(&assay.Trace{Request: r, Spans: spans})
	// Another pair bounds the same clock from the other side, and one says nothing: the server outlived its client.
	h.add(&assay.Trace{Spans: []assay.Span{span(1, 0, "gateway", "up", assay.SpanClient, 100, 200), span(2, 1, "engine", "serve", assay.SpanServer, 70, 130)}})
	h.add(&assay.Trace{Spans: []assay.Span{span(1, 0, "gateway", "up", assay.SpanClient, 100, 200), span(2, 1, "engine", "serve", assay.SpanServer, 50, 170)}})
	var rep assay.Report
	h.check(&rep)
	var got []string
	for _, f := range rep.Findings {
		got = append(got, fmt.Sprintf("%s %s>%s %.4g [%.4g, %.4g] of %d", f.Metric, f.Labels["client"], f.Labels["server"], f.Quantity.Value, f.Quantity.Lo, f.Quantity.Hi, f.Quantity.N))
	}
	want := []string{
		"validity/orphans > 0.06667 [0.06667, 0.06667] of 15",
		"validity/repeated > 3 [3, 3] of 15",
		"validity/skew gateway>engine -0.05 [-0.07, -0.03] of 2",
		"validity/skew the load generator>gateway 0 [-0.01, 0.01] of 1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	wantDoubts := []string{
		"1 of 15 spans, in 1 traces, name a parent that never came: what called them is not known, and what it did beside is unexplained time",
		"the clock of engine is behind that of gateway, by 30 ms to 70 ms: its spans were placed within their callers'",
	}
	if diff := cmp.Diff(wantDoubts, rep.Trust.Doubts); diff != "" {
		t.Errorf("doubts (-want +got):\n%s", diff)
	}
}

func TestClocksThatContradictOneAnother(t *testing.T) {
	var h traceHealth
	for i := range int64(9) { // nine machines under one name, each with a clock of its own
		at := 100 + 40*i
		h.add(&assay.Trace{Spans: []assay.Span{span(1, 0, "a", "up", assay.SpanClient, 100, 110), span(2, 1, "b", "serve", assay.SpanServer, at, at+10)}})
	}
	q, _, _, agree := h.pairs[servicePair{"a", "b"}].quantity()
	if agree || q.Value != 0.16 || q.Lo != 0.08 || q.Hi != 0.24 || q.N != 9 {
		t.Errorf("agree %v, %+v", agree, q)
	}
}

func TestReadBacks(t *testing.T) {
	var r assay.Report
	readBacks([]assay.Event{{Kind: assay.EventReadBack, Source: "tempo", Attrs: map[string]string{"requests": "30000", "asked": "10000", "came": "9000", "late": "500", "unsettled": "2", "unasked": "30", "last_ns": "12000000000", "waited_ns": "30000000000"}}, {Kind: assay.EventScale}}, &r)
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %.4g [%.4g, %.4g] of %d: %s", f.Metric, f.Labels["store"], f.Quantity.Value, f.Quantity.Lo, f.Quantity.Hi, f.Quantity.N, f.Quantity.Method))
	}
	want := []string{
		"validity/came tempo 0.9 [0.9, 0.9] of 10000: traces of answered requests that came, of those that were asked for",
		"validity/late tempo 12 [0, 12] of 9000: from the first look after the load to the one in which the last trace was there; 8500 were there at once",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	wantDoubts := []string{
		"tempo: 9000 of 10000 traces of our requests, which ask to be sampled, came within 30 s of the load's end",
		"tempo: of 30000 traces 10000 were asked for, evenly chosen",
		"tempo: 30 traces could not be asked for to the end: the store was too slow for the wait, so they may be there",
		"tempo: 2 traces still grew, or came in part, when the wait was over: they may lack spans",
	}
	if diff := cmp.Diff(wantDoubts, r.Trust.Doubts); diff != "" {
		t.Errorf("doubts (-want +got):\n%s", diff)
	}
}
