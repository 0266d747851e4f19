package flatten

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/assay-dev/assay"
)

func native(schema int32, offset int32, counts ...int64) *histogram.FloatHistogram {
	h := &histogram.Histogram{Schema: schema, PositiveSpans: []histogram.Span{{Offset: offset, Length: uint32(len(counts))}}}
	last := int64(0)
	for _, c := range counts {
		h.PositiveBuckets = append(h.PositiveBuckets, c-last)
		h.Count += uint64(c)
		last = c
	}
	return h.ToFloat(nil)
}

func TestHistogramBoundariesThatAppear(t *testing.T) {
	var h Histogram
	look := func(at int64, fh *histogram.FloatHistogram) string {
		b, err := Native(fh)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		if err := h.Look(at, b, func(le string, at int64, n float64) { out = append(out, fmt.Sprintf("%s@%d=%g", le, at, n)) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, " ")
	}
	for i, tt := range []struct {
		at   int64
		h    *histogram.FloatHistogram
		want string
	}{
		{1, native(0, 1, 5), "1@1=0 2@1=5"},                                       // (1, 2]
		{2, native(0, 1, 5, 0, 3), "1@2=0 2@2=5 4@1=5 4@2=5 8@1=5 8@2=8"},         // 8 is new: nothing lay above 2 before
		{3, native(0, 0, 1, 6, 0, 3), "0.5@2=0 0.5@3=0 1@3=1 2@3=7 4@3=7 8@3=10"}, // and so is 0.5, below which nothing lies
		{4, native(-1, 0, 1, 9), "0.25@3=0 0.25@4=0 1@4=1 4@4=10 8@4=10"},         // coarser: what lies below 2, or 0.5, is not known
		{5, native(4, 1, 7), "0.25@5=0 1@5=0 1.189207115002721@5=7 4@5=7 8@5=7"},  // finer than is kept; 1.19 lies within a bucket of before
		{5, native(0, 1, 8), "0.25@5=0 1@5=0 2@5=8 4@5=8 8@5=8"},                  // the same instant again
		{6, native(0, 1, 8, 1), "0.25@6=0 1@6=0 2@6=8 4@6=9 8@6=9"},               // and on
	} {
		if got := look(tt.at, tt.h); got != tt.want {
			t.Errorf("look %d: got %s, want %s", i, got, tt.want)
		}
	}
}

func TestHistogramBounds(t *testing.T) {
	var h Histogram
	many := make([]Bucket, MaxBuckets+1)
	if err := h.Look(1, many, nil); err == nil || !strings.Contains(err.Error(), "more than 512 buckets") {
		t.Errorf("too many buckets: %v", err)
	}
	if _, err := Native(&histogram.FloatHistogram{PositiveSpans: []histogram.Span{{Length: 1 << 31}}}); err == nil {
		t.Error("a span without its buckets is taken")
	}
	for _, counts := range [][]uint64{make([]uint64, MaxBuckets+2)} {
		if _, err := exponential(0, 0, 0, 0, counts, 0, nil); err == nil {
			t.Errorf("%d buckets are taken", len(counts))
		}
	}
	if _, err := exponential(21, 0, 0, 0, nil, 0, nil); err == nil {
		t.Error("a scale of 21 is taken")
	}
}

// metrics is one resource with what fill makes.
func metrics(fill func(pmetric.MetricSlice)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "engine")
	rm.Resource().Attributes().PutStr("service.instance.id", "i-1")
	rm.Resource().Attributes().PutStr("k8s.pod.name", "pod-1")
	fill(rm.ScopeMetrics().AppendEmpty().Metrics())
	return md
}

func lines(b *Batch) (out []string) {
	for _, s := range b.Samples {
		out = append(out, fmt.Sprintf("%s @%d %g", strings.Replace(Series(s.Name, s.Labels), `instance="i-1",instance_id="pod-1",job="engine"`, "R", 1), s.Time, s.Value))
	}
	return out
}

func sumOf(ms pmetric.MetricSlice, name, unit string, t pmetric.AggregationTemporality, start, at uint64, v float64) pmetric.NumberDataPoint {
	m := ms.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(t)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.Timestamp(start))
	p.SetTimestamp(pcommon.Timestamp(at))
	p.SetDoubleValue(v)
	return p
}

const cumulative, deltas = pmetric.AggregationTemporalityCumulative, pmetric.AggregationTemporalityDelta

