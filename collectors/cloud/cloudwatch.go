package cloud

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

var cloudWatchKind = input.Kind{
	Name: "cloudwatch", Things: "datapoints", Proven: collectors.Documents, By: "the CloudWatch API's documents of GetMetricData, GetMetricStatistics and metric streams",
	Help: "CloudWatch metrics as JSON: get-metric-data, get-metric-statistics, or a metric stream one object a line. They hold no cold starts.",
	Options: []input.Option{{Name: "namespace", Help: "of metrics that name none; AWS/Lambda where none is given"},
		{Name: "function", Help: "function that the metrics are of where they do not say"}},
	Is: isCloudWatch, Read: readCloudWatch,
}

var cloudWatchField = regexp.MustCompile(`"MetricDataResults"\s*:|"Datapoints"\s*:|"metric_stream_name"\s*:`)

func isCloudWatch(_ string, head []byte) bool { return cloudWatchField.Match(head) }

// A metricResult is a series of GetMetricData, the answer of GetMetricStatistics, or one object of a metric stream.
type metricResult struct {
	ID         string            `json:"Id"`
	Label      string            `json:"Label"`
	Timestamps []json.RawMessage `json:"Timestamps"`
	Values     []float64         `json:"Values"`

	Datapoints []map[string]json.RawMessage `json:"Datapoints"`

	Namespace  string             `json:"namespace"`
	Metric     string             `json:"metric_name"`
	Dimensions map[string]string  `json:"dimensions"`
	Timestamp  json.RawMessage    `json:"timestamp"`
	Value      map[string]float64 `json:"value"`
}

// readCloudWatch turns datapoints into samples named as CloudWatch's Prometheus exporter names them: aws_lambda_duration_average.
func readCloudWatch(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	namespace := in.Option("namespace")
	if namespace == "" {
		namespace = "AWS/Lambda"
	}
	return objects(in.File, []string{"MetricDataResults"}, func(raw json.RawMessage) error {
		var m metricResult
		if json.Unmarshal(raw, &m) != nil {
			in.Tally.Reject("no metric of CloudWatch", 1)
			return nil
		}
		if m.Namespace != "" {
			namespace = m.Namespace
		}
		var labels []assay.Label
		if f := in.Option("function"); f != "" && m.Dimensions["FunctionName"] == "" {
			labels = append(labels, assay.Label{Name: "function_name", Value: short(f)})
		}
		for _, k := range slices.Sorted(maps.Keys(m.Dimensions)) {
			if len(labels) < 30 {
				labels = append(labels, assay.Label{Name: snake(k), Value: short(m.Dimensions[k])})
			}
		}
		base := snake(strings.ReplaceAll(namespace, "/", "_")) + "_"
		one := func(name string, at int64, v float64) error {
			if at == 0 {
				in.Tally.Reject("a datapoint without a time", 1)
				return nil
			}
			in.Tally.Keep(1)
			return emit(&assay.Sample{Name: name, Labels: labels, Time: at, Value: v})
		}
		switch {
		case m.Metric != "":
			return m.stream(base, labels, in.Tally, emit)
		case m.Datapoints != nil:
			return m.statistics(base, in.Tally, one)
		case m.Label != "" && len(m.Timestamps) == len(m.Values):
			if m.ID != "" {
				labels = append(labels, assay.Label{Name: "id", Value: short(m.ID)})
				sortLabels(labels)
			}
			for i := len(m.Values) - 1; i >= 0; i-- { // newest first, unless asked otherwise
				if err := one(base+snake(m.Label), instantOf(m.Timestamps[i]), m.Values[i]); err != nil {
					return err
				}
			}
			return nil
		}
		in.Tally.Reject("no metric of CloudWatch", 1)
		return nil
	})
}

// stream emits one object of a metric stream: a datapoint with several statistics.
func (m *metricResult) stream(base string, labels []assay.Label, t *input.Tally, emit func(assay.Record) error) error {
	at := instantOf(m.Timestamp)
	if at == 0 || len(m.Value) > 50 {
		t.Reject("a datapoint without a time", 1)
		return nil
	}
	t.Keep(1)
	sortLabels(labels)
	for _, stat := range slices.Sorted(maps.Keys(m.Value)) {
		if err := emit(&assay.Sample{Name: base + snake(m.Metric) + "_" + snake(stat), Labels: labels, Time: at, Value: m.Value[stat]}); err != nil {
			return err
		}
	}
	return nil
}

// statistics emits the answer of GetMetricStatistics, whose points are in no order.
func (m *metricResult) statistics(base string, t *input.Tally, one func(string, int64, float64) error) error {
	slices.SortStableFunc(m.Datapoints, func(a, b map[string]json.RawMessage) int {
		return int(min(max(instantOf(a["Timestamp"])-instantOf(b["Timestamp"]), -1), 1))
	})
	for _, d := range m.Datapoints {
		stats := 0
		for _, stat := range slices.Sorted(maps.Keys(d)) {
			var v float64
			if stat == "Timestamp" || stat == "Unit" || json.Unmarshal(d[stat], &v) != nil {
				continue
			}
			stats++
			if err := one(base+snake(m.Label)+"_"+snake(stat), instantOf(d["Timestamp"]), v); err != nil {
				return err
			}
		}
		if stats == 0 {
			t.Reject("a datapoint without a number", 1)
		}
	}
	return nil
}

// snake turns ConcurrentExecutions into concurrent_executions.
func snake(s string) string {
	var b strings.Builder
	under := true
	rs := []rune(short(s))
	for i, r := range rs {
		switch {
		case unicode.IsUpper(r) && r < 128:
			if !under && (unicode.IsLower(rs[i-1]) || i+1 < len(rs) && unicode.IsLower(rs[i+1])) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
			under = false
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
			under = false
		case !under:
			b.WriteByte('_')
			under = true
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}
