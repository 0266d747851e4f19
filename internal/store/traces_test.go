package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestTracesShared covers what is not one request with its spans: retries in one
// trace, traces of no request, spans exported twice or without a trace.
func TestTracesShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	shared, own := testTrace(1), testTrace(2)
	first := assay.Request{ID: 1, Due: 10, TraceID: shared, SpanID: testSpanID(1)}
	second := assay.Request{ID: 1, Attempt: 1, Due: 20, TraceID: shared, SpanID: testSpanID(2)}
	lonely := assay.Request{ID: 2, Due: 15, TraceID: testTrace(3), SpanID: testSpanID(3)} // its spans never came
	span := func(trace assay.TraceID, id, parent uint64, start int64) assay.Span {
		return assay.Span{TraceID: trace, SpanID: testSpanID(id), Parent: testSpanID(parent), Name: "s", Service: "x", Start: start, End: start + 1}
	}
	a, a1 := span(shared, 11, 1, 11), span(shared, 12, 11, 12)
	b, b1 := span(shared, 21, 2, 21), span(shared, 22, 21, 22)
	lost := span(shared, 31, 99, 23)                           // its parent is not there
	x, y := span(shared, 41, 42, 24), span(shared, 42, 41, 25) // parents of each other
	cold := span(own, 51, 98, 5)
	for _, r := range []*assay.Request{&second, &first, &lonely} {
		if err := w.Emit(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []assay.Span{b1, cold, a, y, b, a1, lost, x, a, b1, span(assay.TraceID{}, 61, 62, 1)} {
		if err := w.Emit(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	want := map[string]joined{
		"first":  {&first, []assay.Span{a, a1, lost, x, y}},
		"second": {&second, []assay.Span{b, b1}},
		"none":   {nil, []assay.Span{cold}},
	}
	r := openRun(t, dir)
	got := map[string]joined{}
	for _, j := range readTraces(t, r) {
		switch {
		case j.Request == nil:
			got["none"] = j
		case j.Request.Attempt == 0:
			got["first"] = j
		default:
			got["second"] = j
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2 spans were exported more than once; each counts once"}, r.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if n := r.Repeated(); n != 2 {
		t.Errorf("%d spans were repeated, want 2", n)
	}
	if again := readTraces(t, r); len(again) != 3 {
		t.Errorf("a second scan gave %d traces", len(again))
	}
	stop := errors.New("stop")
	if err := r.Traces(context.Background(), func([]assay.Trace) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of fn: got %v", err)
	}
	if err := r.Requests(context.Background(), func([]assay.Request) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of fn: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Requests(ctx, func([]assay.Request) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestPartitions checks that each partition is one stretch of the order of traces.
func TestPartitions(t *testing.T) {
	var traces []assay.TraceID
	for i := range uint64(2000) {
		traces = append(traces, testTrace(i), assay.TraceID{15: byte(i), 14: byte(i >> 8)})
	}
	for bits := 0; bits <= maxBits; bits++ {
		counts := make([]int, 1<<bits)
		for i, a := range traces {
			counts[partition(a, bits)]++
			b := traces[(i*7+1)%len(traces)]
			if c := compareTraces(a, b); c < 0 && partition(a, bits) > partition(b, bits) || c > 0 && partition(a, bits) < partition(b, bits) {
				t.Fatalf("%d bits: %v and %v are ordered by %d, their partitions are %d and %d", bits, a, b, c, partition(a, bits), partition(b, bits))
			}
		}
		for p, n := range counts {
			if bits <= 4 && n < len(traces)>>bits/2 {
				t.Errorf("%d bits: partition %d has %d of %d traces", bits, p, n, len(traces))
			}
		}
	}
}

// TestDamagedPart turns bytes of a sealed part over: an error that names the file, or the same records, and no crash.
func TestDamagedPart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, requests, _ := writeRun(t, dir, 100)
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, requestsDir, "part-00000.parquet")
	whole := readFile(t, path)
	rng := newRand(5)
	errs := 0
	for range 200 {
		bad := append([]byte(nil), whole...)
		bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		writeFile(t, path, bad)
		r := openRun(t, dir)
		n := 0
		err := r.Requests(context.Background(), func(b []assay.Request) error { n += len(b); return nil })
		if err != nil {
			if errs++; !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, which does not name the file", err)
			}
		} else if n != len(requests) {
			t.Fatalf("%d requests of %d and no error", n, len(requests))
		}
	}
	if errs < 100 {
		t.Errorf("only %d of 200 damaged files were noticed", errs)
	}
	writeFile(t, path, whole[:len(whole)-1])
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a part cut short: got %v", err)
	}
}
