package collectors

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
)

// ttft is a request with a histogram of one observation at each instant.
func ttft(at ...time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "engine")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("gen_ai.server.time_to_first_token")
	m.SetUnit("s")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i, t := range at {
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(t))
		p.SetCount(uint64(i + 1))
		p.SetSum(0.5)
		p.ExplicitBounds().FromRaw([]float64{1})
		p.BucketCounts().FromRaw([]uint64{uint64(i + 1), 0})
		p.Exemplars().AppendEmpty().SetTraceID([16]byte{byte(i + 1)})
	}
	return md
}

func TestOTLPMetrics(t *testing.T) {
	o := listen(t, &OTLP{})
	s := new(sink)
	stop := start(t, o, s)
	now := time.Now()
	b, err := pmetricotlp.NewExportRequestFromMetrics(ttft(now, now.Add(-48*time.Hour))).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := post(t, "http://"+o.HTTPAddr()+"/v1/metrics", b)
	r := pmetricotlp.NewExportResponse()
	if err := r.UnmarshalProto(out); err != nil || code != 200 {
		t.Fatal(code, err)
	}
	if got := r.PartialSuccess(); got.RejectedDataPoints() != 4 || got.ErrorMessage() != "points rejected: 4 points whose time lies too far from now" {
		t.Errorf("%d rejected, %q", got.RejectedDataPoints(), got.ErrorMessage())
	}
	cc, err := grpc.NewClient(o.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	if _, err := pmetricotlp.NewGRPCClient(cc).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(ttft(now.Add(time.Second)))); err != nil {
		t.Errorf("over gRPC: %v", err)
	}
	stop()
	var got []string
	for _, s := range s.samples {
		got = append(got, fmt.Sprintf("%s %g", flatten.Series(s.Name, s.Labels), s.Value))
	}
	one := []string{`gen_ai_server_time_to_first_token_seconds_bucket{job="engine",le="1"} 1`, `gen_ai_server_time_to_first_token_seconds_bucket{job="engine",le="+Inf"} 1`,
		`gen_ai_server_time_to_first_token_seconds_sum{job="engine"} 0.5`, `gen_ai_server_time_to_first_token_seconds_count{job="engine"} 1`, `target_info{job="engine",service_name="engine"} 1`}
	if d := cmp.Diff(append(one, one...), got); d != "" {
		t.Errorf("samples (-want +got):\n%s", d)
	}
	if want := o.Clock.FromUnix(now.UnixNano()); s.samples[0].Time != want {
		t.Errorf("at %d, want %d", s.samples[0].Time, want)
	}
	if got := o.Counts(); got.Samples != 10 || got.Ignored != 0 {
		t.Errorf("counts %+v", got)
	}
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, e.Kind+" "+e.Attrs["trace"]+e.Text)
	}
	want := []string{"metric.exemplar 01000000000000000000000000000000", "metric.exemplar 01000000000000000000000000000000", "run.warning 4 points whose time lies too far from now were not recorded"}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// A run that cannot take samples has the sender try again; what it takes then is not counted twice.
func TestOTLPMetricsArePushedBack(t *testing.T) {
	o := listen(t, &OTLP{})
	full := true
	s := &sink{refuse: func() error {
		if full {
			return errors.New("full")
		}
		return nil
	}}
	stop := start(t, o, s)
	cc, err := grpc.NewClient(o.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	now := time.Now()
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("n")
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(now))
	p.SetIntValue(5)
	send := func() error {
		_, err := pmetricotlp.NewGRPCClient(cc).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(md))
		return err
	}
	if err := send(); status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v, want it to be unavailable", err)
	}
	s.do(func() { full = false })
	if err := send(); err != nil {
		t.Fatal(err)
	}
	stop()
	if d := cmp.Diff([]assay.Sample{{Name: "n", Time: o.Clock.FromUnix(now.UnixNano()), Value: 5}}, s.samples); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := o.Counts(); got.PushedBack != 1 || got.Samples != 1 {
		t.Errorf("counts %+v", got)
	}
}
