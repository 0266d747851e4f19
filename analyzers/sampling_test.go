package analyzers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestSampling(t *testing.T) {
	f := someFacts(nil)
	f.Events = []assay.Event{{Kind: assay.EventTraceIntake, Source: "otlp", Attrs: map[string]string{"spans": "40", "p50_ns": "1000000000", "p95_ns": "5000000000", "max_ns": "6000000000", "ahead": "3", "ahead_ns": "250000000"}},
		{Kind: assay.EventTraceIntake, Source: "none", Attrs: map[string]string{"spans": "0"}}}
	p, r := Sampling{}.Begin(f), &assay.Report{}
	answered := func(i int) assay.Request {
		return assay.Request{ID: uint64(i), TraceID: assay.TraceID{1, byte(i)}, Status: 200}
	}
	for i := range 10 {
		q := answered(i)
		p.Requests([]assay.Request{q, {TraceID: assay.TraceID{2}, Outcome: assay.Refused}, {Status: 200}}) // nobody answered; names no trace
		if i < 9 {
			p.(*sampling).Traces([]assay.Trace{{Request: &q, Spans: make([]assay.Span, 1)}})
		} else {
			p.(*sampling).Traces([]assay.Trace{{Request: &q}, {Spans: make([]assay.Span, 1)}})
		}
	}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %.4g of %d: %s", f.Metric, f.Labels["source"], f.Quantity.Value, f.Quantity.N, f.Quantity.Method))
	}
	want := []string{
		"trace/sampled  0.9 of 10: answered requests, which ask to be sampled, of which a span of the target came",
		"trace/late/p50 otlp 1 of 40: arrival minus end of all spans that came, to 0.5 %",
		"trace/late/p95 otlp 5 of 40: arrival minus end of all spans that came, to 0.5 %",
		"trace/late/max otlp 6 of 40: arrival minus end of all spans that came, to 0.5 %",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"otlp: 3 of 40 spans ended after they came, by up to 0.25 s: the clocks of those who sent them are ahead of ours"}, r.Trust.Doubts); diff != "" {
		t.Errorf("doubts (-want +got):\n%s", diff)
	}
}
