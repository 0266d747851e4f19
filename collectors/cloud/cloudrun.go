package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// maxBuckets bounds a distribution.
const maxBuckets = 1000

var cloudRunKind = input.Kind{
	Name: "cloud-run", Things: "points", Proven: collectors.Documents, By: "the Cloud Monitoring API's documents of timeSeries.list",
	Help: "Cloud Monitoring's timeSeries.list as JSON, of Cloud Run and Cloud Functions: requests by class, latencies, instances by state, start-up latencies.",
	Is:   isMonitoring, Read: readMonitoring,
}

var monitoringField = regexp.MustCompile(`"timeSeries"\s*:\s*\[|"metricKind"\s*:`)

func isMonitoring(_ string, head []byte) bool { return monitoringField.Match(head) }

// A timeSeries is one of the Monitoring API's. Its points come newest first.
type timeSeries struct {
	Metric struct {
		Type   string            `json:"type"`
		Labels map[string]string `json:"labels"`
	} `json:"metric"`
	Resource struct {
		Labels map[string]string `json:"labels"`
	} `json:"resource"`
	Kind   string            `json:"metricKind"`
	Points []monitoringPoint `json:"points"`
}

type monitoringPoint struct {
	Interval struct {
		Start string `json:"startTime"`
		End   string `json:"endTime"`
	} `json:"interval"`
	Value typedValue `json:"value"`
}

type typedValue struct {
	Int    *json.Number  `json:"int64Value"`
	Double *float64      `json:"doubleValue"`
	Bool   *bool         `json:"boolValue"`
	Dist   *distribution `json:"distributionValue"`
}

type distribution struct {
	Count   json.Number `json:"count"`
	Mean    float64     `json:"mean"`
	Options struct {
		Exponential *struct {
			N      int     `json:"numFiniteBuckets"`
			Growth float64 `json:"growthFactor"`
			Scale  float64 `json:"scale"`
		} `json:"exponentialBuckets"`
		Linear *struct {
			N      int     `json:"numFiniteBuckets"`
			Width  float64 `json:"width"`
			Offset float64 `json:"offset"`
		} `json:"linearBuckets"`
		Explicit *struct {
			Bounds []float64 `json:"bounds"`
		} `json:"explicitBuckets"`
	} `json:"bucketOptions"`
	Counts []json.Number `json:"bucketCounts"`
}

// readMonitoring turns series into samples under the names that Google's own PromQL has for them. What counts anew in each interval is
// summed up, so that it is a counter as others are.
func readMonitoring(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	return objects(in.File, []string{"timeSeries"}, func(raw json.RawMessage) error {
		var s timeSeries
		if json.Unmarshal(raw, &s) != nil || s.Metric.Type == "" {
			in.Tally.Reject("no time series", 1)
			return nil
		}
		return s.samples(in.Tally, emit)
	})
}

// promName is Google's: the first slash becomes a colon, all else that is no letter or digit an underscore.
func promName(metric string) string {
	domain, path, ok := strings.Cut(metric, "/")
	name := sanitize(domain)
	if ok {
		name += ":" + sanitize(path)
	}
	return name
}

func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, short(s))
}

func (s *timeSeries) samples(t *input.Tally, emit func(assay.Record) error) error {
	labels := make([]assay.Label, 0, len(s.Metric.Labels)+len(s.Resource.Labels)+1)
	for _, from := range []map[string]string{s.Metric.Labels, s.Resource.Labels} {
		for k, v := range from {
			k = sanitize(k)
			if len(labels) < 60 && k != "le" && !slices.ContainsFunc(labels, func(l assay.Label) bool { return l.Name == k }) {
				labels = append(labels, assay.Label{Name: k, Value: short(v)})
			}
		}
	}
	sortLabels(labels)
	name := promName(s.Metric.Type)
	slices.SortStableFunc(s.Points, func(a, b monitoringPoint) int { return cmp.Compare(a.Interval.End, b.Interval.End) })
	var sum float64
	var dist cumulated
	for _, p := range s.Points {
		at, err := time.Parse(time.RFC3339, p.Interval.End)
		if err != nil || at.Year() < 1971 || at.Year() > 2250 {
			t.Reject("a point without a time", 1)
			continue
		}
		if p.Value.Dist != nil {
			if s.Kind != "DELTA" {
				dist = cumulated{}
			}
			if !dist.add(p.Value.Dist) {
				t.Reject("a distribution that is none", 1)
				continue
			}
			t.Keep(1)
			if err := dist.emit(name, labels, at.UnixNano(), emit); err != nil {
				return err
			}
			continue
		}
		v, ok := p.Value.number()
		if !ok {
			t.Reject("a point without a number", 1)
			continue
		}
		t.Keep(1)
		if s.Kind == "DELTA" {
			if since, err := time.Parse(time.RFC3339, p.Interval.Start); err == nil && sum == 0 && v > 0 && since.Before(at) && at.Sub(since) <= time.Hour { // it counts from there on
				if err := emit(&assay.Sample{Name: name, Labels: labels, Time: since.UnixNano()}); err != nil {
					return err
				}
			}
			sum += v
			v = sum
		}
		if err := emit(&assay.Sample{Name: name, Labels: labels, Time: at.UnixNano(), Value: v}); err != nil {
			return err
		}
	}
	return nil
}

