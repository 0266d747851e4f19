package collectors

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

func BenchmarkOTLP(b *testing.B) {
	req := body(b, func(ss ptrace.SpanSlice) {
		for i := range byte(100) {
			s := addSpan(ss, 1, i+1, at(-1), at(0))
			for j := range 10 {
				s.Attributes().PutStr(fmt.Sprintf("gen_ai.some.attribute.%d", j), fmt.Sprintf("value of attribute %d", i))
			}
		}
	})
	td := ptraceotlp.NewExportRequest()
	if err := td.UnmarshalProto(req); err != nil {
		b.Fatal(err)
	}
	js, _ := td.MarshalJSON()
	o := &OTLP{Clock: clock.New()}
	o.gate.open()
	o.emit = func(assay.Record) error { return nil }
	for _, bb := range []struct {
		name string
		enc  encoding
		body []byte
	}{{"protobuf", protobuf, req}, {"json", otlpJSON, js}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.body)))
			for b.Loop() {
				if _, err := o.export(traces, bb.enc, bb.body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100/1000, "µs/span")
		})
	}
}
