package store

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// TestBigRun records, seals and reads a million requests with 32 arrivals each and two spans each, in bounded memory.
func TestBigRun(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	n := 1_000_000
	if v, err := strconv.Atoi(os.Getenv("ASSAY_BIG_REQUESTS")); err == nil {
		n = v
	}
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	peak := watchHeap(t)
	emit := func(r assay.Record) {
		if err := w.EmitWait(t.Context(), r); err != nil { // as an intake under back-pressure does
			t.Fatal(err)
		}
	}
	start := time.Now()
	rng := newRand(1)
	r := testRequest(rng, 1)
	r.Counts, r.Arrivals = nil, make([]int64, 32)
	for i := range n {
		due := int64(i+1) * 1_000_000
		r.ID, r.TraceID, r.SpanID = uint64(i+1), testTrace(uint64(i)), testSpanID(uint64(i))
		r.Due, r.Sent, r.FirstByte, r.FirstToken = due, due+rng.Int64N(1e5), due+5e6, due+50e6+rng.Int64N(1e7)
		for k := range r.Arrivals {
			r.Arrivals[k] = r.FirstToken + int64(k)*3e6 + rng.Int64N(1e6)
		}
		r.Arrivals[0] = r.FirstToken
		r.End = r.Arrivals[31]
		emit(&r)
		for _, s := range testSpans(rng, i) {
			emit(&s)
		}
	}
	t.Logf("emit: %v", time.Since(start))
	start = time.Now()
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	t.Logf("seal: %v", time.Since(start))
	run := openRun(t, dir)
	for _, scan := range []struct {
		name string
		do   func(context.Context, func([]assay.Request) error) error
	}{{"requests", run.Requests}, {"outline", run.Outline}} {
		start = time.Now()
		var got int
		var last int64
		if err := scan.do(context.Background(), func(b []assay.Request) error {
			for i := range b {
				if b[i].Due < last {
					t.Fatalf("request %d is out of order", b[i].ID)
				}
				last = b[i].Due
			}
			got += len(b)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got != n {
			t.Fatalf("%s: got %d, want %d", scan.name, got, n)
		}
		d := time.Since(start)
		t.Logf("%s: %v, %.0f/s", scan.name, d, float64(n)/d.Seconds())
	}
	start = time.Now()
	traces, spans := 0, 0
	if err := run.Traces(context.Background(), func(b []assay.Trace) error {
		for i := range b {
			if b[i].Request == nil || b[i].Request.TraceID != b[i].Spans[0].TraceID {
				t.Fatal("a trace without its request")
			}
			spans += len(b[i].Spans)
		}
		traces += len(b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if traces != n || spans != 2*n {
		t.Fatalf("got %d traces with %d spans, want %d with %d", traces, spans, n, 2*n)
	}
	t.Logf("traces: %v", time.Since(start))
	heap := peak()
	t.Logf("peak heap: %d MiB", heap>>20)
	if limit := uint64(1 << 30); heap > limit {
		t.Errorf("peak heap is %d MiB, want at most %d", heap>>20, limit>>20)
	}
}

// watchHeap returns a func that stops watching and gives the most bytes that the heap held.
func watchHeap(t *testing.T) (peak func() uint64) {
	stop, result := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		var m runtime.MemStats
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-result
	}
}
