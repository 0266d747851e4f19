package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

var cloudWatchKind = input.Kind{
	Name: "cloudwatch", Things: "datapoints", Proven: collectors.Documents, By: "the CloudWatch API's documents of GetMetricData, GetMetricStatistics and metric streams",
	Help: "CloudWatch metrics as JSON: get-metric-data, get-metric-statistics, or a metric stream one object a line. Sums of Invocations and Errors become requests by outcome. They hold no cold starts.",
	Options: []input.Option{{Name: "namespace", Help: "of metrics that name none; AWS/Lambda where none is given"},
		{Name: "function", Help: "function that the metrics are of where they do not say"},
		{Name: "period", Help: "of the datapoints, such as 1m; as their stamps tell where it is not given"}},
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
	Status     string            `json:"StatusCode"`

	Datapoints []map[string]json.RawMessage `json:"Datapoints"`

	Namespace  string             `json:"namespace"`
	Metric     string             `json:"metric_name"`
	Dimensions map[string]string  `json:"dimensions"`
	Timestamp  json.RawMessage    `json:"timestamp"`
	Value      map[string]float64 `json:"value"`
}

// readCloudWatch reads an input.
func readCloudWatch(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	d := &datapoints{namespace: in.Option("namespace"), whole: true, ids: true, tally: in.Tally, emit: emit, counts: &counting{}}
	if text := in.Option("period"); text != "" {
		period, err := time.ParseDuration(text)
		if err != nil || period < time.Second || period%time.Second != 0 {
			return fmt.Errorf("period %q: want whole seconds, such as 1m", text)
		}
		d.counts.period = int64(period)
	}
	if f := in.Option("function"); f != "" {
		d.labels = []assay.Label{{Name: "function_name", Value: short(f)}}
	}
	if err := d.read(in.File); err != nil {
		return err
	}
	if d.averages > 0 {
		in.Tally.Note("%d datapoints of Duration are an average, a maximum or a quantile of one period: no quantile of the whole comes of such, so that they are shown as they are and latency is not measured", d.averages)
	}
	return d.counts.flush(in.Tally, emit)
}

// Datapoints become samples named as CloudWatch's Prometheus exporter names them: aws_lambda_duration_average.
type datapoints struct {
	namespace string        // of metrics that name none; "": AWS/Lambda
	labels    []assay.Label // of metrics that name no dimensions, sorted
	ids       bool          // the ids of a query tell metrics apart
	whole     bool          // no page follows that has the rest of a series
	counts    *counting     // gathers the sums of requests
	averages  int64         // datapoints of Duration
	tally     *input.Tally
	emit      func(assay.Record) error
}

func (d *datapoints) read(f *input.File) error {
	namespace := cmp.Or(d.namespace, "AWS/Lambda")
	return objects(f, []string{"MetricDataResults"}, func(raw json.RawMessage) error {
		var m metricResult
		if json.Unmarshal(raw, &m) != nil {
			d.tally.Reject("no metric of CloudWatch", 1)
			return nil
		}
		if m.Namespace != "" {
			namespace = m.Namespace
		}
		labels := d.labels
		if len(m.Dimensions) > 0 {
			labels = labelsOf(m.Dimensions, d.labels)
		}
		base := snake(strings.ReplaceAll(namespace, "/", "_")) + "_"
		one := func(name string, at int64, v float64) error {
			if at == 0 {
				d.tally.Reject("a datapoint without a time", 1)
				return nil
			}
			if v < 0 && namespace == "AWS/Lambda" {
				d.tally.Reject("a value below zero, which no metric of AWS/Lambda has", 1)
				return nil
			}
			d.tally.Keep(1)
			d.count(name, labels, at, v)
			return d.emit(&assay.Sample{Name: name, Labels: labels, Time: at, Value: v})
		}
		switch {
		case m.Metric != "":
			return m.stream(base, labels, d)
		case m.Datapoints != nil:
			return m.statistics(base, d.tally, one)
		case m.Label != "":
			if m.ID != "" && d.ids {
				labels = append(slices.Clone(labels), assay.Label{Name: "id", Value: short(m.ID)})
				sortLabels(labels)
			}
			if d.whole && m.Status != "" && m.Status != "Complete" {
				d.tally.Note("of %d series CloudWatch says that it gave a part, or none ("+short(m.Status)+")", 1)
			}
			if n := len(m.Timestamps) - len(m.Values); n != 0 {
				d.tally.Reject("a datapoint with a stamp and no value, or a value and no stamp", int64(max(n, -n)))
			}
			points := make([]int, min(len(m.Values), len(m.Timestamps)))
			for i := range points {
				points[i] = i
			}
			slices.SortStableFunc(points, func(a, b int) int { // newest first, unless asked otherwise
				return cmp.Compare(cloudWatchInstant(m.Timestamps[a]), cloudWatchInstant(m.Timestamps[b]))
			})
			for _, i := range points {
				if err := one(base+snake(m.Label), cloudWatchInstant(m.Timestamps[i]), m.Values[i]); err != nil {
					return err
				}
			}
			return nil
		}
		d.tally.Reject("no metric of CloudWatch", 1)
		return nil
	})
}

