package k6

import (
	"fmt"
	"time"

	"go.k6.io/k6/v2/metrics"

	"github.com/assay-dev/assay"
)

// meters are the metrics that the module feeds. Each request adds at most one value to each, so that k6's Trends, which keep
// every value, grow with the requests and not with the tokens.
type meters struct {
	requests  *metrics.Metric
	failed    *metrics.Metric
	ttft      *metrics.Metric
	itl       *metrics.Metric
	tpot      *metrics.Metric
	e2e       *metrics.Metric
	tokensIn  *metrics.Metric
	tokensOut *metrics.Metric
}

func newMeters(registry *metrics.Registry) (*meters, error) {
	m := &meters{}
	for _, d := range []struct {
		to    **metrics.Metric
		name  string
		kind  metrics.MetricType
		value metrics.ValueType
	}{
		{&m.requests, "assay_requests", metrics.Counter, metrics.Default},
		{&m.failed, "assay_failed", metrics.Rate, metrics.Default},
		{&m.ttft, "assay_ttft", metrics.Trend, metrics.Time},
		{&m.itl, "assay_itl", metrics.Trend, metrics.Time},
		{&m.tpot, "assay_tpot", metrics.Trend, metrics.Time},
		{&m.e2e, "assay_e2e", metrics.Trend, metrics.Time},
		{&m.tokensIn, "assay_tokens_in", metrics.Counter, metrics.Default},
		{&m.tokensOut, "assay_tokens_out", metrics.Counter, metrics.Default},
	} {
		var err error
		if *d.to, err = registry.NewMetric(d.name, d.kind, d.value); err != nil {
			return nil, fmt.Errorf("register metric %s: %w", d.name, err)
		}
	}
	return m, nil
}

// samples returns what r adds to the metrics. Latencies are those of complete answers: a refusal is quick, and would make a target
// that refuses look fast. Failed is error_ratio of the whole test, see [assay.Outcome.Bad], and a refused credential besides: k6 has no word for a test that could not measure, and a rate
// without any sample passes every threshold.
func (m *meters) samples(r *assay.Request, t *times, tags metrics.TagsAndMeta, at time.Time) []metrics.Sample {
	out := make([]metrics.Sample, 0, 8)
	add := func(metric *metrics.Metric, v float64) {
		out = append(out, metrics.Sample{TimeSeries: metrics.TimeSeries{Metric: metric, Tags: tags.Tags}, Time: at, Value: v, Metadata: tags.Metadata})
	}
	add(m.requests, 1)
	if denied := r.Outcome == assay.Credential; denied || r.Outcome.Counts() {
		failed := 0.0
		if denied || r.Outcome.Bad() {
			failed = 1
		}
		add(m.failed, failed)
	}
	if r.Outcome == assay.OK {
		for _, v := range []struct {
			metric *metrics.Metric
			value  float64
		}{{m.ttft, t.TTFT}, {m.itl, t.ITL}, {m.tpot, t.TPOT}, {m.e2e, t.E2E}} {
			if v.value == v.value { // not NaN
				add(v.metric, v.value)
			}
		}
	}
	if r.TokensIn > 0 && r.Outcome == assay.OK {
		add(m.tokensIn, float64(r.TokensIn))
	}
	if r.TokensOut > 0 {
		add(m.tokensOut, float64(r.TokensOut))
	}
	return out
}
