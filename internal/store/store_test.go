package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// testEpoch is the wall clock at run time 0: in the past, so that no sample is in the future.
var testEpoch = time.Date(2026, 1, 2, 3, 4, 5, 678_900_001, time.UTC).UnixNano()

func testManifest() *assay.Manifest {
	return &assay.Manifest{ID: "c0ffee", Name: "test", Seed: 7, Epoch: testEpoch, Probe: 250e6,
		Target: assay.Target{Kind: "sandbox", Name: "sandbox"}}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func testTrace(n uint64) (t assay.TraceID) {
	binary.BigEndian.PutUint64(t[8:], n*0x9e3779b97f4a7c15)
	t[0] = 1
	return t
}

func testSpanID(n uint64) (s assay.SpanID) {
	binary.BigEndian.PutUint64(s[:], n+1)
	return s
}

// testRequest makes the i-th of a run's requests, with all kinds of values.
func testRequest(rng *rand.Rand, i int) assay.Request {
	r := assay.Request{
		ID: uint64(i + 1), Attempt: int32(i % 3 / 2), Phase: []string{"warmup", "steady", "stress"}[i%3],
		Outcome: assay.Outcome(rng.IntN(int(assay.Credential) + 1)), Cold: assay.Cold(rng.IntN(3)),
		Due: int64(i+1)*int64(10*time.Millisecond) + rng.Int64N(1000), TokensIn: 64, TokensAsked: 32, BytesOut: 300 + rng.Int64N(10),
	}
	if i%4 != 0 {
		r.TraceID, r.SpanID = testTrace(uint64(i)), testSpanID(uint64(i))
	}
	if i%5 == 0 {
		r.Class, r.Error, r.RetryAfter = "gold", fmt.Sprintf("dial: refused %d", i), 1e9
	}
	if i%6 != 0 {
		r.User = assay.Pseudonym(fmt.Sprint(i % 50))
	}
	if i%7 != 0 {
		r.Instance, r.Status = fmt.Sprintf("w-%d", i%3), 200
		r.Sent = r.Due + rng.Int64N(1e6)
		r.FirstByte = r.Sent + rng.Int64N(1e8)
		r.FirstToken = r.FirstByte + 1
		t := r.FirstToken
		for range 1 + rng.IntN(32) {
			r.Arrivals = append(r.Arrivals, t)
			t += 1e6 + rng.Int64N(1e6)
		}
		r.End = t
		if i%2 == 0 {
			for range r.Arrivals {
				r.Counts = append(r.Counts, int32(rng.IntN(3)))
			}
		}
		r.TokensOut, r.BytesIn = int32(len(r.Arrivals)), 1000
	}
	r.NoSchedule, r.Forced, r.Canary = i%11 == 0, i%13 == 0, i%17 == 0
	return r
}

// testSpans makes the spans of the i-th request, or of a trace of its own where that has none.
func testSpans(rng *rand.Rand, i int) []assay.Span {
	root := assay.Span{TraceID: testTrace(uint64(i)), SpanID: testSpanID(uint64(i) + 1<<40), Parent: testSpanID(uint64(i)),
		Name: "POST /v1/chat/completions", Service: "sandbox-gateway", Kind: assay.SpanServer,
		Start: int64(i+1) * int64(10*time.Millisecond), Failed: i%9 == 0,
		Attrs: []assay.Attr{{Key: "faas.instance", Value: "w-1"}, {Key: "e2e", Value: fmt.Sprint(rng.Float64())}, {Key: "empty", Value: ""}}}
	root.End = root.Start + rng.Int64N(1e9)
	child := assay.Span{TraceID: root.TraceID, SpanID: testSpanID(uint64(i) + 1<<41), Parent: root.SpanID,
		Name: "prefill", Service: "sandbox-engine", Instance: "w-1", Kind: assay.SpanInternal, Start: root.Start + 5, End: root.End}
	return []assay.Span{root, child}
}

// writeRun records n requests with their spans and leaves the writer open.
func writeRun(t testing.TB, dir string, n int) (*Writer, []assay.Request, []assay.Span) {
	t.Helper()
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	rng := newRand(uint64(n))
	var requests []assay.Request
	var spans []assay.Span
	for i := range n {
		requests = append(requests, testRequest(rng, i))
		spans = append(spans, testSpans(rng, i)...)
	}
	for _, i := range rng.Perm(len(requests)) {
		if err := w.Emit(&requests[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range rng.Perm(len(spans)) {
		if err := w.Emit(&spans[i]); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(requests, func(a, b assay.Request) int { return compareRequests(&a, &b) })
	slices.SortFunc(spans, func(a, b assay.Span) int { return compareSpans(&a, &b) })
	return w, requests, spans
}

func openRun(t testing.TB, dir string) *Run {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// clone copies a request out of a borrowed block.
func clone(r assay.Request) assay.Request {
	r.Arrivals, r.Counts = slices.Clone(r.Arrivals), slices.Clone(r.Counts)
	return r
}

func readRequests(t testing.TB, r *Run) []assay.Request {
	t.Helper()
	var got []assay.Request
	if err := r.Requests(context.Background(), func(b []assay.Request) error {
		for i := range b {
			got = append(got, clone(b[i]))
		}
		clear(b) // it is ours until we return
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

type joined struct {
	Request *assay.Request
	Spans   []assay.Span
}

func readTraces(t testing.TB, r *Run) []joined {
	t.Helper()
	var got []joined
	if err := r.Traces(context.Background(), func(b []assay.Trace) error {
		for _, tr := range b {
			var j joined
			if tr.Request != nil {
				c := clone(*tr.Request)
				j.Request = &c
			}
			for _, s := range tr.Spans {
				s.Attrs = slices.Clone(s.Attrs)
				j.Spans = append(j.Spans, s)
			}
			got = append(got, j)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// wantTraces joins by brute force.
func wantTraces(requests []assay.Request, spans []assay.Span) []joined {
	byTrace := map[assay.TraceID]*assay.Request{}
	for _, r := range requests {
		r.Arrivals, r.Counts = nil, nil // which a join leaves out
		byTrace[r.TraceID] = &r
	}
	var want []joined
	for i := 0; i < len(spans); {
		var j joined
		id := spans[i].TraceID
		for ; i < len(spans) && spans[i].TraceID == id; i++ {
			j.Spans = append(j.Spans, spans[i])
		}
		j.Request = byTrace[id]
		want = append(want, j)
	}
	return want
}

// diff is cmp.Diff, quick where there is nothing to tell.
func diff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

func checkRun(t *testing.T, r *Run, requests []assay.Request, spans []assay.Span) {
	t.Helper()
	if diff := diff(requests, readRequests(t, r)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := diff(wantTraces(requests, spans), readTraces(t, r)); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
	if got, want := r.Counts(), (Counts{int64(len(requests)), int64(len(spans))}); got != want {
		t.Errorf("counts: got %+v, want %+v", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, sealed := range []bool{true, false} {
		t.Run(fmt.Sprintf("sealed=%v", sealed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "run")
			w, requests, spans := writeRun(t, dir, 1200)
			events := []assay.Event{
				{Time: 5, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "8"}},
				{Time: 9, Resolution: 3, Kind: assay.EventInstanceReady, Instance: "w-1", Source: "sandbox", Text: "up"},
			}
			if err := w.Emit(&events[1]); err != nil {
				t.Fatal(err)
			}
			if err := w.EmitSync(&events[0]); err != nil {
				t.Fatal(err)
			}
			want := *testManifest()
			want.Schema, want.End.Status = RunSchema, assay.EndRunning
			if sealed {
				want.End = assay.Ending{Status: assay.EndComplete, At: 17, Unrecorded: map[string]int64{"load/cap": 3}}
				if err := w.Seal(want.End); err != nil {
					t.Fatal(err)
				}
			} else if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			stats := w.Stats()
			if got, want := [3]int64{stats.Requests, stats.Spans, stats.Events}, [3]int64{1200, 2400, 2}; got != want {
				t.Errorf("stats: got %v, want %v", got, want)
			}
			r := openRun(t, dir)
			checkRun(t, r, requests, spans)
			got, err := r.Events()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(events, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(&want, r.Manifest()); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			if got := len(r.Warnings()); (got == 0) != sealed {
				t.Errorf("warnings: %q", r.Warnings())
			}
			light := 0
			if err := r.Outline(context.Background(), func(b []assay.Request) error {
				for i := range b {
					want := requests[light]
					want.Arrivals, want.Counts = nil, nil
					if diff := diff(want, b[i]); diff != "" {
						t.Fatalf("outline (-want +got):\n%s", diff)
					}
					light++
				}
				return nil
			}); err != nil || light != len(requests) {
				t.Fatalf("outline: %d requests, %v", light, err)
			}
		})
	}
}

// TestConcurrent emits from many goroutines while the manifest changes and others look at the counts.
func TestConcurrent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	const goroutines, each = 8, 200
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rng := newRand(uint64(g))
			for i := range each {
				r := testRequest(rng, g*each+i)
				records := []assay.Record{&r, &assay.Event{Time: r.Due, Kind: assay.EventAnnotation},
					&assay.Scrape{Target: fmt.Sprint(g), Time: r.Due, Samples: []assay.Sample{{Name: "v", Labels: []assay.Label{{Name: "g", Value: fmt.Sprint(g)}}, Value: 1}}}}
				for _, s := range testSpans(rng, g*each+i) {
					records = append(records, &s)
				}
				for _, rec := range records {
					if err := w.Emit(rec); err != nil {
						t.Error(err)
					}
				}
				if i%50 == 0 {
					if err := w.EmitSync(&assay.Event{Time: r.Due, Kind: assay.EventFaultArmed}); err != nil {
						t.Error(err)
					}
					if err := w.SetManifest(func(m *assay.Manifest) { m.Attempt++ }); err != nil {
						t.Error(err)
					}
					w.Stats()
				}
			}
		})
	}
	wg.Wait()
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	const n = goroutines * each
	want := Stats{Requests: n, Spans: 2 * n, Samples: n, Scrapes: n, Events: n + n/50}
	got := w.Stats()
	got.Bytes = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	r := openRun(t, dir)
	events, err := r.Events()
	if err != nil || len(events) != n+n/50 || r.Manifest().Attempt != n/50 || r.Counts() != (Counts{n, 2 * n}) {
		t.Errorf("%d events, %v, attempt %d, %+v", len(events), err, r.Manifest().Attempt, r.Counts())
	}
}

// TestManifestNotJSON refuses a manifest that cannot be written, and the run goes on.
func TestManifestNotJSON(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "run"), testManifest())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetManifest(func(m *assay.Manifest) { m.Plan = []byte("{") }); err == nil || w.Err() != nil {
		t.Errorf("got %v, and Err %v", err, w.Err())
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Error(err)
	}
}

func BenchmarkEmit(b *testing.B) {
	w, err := Create(filepath.Join(b.TempDir(), "run"), testManifest())
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	r := testRequest(newRand(1), 1)
	r.Arrivals, r.Counts = nil, nil
	for i := range 32 {
		r.Arrivals = append(r.Arrivals, r.FirstToken+int64(i)*3_141_592)
	}
	full := 0
	b.ReportAllocs()
	for b.Loop() {
		r.ID++
		r.Due += 1e6
		for errors.Is(w.Emit(&r), ErrFull) {
			full++
			time.Sleep(time.Millisecond)
		}
	}
	b.ReportMetric(float64(full)/float64(b.N), "full/op")
}