func sortLabels(labels []assay.Label) {
	slices.SortFunc(labels, func(a, b assay.Label) int { return cmp.Compare(a.Name, b.Name) })
}

func (v *typedValue) number() (float64, bool) {
	switch {
	case v.Int != nil:
		n, err := v.Int.Float64()
		return n, err == nil
	case v.Double != nil:
		return *v.Double, true
	case v.Bool != nil:
		if *v.Bool {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// A cumulated is a distribution summed up over intervals.
type cumulated struct {
	bounds []float64
	counts []float64
	count  float64
	sum    float64
}

// bounds returns the upper bounds of the finite buckets.
func (d *distribution) bounds() []float64 {
	o := &d.Options
	var out []float64
	switch {
	case o.Exponential != nil && o.Exponential.N >= 0 && o.Exponential.N < maxBuckets:
		for i := range o.Exponential.N + 1 {
			out = append(out, o.Exponential.Scale*math.Pow(o.Exponential.Growth, float64(i)))
		}
	case o.Linear != nil && o.Linear.N >= 0 && o.Linear.N < maxBuckets:
		for i := range o.Linear.N + 1 {
			out = append(out, o.Linear.Offset+o.Linear.Width*float64(i))
		}
	case o.Explicit != nil && len(o.Explicit.Bounds) <= maxBuckets:
		out = o.Explicit.Bounds
	}
	for i, b := range out {
		if math.IsInf(b, 0) || math.IsNaN(b) || i > 0 && b <= out[i-1] {
			return nil
		}
	}
	return out
}

// add sums up one interval's distribution.
func (c *cumulated) add(d *distribution) bool {
	n, err := d.Count.Float64()
	if d.Count == "" {
		n, err = 0, nil
	}
	bounds := d.bounds()
	if err != nil || !(n >= 0) || len(d.Counts) > len(bounds)+1 || n > 0 && len(bounds) == 0 {
		return false
	}
	if c.bounds == nil {
		c.bounds, c.counts = bounds, make([]float64, len(bounds)+1)
	} else if len(bounds) > 0 && !slices.Equal(bounds, c.bounds) {
		return false
	}
	each := make([]float64, len(d.Counts))
	for i, b := range d.Counts {
		v, err := b.Float64()
		if err != nil || !(v >= 0) || i >= len(c.counts) {
			return false
		}
		each[i] = v
	}
	for i, v := range each {
		c.counts[i] += v
	}
	c.count += n
	c.sum += n * d.Mean
	return true
}

func (c *cumulated) emit(name string, labels []assay.Label, at int64, emit func(assay.Record) error) error {
	total := 0.0
	for i, n := range c.counts {
		total += n
		le := "+Inf"
		if i < len(c.bounds) {
			le = strconv.FormatFloat(c.bounds[i], 'g', -1, 64)
		}
		with := append(slices.Clone(labels), assay.Label{Name: "le", Value: le})
		sortLabels(with)
		if err := emit(&assay.Sample{Name: name + "_bucket", Labels: with, Time: at, Value: total}); err != nil {
			return err
		}
	}
	if err := emit(&assay.Sample{Name: name + "_sum", Labels: labels, Time: at, Value: c.sum}); err != nil {
		return err
	}
	return emit(&assay.Sample{Name: name + "_count", Labels: labels, Time: at, Value: c.count})
}