// count hands a datapoint to what counts requests.
func (d *datapoints) count(name string, labels []assay.Label, at int64, v float64) {
	if strings.HasPrefix(name, "aws_lambda_duration") {
		d.averages++
	}
	if d.counts != nil {
		d.counts.take(name, labels, at, v)
	}
}

// labelsOf makes labels of dimensions, with those of others that are not among them.
func labelsOf(dimensions map[string]string, others []assay.Label) []assay.Label {
	var labels []assay.Label
	for _, k := range slices.Sorted(maps.Keys(dimensions)) {
		if len(labels) < 30 {
			labels = append(labels, assay.Label{Name: snake(k), Value: short(dimensions[k])})
		}
	}
	for _, o := range others {
		if !slices.ContainsFunc(labels, func(l assay.Label) bool { return l.Name == o.Name }) {
			labels = append(labels, o)
		}
	}
	sortLabels(labels)
	return labels
}

// cloudWatchInstant reads a stamp: a date as the command line writes it, seconds as the API answers, or ms as a metric stream has it; 0 where it is none.
func cloudWatchInstant(raw json.RawMessage) int64 {
	if s, err := strconv.ParseFloat(string(raw), 64); err == nil && s > 0 && s < 1e11 {
		return int64(math.Round(s*1e3)) * 1e6
	}
	return instantOf(raw)
}

// stream emits one object of a metric stream: a datapoint with several statistics.
func (m *metricResult) stream(base string, labels []assay.Label, d *datapoints) error {
	t, emit := d.tally, d.emit
	at := cloudWatchInstant(m.Timestamp)
	if at == 0 || len(m.Value) > 50 {
		t.Reject("a datapoint without a time", 1)
		return nil
	}
	t.Keep(1)
	sortLabels(labels)
	for _, stat := range slices.Sorted(maps.Keys(m.Value)) {
		d.count(base+snake(m.Metric)+"_"+snake(stat), labels, at, m.Value[stat])
		if err := emit(&assay.Sample{Name: base + snake(m.Metric) + "_" + snake(stat), Labels: labels, Time: at, Value: m.Value[stat]}); err != nil {
			return err
		}
	}
	return nil
}

// statistics emits the answer of GetMetricStatistics, whose points are in no order.
func (m *metricResult) statistics(base string, t *input.Tally, one func(string, int64, float64) error) error {
	slices.SortStableFunc(m.Datapoints, func(a, b map[string]json.RawMessage) int {
		return cmp.Compare(cloudWatchInstant(a["Timestamp"]), cloudWatchInstant(b["Timestamp"]))
	})
	for _, d := range m.Datapoints {
		stats := 0
		for _, stat := range slices.Sorted(maps.Keys(d)) {
			var v float64
			if stat == "Timestamp" || stat == "Unit" || json.Unmarshal(d[stat], &v) != nil {
				continue
			}
			stats++
			if err := one(base+snake(m.Label)+"_"+snake(stat), cloudWatchInstant(d["Timestamp"]), v); err != nil {
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
