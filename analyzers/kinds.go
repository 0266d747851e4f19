package analyzers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
	"github.com/assay-dev/assay/internal/suggest"
)

// A Kind is one analyzer by name.
type Kind struct {
	Name string
	New  func() assay.Analyzer
}

// Kinds lists the analyzers in the order in which their passes finish: one that reads what another put into the report stands after it.
func Kinds() []Kind {
	return []Kind{
		{"episodes", func() assay.Analyzer { return Episodes{} }},
		{"recovery", func() assay.Analyzer { return Recovery{} }},
		{"suite", func() assay.Analyzer { return Suite{} }}, // after recovery, whose faults it sorts by step
		{"notes", func() assay.Analyzer { return Notes{} }},
		{"hypothesis", func() assay.Analyzer { return Steady{} }},
		{"score", func() assay.Analyzer { return Score{} }}, // after recovery and hypothesis, of which it is made
		{"mtbf", func() assay.Analyzer { return MTBF{} }},
		{"exposure", func() assay.Analyzer { return Exposure{} }},
		{"gpu", func() assay.Analyzer { return GPU{} }},
		{"availability", func() assay.Analyzer { return Availability{} }},
		{"slo", func() assay.Analyzer { return SLOs{} }},
		{"replay", func() assay.Analyzer { return Replay{} }}, // after recovery, whose faults it looks at
		{"canary", func() assay.Analyzer { return Canary{} }},
		{"retries", func() assay.Analyzer { return Retries{} }},
		{"latency", func() assay.Analyzer { return Latency{} }},
		{"drift", func() assay.Analyzer { return Drift{} }},
		{"load", func() assay.Analyzer { return Load{} }},
		{"goodput", func() assay.Analyzer { return Goodput{} }},
		{"classes", func() assay.Analyzer { return Classes{} }},
		{"overload", func() assay.Analyzer { return Overload{} }},
		{"errors", func() assay.Analyzer { return Errors{} }},
		{"slowest", func() assay.Analyzer { return Slowest{} }},
		{"cold", func() assay.Analyzer { return ColdStarts{} }},
		{"coldcost", func() assay.Analyzer { return ColdCost{} }}, // after cold, which tells of the starts
		{"idlegap", func() assay.Analyzer { return IdleGap{} }},
		{"scaling", func() assay.Analyzer { return Scaling{} }},
		{"steadiness", func() assay.Analyzer { return Steadiness{} }},
		{"attribution", func() assay.Analyzer { return Attribution{} }}, // after slowest, whose requests it explains
		{"sampling", func() assay.Analyzer { return Sampling{} }},
		{"limit", func() assay.Analyzer { return Limit{} }}, // after attribution, which names its cause
		{"scalability", func() assay.Analyzer { return Scalability{} }},
		{"k6", func() assay.Analyzer { return K6{} }},
		{"engine", func() assay.Analyzer { return Engine{} }},
		{"little", func() assay.Analyzer { return Little{} }},
		{"timeline", func() assay.Analyzer { return Timeline{} }},
		{"budget", func() assay.Analyzer { return Budget{} }},
		{"abort", func() assay.Analyzer { return Abort{} }},
		{"alerts", func() assay.Analyzer { return Alerts{} }},
		{"validity", func() assay.Analyzer { return Validity{} }},
	}
}

// Describe returns every metric that any analyzer reports. A metric that ends in "pNN" stands for every
// quantile ("ttft/p99.9"); one with "<…>" stands for every word in that place.
func Describe() []assay.Desc {
	var out []assay.Desc
	for _, k := range Kinds() {
		out = append(out, k.New().Describe()...)
	}
	return out
}

// Lookup returns the description of a metric, exact or by pattern.
func Lookup(metric string) (assay.Desc, bool) {
	for _, d := range Describe() {
		if d.Metric == metric {
			return d, true
		}
	}
	for _, d := range Describe() {
		if matches(d.Metric, metric) {
			d.Metric = metric
			return d, true
		}
	}
	return assay.Desc{}, false
}

func matches(pattern, metric string) bool {
	p, m := strings.Split(pattern, "/"), strings.Split(metric, "/")
	if len(p) != len(m) {
		return false
	}
	for i := range p {
		switch {
		case p[i] == m[i]:
		case p[i] == "pNN":
			if _, ok := quantileOf(m[i]); !ok {
				return false
			}
		case strings.HasPrefix(p[i], "<") && m[i] != "":
		default:
			return false
		}
	}
	return true
}

// Check reports what is wrong with an objective that no analyzer could answer: an unknown metric, with the nearest known one, or no bound.
func Check(o assay.Objective) error {
	if _, ok := Lookup(o.Metric); !ok {
		return fmt.Errorf("no analyzer reports %q; nearest is %q", o.Metric, nearest(o.Metric))
	}
	if o.Min == nil && o.Max == nil {
		return fmt.Errorf("objective on %s has neither min nor max", o.Metric)
	}
	if o.Min != nil && o.Max != nil && *o.Min > *o.Max {
		return fmt.Errorf("objective on %s has min %g above max %g", o.Metric, *o.Min, *o.Max)
	}
	return nil
}

// LeastSample returns how much data an objective needs before it can pass at all: n independent things of a kind. ok is false where any
// data will do or none can be told.
func LeastSample(o assay.Objective) (n int, of string, ok bool) {
	family, name, _ := strings.Cut(o.Metric, "/")
	switch {
	case slices.Contains(latencyFamilies, family):
		if p, is := quantileOf(name); is {
			return stat.LeastN(p, Confidence), "requests", true
		}
	case o.Metric == "error_ratio":
		if o.Max != nil && *o.Max > 0 && *o.Max < 1 {
			return stat.Trials(*o.Max, 0, Confidence), "requests", true
		}
	case o.Metric == "recovery/rate" || o.Metric == "fault_tolerance":
		if o.Min != nil && *o.Min > 0 && *o.Min < 1 {
			return faultsFor(*o.Min), "faults", true
		}
	}
	return 0, "", false
}

func nearest(metric string) string {
	var known []string
	for _, d := range Describe() {
		known = append(known, d.Metric)
	}
	best, _ := suggest.Nearest(metric, known)
	return best
}
