package flatten

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/model/value"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// Bounds of metrics of OpenTelemetry.
const (
	maxSamples   = 200_000 // of one request
	maxSeries    = 100_000 // whose deltas are added up, and native histograms that are remembered
	maxLabels    = 64      // of one series
	maxLabelText = 4096    // bytes
	maxNameText  = 512
)

// OTLP makes samples of OpenTelemetry's metrics, under the names that Prometheus' own intake would give them: dots become underscores, the
// unit and _total are appended. The resource's service.name becomes job, its service.instance.id becomes instance, and the pod, function
// instance or service instance becomes instance_id; the whole resource stands in target_info. Points of delta temporality are added up from
// the first one seen. Its methods may be called at once; the zero value is ready.
type OTLP struct {
	Exemplars Exemplars

	mu     sync.Mutex
	deltas map[string]*delta
	native map[string]*Histogram
}

// A delta is what the points of a series of delta temporality add up to.
type delta struct {
	start, end int64
	values     []float64 // of the count, the sum and the buckets
	bounds     []float64
}

// A Batch is what one request gave.
type Batch struct {
	Samples  []assay.Sample // stamped in Unix ns
	Points   int64          // kept
	Rejected map[string]int64
	Events   []assay.Event
}

func (b *Batch) reject(reason string) {
	if b.Rejected == nil {
		b.Rejected = map[string]int64{}
	}
	b.Rejected[reason]++
}

var (
	metricNamer = otlptranslator.MetricNamer{WithMetricSuffixes: true}
	labelNamer  = otlptranslator.LabelNamer{}
)

// Convert makes samples of all points. What cannot be one is rejected with its reason.
func (o *OTLP) Convert(md pmetric.Metrics) *Batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &conversion{o: o, b: &Batch{}}
	for _, rm := range md.ResourceMetrics().All() {
		c.resource(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				c.metric(m)
			}
		}
		c.info(rm.Resource().Attributes())
	}
	return c.b
}

// A conversion is one request being converted.
type conversion struct {
	o      *OTLP
	b      *Batch
	common []assay.Label
	newest int64

	kind   pmetric.MetricType
	name   string
	labels []assay.Label
	wrong  string // of the point's labels
}

// resource reads the labels that all points of a resource share.
func (c *conversion) resource(m pcommon.Map) {
	c.common, c.newest = nil, 0
	get := func(key string) string {
		v, ok := m.Get(key)
		if !ok {
			return ""
		}
		return clip(v.AsString())
	}
	job := get("service.name")
	if ns := get("service.namespace"); ns != "" && job != "" {
		job = ns + "/" + job
	}
	id := get("k8s.pod.name")
	for _, key := range []string{"faas.instance", "service.instance.id"} {
		if id == "" {
			id = get(key)
		}
	}
	for _, l := range []assay.Label{{Name: "instance", Value: get("service.instance.id")}, {Name: "instance_id", Value: id}, {Name: "job", Value: job}} {
		if l.Value != "" {
			c.common = append(c.common, l)
		}
	}
}

// info tells the whole resource.
func (c *conversion) info(m pcommon.Map) {
	if c.newest == 0 || m.Len() == 0 {
		return
	}
	if c.point(m) {
		c.name = "target_info"
		c.add("", c.newest, 1)
	}
}

// point reads the labels of a point.
func (c *conversion) point(m pcommon.Map) bool {
	c.labels, c.wrong = slices.Clone(c.common), ""
	if m.Len() > maxLabels {
		c.wrong = fmt.Sprintf("more than %d attributes on a point", maxLabels)
		return false
	}
	for k, v := range m.All() {
		if k == "" || v.AsString() == "" || profile.Private(k) {
			continue
		}
		name, err := labelNamer.Build(clip(k))
		if err != nil || strings.HasPrefix(name, "__") {
			continue
		}
		text := clip(v.AsString())
		if i := slices.IndexFunc(c.labels, func(l assay.Label) bool { return l.Name == name }); i >= 0 {
			if i < len(c.common) && c.labels[i].Name == c.common[i].Name {
				c.labels[i].Value = text // the point knows better
			} else {
				c.labels[i].Value += ";" + text // two names that become one, as Prometheus joins them
			}
			continue
		}
		c.labels = append(c.labels, assay.Label{Name: name, Value: text})
	}
	slices.SortFunc(c.labels, func(a, b assay.Label) int { return strings.Compare(a.Name, b.Name) })
	return true
}

