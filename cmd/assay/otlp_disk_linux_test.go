package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/store"
)

// BenchmarkOTLPToDisk measures what a span costs this process from the socket to the run directory: requests of 100 spans of ten attributes, marshalled before. The
// sender's part is in it, since it is the same process. The bar is 10 µs of CPU.
func BenchmarkOTLPToDisk(b *testing.B) {
	body := hundredSpans(b)
	c := clock.New()
	w, err := store.Create(filepath.Join(b.TempDir(), "run"), &assay.Manifest{Schema: "assay/run/v1", ID: "0123456789abcdef", Name: "bench", Epoch: c.Epoch()})
	if err != nil {
		b.Fatal(err)
	}
	o := &collectors.OTLP{Clock: c, GRPC: collectors.Off, Grace: time.Millisecond}
	if err := o.Listen(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx, w.Emit) }()
	url := "http://" + o.HTTPAddr() + "/v1/traces"
	before := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.Post(url, "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	taken := o.Counts().Spans
	used := cpu(b) - before
	b.ReportMetric(float64(used.Nanoseconds())/float64(taken)/1000, "cpu-µs/span")
	if lost := w.Stats().Unrecorded; taken != int64(100*b.N) || len(lost) > 0 {
		b.Fatalf("%d of %d spans taken, lost %v", taken, 100*b.N, lost)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		b.Fatal(err)
	}
}

func hundredSpans(tb testing.TB) []byte {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "gateway")
	ss := rs.ScopeSpans().AppendEmpty().Spans()
	now := pcommon.NewTimestampFromTime(time.Now())
	for i := range byte(100) {
		s := ss.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, i})
		s.SetSpanID(pcommon.SpanID{1, i})
		s.SetName("infer")
		s.SetStartTimestamp(now)
		s.SetEndTimestamp(now)
		for j := range 10 {
			s.Attributes().PutStr(fmt.Sprintf("gen_ai.some.attribute.%d", j), fmt.Sprintf("value of attribute %d", i))
		}
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// cpu returns the CPU time that this process has used.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
