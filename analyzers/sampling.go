package analyzers

import (
	"fmt"
	"strconv"

	"github.com/assay-dev/assay"
)

// Sampling says what came of the traces that our requests ask for, whether senders brought them or a store was read back: the share that was honoured, and
// how long after their end spans came.
type Sampling struct{}

var _ assay.Analyzer = Sampling{}

// Describe lists trace/… but for the coverage, which is attribution's.
func (Sampling) Describe() []assay.Desc {
	late := "How long after its end a span came, by our clock: %s (label source)."
	return []assay.Desc{
		{Metric: "trace/sampled", Unit: assay.Ratio, Better: "higher", Help: "Share of the answered requests that asked to be sampled, or in an import name a trace, of which a span of the target came."},
		{Metric: "trace/late/p50", Unit: assay.Seconds, Better: "lower", Help: fmt.Sprintf(late, "the median")},
		{Metric: "trace/late/p95", Unit: assay.Seconds, Better: "lower", Help: fmt.Sprintf(late, "the 95th percentile")},
		{Metric: "trace/late/max", Unit: assay.Seconds, Better: "lower", Help: fmt.Sprintf(late, "the latest")},
	}
}

// Begin starts a pass.
func (Sampling) Begin(f *assay.Facts) assay.Pass { return &sampling{f: f} }

type sampling struct {
	f           *assay.Facts
	asked, came int
}

// wanted reports whether a request was answered and names a trace. One that was made out of a trace may have no status.
func wanted(r *assay.Request) bool {
	return !r.TraceID.IsZero() && (r.Status != 0 || r.Outcome == assay.OK)
}

func (s *sampling) Requests(block []assay.Request) {
	for i := range block {
		if wanted(&block[i]) {
			s.asked++
		}
	}
}

func (s *sampling) Traces(block []assay.Trace) {
	for i := range block {
		if t := &block[i]; t.Request != nil && len(t.Spans) > 0 && wanted(t.Request) {
			s.came++
		}
	}
}

// Finish adds the findings.
func (s *sampling) Finish(r *assay.Report) error {
	share := assay.NotMeasured(assay.Ratio, "no answered request asked for a trace")
	if s.asked > 0 {
		what := "answered requests, which ask to be sampled, of which a span of the target came"
		if s.f.Manifest.Imported {
			what = "answered requests that name a trace, of which a span of the target is there"
		}
		share = counted(float64(s.came)/float64(s.asked), assay.Ratio, s.asked, "requests", what)
	}
	r.Findings = append(r.Findings, assay.Finding{Metric: "trace/sampled", Quantity: share})
	for i := range s.f.Events {
		if e := &s.f.Events[i]; e.Kind == assay.EventTraceIntake {
			lateSpans(e, r)
		}
	}
	return nil
}

// lateSpans adds how late the spans of one intake came.
func lateSpans(e *assay.Event, r *assay.Report) {
	n := func(key string) int64 {
		v, _ := strconv.ParseInt(e.Attrs[key], 10, 64)
		return v
	}
	spans := n("spans")
	if spans <= 0 {
		return
	}
	for _, q := range []struct{ name, attr string }{{"p50", "p50_ns"}, {"p95", "p95_ns"}, {"max", "max_ns"}} {
		v := n(q.attr)
		r.Findings = append(r.Findings, assay.Finding{Metric: "trace/late/" + q.name, Labels: map[string]string{"source": e.Source},
			Quantity: stretch(v, v, v, int(spans), "spans", "arrival minus end of all spans that came, to 0.5 %")})
	}
	if ahead := n("ahead"); ahead > 0 {
		r.Trust.Doubts = append(r.Trust.Doubts, fmt.Sprintf("%s: %d of %d spans ended after they came, by up to %s: the clocks of those who sent them are ahead of ours", e.Source, ahead, spans, duration(seconds(n("ahead_ns")))))
	}
}