func clip(s string) string {
	if len(s) > maxLabelText {
		s = s[:maxLabelText]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// with returns the labels and one more.
func (c *conversion) with(name, text string) []assay.Label {
	out := make([]assay.Label, 0, len(c.labels)+1)
	i := 0
	for ; i < len(c.labels) && c.labels[i].Name < name; i++ {
		out = append(out, c.labels[i])
	}
	out = append(out, assay.Label{Name: name, Value: text})
	for ; i < len(c.labels); i++ {
		if c.labels[i].Name != name {
			out = append(out, c.labels[i])
		}
	}
	return out
}

func (c *conversion) add(suffix string, at int64, v float64) { c.put(suffix, c.labels, at, v) }

func (c *conversion) put(suffix string, labels []assay.Label, at int64, v float64) {
	c.newest = max(c.newest, at)
	c.b.Samples = append(c.b.Samples, assay.Sample{Name: c.name + suffix, Labels: labels, Time: at, Value: v})
}

// key is the series of the present point. Metrics of several kinds may bear one name.
func (c *conversion) key() string {
	var b strings.Builder
	b.WriteString(c.name + "\xff" + c.kind.String())
	for _, l := range c.labels {
		b.WriteString("\xff" + l.Name + "\xff" + l.Value)
	}
	return b.String()
}

var stale = math.Float64frombits(value.StaleNaN)

// metric converts the points of one metric.
func (c *conversion) metric(m pmetric.Metric) {
	points := func(n int, typ otlptranslator.MetricType, kind func()) {
		name, err := metricNamer.Build(otlptranslator.Metric{Name: m.Name(), Unit: m.Unit(), Type: typ})
		if err != nil || m.Name() == "" || len(m.Name()) > maxNameText {
			for range n {
				c.b.reject("without a name that a series can have")
			}
			return
		}
		c.name, c.kind = name, m.Type()
		kind()
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		dps := m.Gauge().DataPoints()
		points(dps.Len(), otlptranslator.MetricTypeGauge, func() { c.numbers(dps, pmetric.AggregationTemporalityCumulative) })
	case pmetric.MetricTypeSum:
		dps, t := m.Sum().DataPoints(), otlptranslator.MetricType(otlptranslator.MetricTypeNonMonotonicCounter)
		if m.Sum().IsMonotonic() {
			t = otlptranslator.MetricTypeMonotonicCounter
		}
		points(dps.Len(), t, func() { c.numbers(dps, m.Sum().AggregationTemporality()) })
	case pmetric.MetricTypeHistogram:
		dps := m.Histogram().DataPoints()
		points(dps.Len(), otlptranslator.MetricTypeHistogram, func() {
			for _, p := range dps.All() {
				c.take(p.Attributes(), p.Timestamp(), func(at int64) string { return c.histogram(p, at, m.Histogram().AggregationTemporality()) })
			}
		})
	case pmetric.MetricTypeExponentialHistogram:
		dps := m.ExponentialHistogram().DataPoints()
		points(dps.Len(), otlptranslator.MetricTypeExponentialHistogram, func() {
			for _, p := range dps.All() {
				c.take(p.Attributes(), p.Timestamp(), func(at int64) string { return c.exponential(p, at, m.ExponentialHistogram().AggregationTemporality()) })
			}
		})
	case pmetric.MetricTypeSummary:
		dps := m.Summary().DataPoints()
		points(dps.Len(), otlptranslator.MetricTypeSummary, func() {
			for _, p := range dps.All() {
				c.take(p.Attributes(), p.Timestamp(), func(at int64) string { return c.summary(p, at) })
			}
		})
	}
}

// take converts one point, or rejects it with its reason.
func (c *conversion) take(attrs pcommon.Map, stamp pcommon.Timestamp, convert func(at int64) string) {
	had := len(c.b.Samples)
	switch {
	case stamp == 0 || stamp > math.MaxInt64:
		c.b.reject("without a time")
	case had >= maxSamples:
		c.b.reject(fmt.Sprintf("more than %d samples in one request", maxSamples))
	case !c.point(attrs):
		c.b.reject(c.wrong)
	default:
		if why := convert(int64(stamp)); why != "" {
			c.b.Samples = c.b.Samples[:had]
			c.b.reject(why)
			return
		}
		c.b.Points++
	}
}

func (c *conversion) numbers(dps pmetric.NumberDataPointSlice, t pmetric.AggregationTemporality) {
	for _, p := range dps.All() {
		c.take(p.Attributes(), p.Timestamp(), func(at int64) string {
			if p.Flags().NoRecordedValue() {
				c.add("", at, stale)
				return ""
			}
			v := p.DoubleValue()
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				v = float64(p.IntValue())
			}
			if gpu.Blank(c.name, v) {
				return gpu.OfBlank
			}
			sum, first, why := c.total(t, int64(p.StartTimestamp()), at, []float64{v}, nil)
			if why != "" {
				return why
			}
			if first != 0 {
				c.add("", first, 0)
			}
			c.add("", at, sum[0])
			c.exemplars(p.Exemplars(), at)
			return ""
		})
	}
}

// total adds up points of delta temporality. first is when the series began, once, so that its first point counts as growth.
func (c *conversion) total(t pmetric.AggregationTemporality, start, end int64, values, bounds []float64) (sum []float64, first int64, why string) {
	switch t {
	case pmetric.AggregationTemporalityCumulative:
		return values, 0, ""
	case pmetric.AggregationTemporalityDelta:
	default:
		return nil, 0, "of no temporality: neither cumulative nor delta"
	}
	key := c.key()
	d := c.o.deltas[key]
	switch {
	case d == nil:
		if len(c.o.deltas) >= maxSeries {
			return nil, 0, fmt.Sprintf("of delta temporality, and more than %d series of it", maxSeries)
		}
		if c.o.deltas == nil {
			c.o.deltas = map[string]*delta{}
		}
		d = &delta{values: make([]float64, len(values)), bounds: slices.Clone(bounds)}
		c.o.deltas[key] = d
		if start != 0 && start < end {
			first = start
		}
	case end == d.end && start == d.start:
		return slices.Clone(d.values), 0, "" // sent again
	case end <= d.end || start != 0 && start < d.end:
		return nil, 0, "of delta temporality, older than one that was taken or overlapping it"
	case len(values) != len(d.values) || !slices.Equal(bounds, d.bounds): // a histogram may tell its boundaries and no counts
		return nil, 0, "of delta temporality with other buckets than before"
	}
	d.start, d.end = start, end
	for i, v := range values {
		d.values[i] += v
	}
	return slices.Clone(d.values), first, ""
}

func (c *conversion) histogram(p pmetric.HistogramDataPoint, at int64, t pmetric.AggregationTemporality) string {
	if p.Flags().NoRecordedValue() {
		c.add("_count", at, stale)
		c.add("_sum", at, stale)
		return ""
	}
	bounds, counts := p.ExplicitBounds(), p.BucketCounts()
	switch {
	case bounds.Len() > MaxBuckets:
		return fmt.Sprintf("a histogram with more than %d buckets", MaxBuckets)
	case counts.Len() != 0 && counts.Len() != bounds.Len()+1:
		return "a histogram whose buckets are not one more than its boundaries"
	}
	values := []float64{float64(p.Count()), p.Sum()}
	cumulative := uint64(0)
	for i := range min(counts.Len(), bounds.Len()) {
		cumulative += counts.At(i)
		values = append(values, float64(cumulative))
	}
	sum, first, why := c.total(t, int64(p.StartTimestamp()), at, values, bounds.AsRaw())
	if why != "" {
		return why
	}
	if first != 0 {
		c.classic(p.HasSum(), first, make([]float64, len(sum)), bounds)
	}
	c.classic(p.HasSum(), at, sum, bounds)
	c.exemplars(p.Exemplars(), at)
	return ""
}

// classic adds the series of a histogram whose boundaries do not change.
func (c *conversion) classic(hasSum bool, at int64, values []float64, bounds pcommon.Float64Slice) {
	for i, v := range values[2:] {
		c.put("_bucket", c.with("le", strconv.FormatFloat(bounds.At(i), 'g', -1, 64)), at, v)
	}
	c.put("_bucket", c.with("le", "+Inf"), at, values[0])
	if hasSum {
		c.add("_sum", at, values[1])
	}
	c.add("_count", at, values[0])
}

func (c *conversion) exponential(p pmetric.ExponentialHistogramDataPoint, at int64, t pmetric.AggregationTemporality) string {
	if p.Flags().NoRecordedValue() {
		c.add("_count", at, stale)
		c.add("_sum", at, stale)
		return ""
	}
	if t != pmetric.AggregationTemporalityCumulative {
		return "an exponential histogram of delta temporality: send it cumulative"
	}
	buckets, err := exponential(p.Scale(), p.ZeroCount(), p.ZeroThreshold(), p.Positive().Offset(), p.Positive().BucketCounts().AsRaw(), p.Negative().Offset(), p.Negative().BucketCounts().AsRaw())
	if err != nil {
		return err.Error()
	}
	key := c.key()
	h := c.o.native[key]
	if h == nil {
		if c.o.native == nil || len(c.o.native) >= maxSeries {
			c.o.native = map[string]*Histogram{}
		}
		h = &Histogram{}
		c.o.native[key] = h
	}
	if err := h.Look(at, buckets, func(le string, at int64, n float64) { c.put("_bucket", c.with("le", le), at, n) }); err != nil {
		return err.Error()
	}
	c.put("_bucket", c.with("le", "+Inf"), at, float64(p.Count()))
	if p.HasSum() {
		c.add("_sum", at, p.Sum())
	}
	c.add("_count", at, float64(p.Count()))
	c.exemplars(p.Exemplars(), at)
	return ""
}

func (c *conversion) summary(p pmetric.SummaryDataPoint, at int64) string {
	if p.QuantileValues().Len() > MaxBuckets {
		return fmt.Sprintf("a summary with more than %d quantiles", MaxBuckets)
	}
	for _, q := range p.QuantileValues().All() {
		c.put("", c.with("quantile", strconv.FormatFloat(q.Quantile(), 'g', -1, 64)), at, q.Value())
	}
	c.add("_sum", at, p.Sum())
	c.add("_count", at, float64(p.Count()))
	return ""
}

// exemplars makes events of those that name a trace.
func (c *conversion) exemplars(es pmetric.ExemplarSlice, at int64) {
	for _, e := range es.All() {
		if e.TraceID().IsEmpty() {
			continue
		}
		v := e.DoubleValue()
		if e.ValueType() == pmetric.ExemplarValueTypeInt {
			v = float64(e.IntValue())
		}
		when := at
		if e.Timestamp() != 0 && e.Timestamp() < math.MaxInt64 {
			when = int64(e.Timestamp())
		}
		if ev := c.o.Exemplars.Event(Series(c.name, c.labels), e.TraceID().String(), v, when); ev != nil {
			c.b.Events = append(c.b.Events, *ev)
		}
	}
}

// Series writes a series as Prometheus does.
func Series(name string, labels []assay.Label) string {
	var b strings.Builder
	b.WriteString(name)
	for i, l := range labels {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(l.Name + "=" + strconv.Quote(l.Value))
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	return b.String()
}