func TestConvert(t *testing.T) {
	var o OTLP
	got := o.Convert(metrics(func(ms pmetric.MetricSlice) {
		m := ms.AppendEmpty()
		m.SetName("hw.gpu.utilization")
		m.SetUnit("1")
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(10)
		p.SetIntValue(1)
		p.Attributes().PutStr("hw.id", "0")
		p.Attributes().PutStr("gen_ai.prompt", "secret")
		p.Attributes().PutStr("instance_id", "other")

		sumOf(ms, "gen_ai.client.token.usage", "{token}", cumulative, 1, 10, 5)
		sumOf(ms, "vllm:prompt_tokens_total", "", cumulative, 1, 10, 7)

		h := ms.AppendEmpty()
		h.SetName("gen_ai.server.time_to_first_token")
		h.SetUnit("s")
		h.SetEmptyHistogram().SetAggregationTemporality(cumulative)
		hp := h.Histogram().DataPoints().AppendEmpty()
		hp.SetTimestamp(10)
		hp.SetCount(6)
		hp.SetSum(3)
		hp.ExplicitBounds().FromRaw([]float64{0.1, 2.5})
		hp.BucketCounts().FromRaw([]uint64{1, 3, 2})

		e := ms.AppendEmpty()
		e.SetName("faas.invoke_duration")
		e.SetUnit("ms")
		e.SetEmptyExponentialHistogram().SetAggregationTemporality(cumulative)
		ep := e.ExponentialHistogram().DataPoints().AppendEmpty()
		ep.SetTimestamp(10)
		ep.SetCount(7)
		ep.SetZeroCount(1)
		ep.SetScale(3)
		ep.Positive().SetOffset(0)
		ep.Positive().BucketCounts().FromRaw([]uint64{1, 2, 3})

		s := ms.AppendEmpty()
		s.SetName("rpc.latency")
		s.SetUnit("s")
		sp := s.SetEmptySummary().DataPoints().AppendEmpty()
		sp.SetTimestamp(10)
		sp.SetCount(4)
		sp.SetSum(2)
		q := sp.QuantileValues().AppendEmpty()
		q.SetQuantile(0.95)
		q.SetValue(1.5)

		sumOf(ms, "odd", "", pmetric.AggregationTemporalityUnspecified, 1, 10, 1)
		sumOf(ms, "", "", cumulative, 1, 10, 1)
		sumOf(ms, "untimed", "", cumulative, 0, 0, 1)
	}))
	want := []string{
		`hw_gpu_utilization_ratio{hw_id="0",instance="i-1",instance_id="other",job="engine"} @10 1`,
		`gen_ai_client_token_usage_total{R} @10 5`,
		`vllm:prompt_tokens_total{R} @10 7`,
		`gen_ai_server_time_to_first_token_seconds_bucket{R,le="0.1"} @10 1`,
		`gen_ai_server_time_to_first_token_seconds_bucket{R,le="2.5"} @10 4`,
		`gen_ai_server_time_to_first_token_seconds_bucket{R,le="+Inf"} @10 6`,
		`gen_ai_server_time_to_first_token_seconds_sum{R} @10 3`,
		`gen_ai_server_time_to_first_token_seconds_count{R} @10 6`,
		`faas_invoke_duration_milliseconds_bucket{R,le="0"} @10 1`,
		`faas_invoke_duration_milliseconds_bucket{R,le="1"} @10 1`,
		`faas_invoke_duration_milliseconds_bucket{R,le="1.189207115002721"} @10 4`,
		`faas_invoke_duration_milliseconds_bucket{R,le="1.414213562373095"} @10 7`,
		`faas_invoke_duration_milliseconds_bucket{R,le="+Inf"} @10 7`,
		`faas_invoke_duration_milliseconds_count{R} @10 7`,
		`rpc_latency_seconds{R,quantile="0.95"} @10 1.5`,
		`rpc_latency_seconds_sum{R} @10 2`,
		`rpc_latency_seconds_count{R} @10 4`,
		`target_info{R,k8s_pod_name="pod-1",service_instance_id="i-1",service_name="engine"} @10 1`,
	}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	rejected := map[string]int64{"of no temporality: neither cumulative nor delta": 1, "without a name that a series can have": 1, "without a time": 1}
	if d := cmp.Diff(rejected, got.Rejected); d != "" || got.Points != 6 {
		t.Errorf("%d points kept, rejected (-want +got):\n%s", got.Points, d)
	}
}

func TestConvertDeltas(t *testing.T) {
	var o OTLP
	send := func(start, at uint64, v float64) []string {
		b := o.Convert(metrics(func(ms pmetric.MetricSlice) { sumOf(ms, "n", "", deltas, start, at, v) }))
		out := lines(b)
		out = slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "target_info") })
		for why := range b.Rejected {
			out = append(out, why)
		}
		return out
	}
	for i, tt := range []struct {
		start, at uint64
		v         float64
		want      []string
	}{
		{10, 20, 5, []string{"n_total{R} @10 0", "n_total{R} @20 5"}},
		{20, 30, 2, []string{"n_total{R} @30 7"}},
		{20, 30, 2, []string{"n_total{R} @30 7"}}, // sent again
		{10, 20, 5, []string{"of delta temporality, older than one that was taken or overlapping it"}},
		{30, 40, 1, []string{"n_total{R} @40 8"}},
	} {
		if d := cmp.Diff(tt.want, send(tt.start, tt.at, tt.v)); d != "" {
			t.Errorf("point %d (-want +got):\n%s", i, d)
		}
	}
}

// counted adds a histogram of two boundaries.
func counted(ms pmetric.MetricSlice, name string, at uint64, counts ...uint64) {
	m := ms.AppendEmpty()
	m.SetName(name)
	m.SetEmptyHistogram().SetAggregationTemporality(deltas)
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.Timestamp(at))
	for _, c := range counts {
		p.SetCount(p.Count() + c)
	}
	p.ExplicitBounds().FromRaw([]float64{1, 2})
	p.BucketCounts().FromRaw(counts)
}

func TestConvertDeltasOfAnotherShape(t *testing.T) {
	for _, tt := range []struct {
		name     string
		fill     func(pmetric.MetricSlice)
		want     []string
		rejected map[string]int64
	}{
		{"two kinds under one name", func(ms pmetric.MetricSlice) {
			sumOf(ms, "a", "", deltas, 0, 10, 1)
			ms.At(0).Sum().SetIsMonotonic(false)
			counted(ms, "a", 20, 1, 0, 2)
		}, []string{`a{R} @10 1`, `a_bucket{R,le="1"} @20 1`, `a_bucket{R,le="2"} @20 1`, `a_bucket{R,le="+Inf"} @20 3`, `a_count{R} @20 3`}, nil},
		{"counts only later", func(ms pmetric.MetricSlice) {
			counted(ms, "a", 10)
			counted(ms, "a", 20, 1, 0, 2)
		}, []string{`a_bucket{R,le="+Inf"} @10 0`, `a_count{R} @10 0`}, map[string]int64{"of delta temporality with other buckets than before": 1}},
		{"counts only first", func(ms pmetric.MetricSlice) {
			counted(ms, "a", 10, 1, 0, 2)
			counted(ms, "a", 20)
		}, []string{`a_bucket{R,le="1"} @10 1`, `a_bucket{R,le="2"} @10 1`, `a_bucket{R,le="+Inf"} @10 3`, `a_count{R} @10 3`}, map[string]int64{"of delta temporality with other buckets than before": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o OTLP
			b := o.Convert(metrics(tt.fill))
			got := slices.DeleteFunc(lines(b), func(s string) bool { return strings.HasPrefix(s, "target_info") })
			if d := cmp.Diff(tt.want, got) + cmp.Diff(tt.rejected, b.Rejected); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestExemplars(t *testing.T) {
	var o OTLP
	x := &o.Exemplars
	md := metrics(func(ms pmetric.MetricSlice) {
		e := sumOf(ms, "n", "", cumulative, 1, 10, 1).Exemplars().AppendEmpty()
		e.SetTraceID(pcommon.TraceID{1: 2})
		e.SetDoubleValue(0.5)
		e.SetTimestamp(9)
		e.FilteredAttributes().PutStr("user", "secret")
	})
	want := []assay.Event{{Time: 9, Kind: assay.EventExemplar, Source: "exemplar",
		Attrs: map[string]string{"series": `n_total{instance="i-1",instance_id="pod-1",job="engine"}`, "trace": "00020000000000000000000000000000", "value": "0.5"}}}
	if d := cmp.Diff(want, o.Convert(md).Events); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := o.Convert(md).Events; got != nil {
		t.Errorf("the same exemplar again: %+v", got)
	}
	for i := range maxExemplars + 5 {
		x.Event("s", fmt.Sprint(i), 1, 1)
	}
	if got, want := x.Left(), "6 exemplars beyond the first 1000 were counted and not recorded"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzConvert(f *testing.F) {
	seed := metrics(func(ms pmetric.MetricSlice) {
		sumOf(ms, "a.b", "s", deltas, 1, 2, math.NaN())
		counted(ms, "a.b", 3)
		counted(ms, "a.b", 4, 1, 2, 3)
		e := ms.AppendEmpty()
		e.SetName("e")
		ep := e.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		e.ExponentialHistogram().SetAggregationTemporality(cumulative)
		ep.SetTimestamp(3)
		ep.SetScale(-3)
		ep.Positive().SetOffset(math.MaxInt32)
		ep.Positive().BucketCounts().FromRaw([]uint64{1, 2})
		ep.Negative().BucketCounts().FromRaw([]uint64{math.MaxUint64, 2})
	})
	b, _ := pmetricotlp.NewExportRequestFromMetrics(seed).MarshalProto()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		req := pmetricotlp.NewExportRequest()
		if len(b) > 1<<16 || req.UnmarshalProto(b) != nil {
			return
		}
		var o OTLP
		for range 2 {
			got := o.Convert(req.Metrics())
			n := got.Points
			for _, r := range got.Rejected {
				n += r
			}
			if want := int64(req.Metrics().DataPointCount()); n != want {
				t.Fatalf("%d of %d points are accounted for", n, want)
			}
			for _, s := range got.Samples {
				if s.Name == "" || s.Time == 0 {
					t.Fatalf("a sample without a name or a time: %+v", s)
				}
				for i := 1; i < len(s.Labels); i++ {
					if s.Labels[i-1].Name >= s.Labels[i].Name {
						t.Fatalf("labels are not in order: %+v", s)
					}
				}
			}
		}
	})
}
