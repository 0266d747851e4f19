package openslo

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/assay-dev/assay"
)

// MetricAnnotation is the annotation of an SLO or SLI that names what of the run's own requests stands for it.
const MetricAnnotation = "assay.dev/metric"

// A reading is an SLI as it was read: an indicator, whether it is compared with a threshold, or why no run can judge it.
type reading struct {
	in        assay.Indicator
	threshold bool
	unmapped  string
}

// A source is one query of an SLI.
type source struct {
	kind  string // prometheus, assay, or what else
	query string
	at    node   // where the query stands
	own   string // metric of the run's requests
}

// indicator reads the spec of an SLI of v1.
func (s *set) indicator(n node) reading {
	o := n.object("description", "thresholdMetric", "ratioMetric")
	switch got := o.has("thresholdMetric", "ratioMetric"); {
	case !n.there():
		return reading{}
	case len(got) != 1:
		n.bad("needs exactly one of thresholdMetric and ratioMetric")
		return reading{}
	case got[0] == "thresholdMetric":
		return threshold(s.metric(o.get("thresholdMetric")))
	}
	r := o.get("ratioMetric").object("counter", "good", "bad", "total", "raw", "rawType")
	counter := r.get("counter").boolean()
	if r.get("raw").there() {
		if more := r.has("good", "bad", "total"); len(more) > 0 {
			r.bad("has raw and %s; raw is the ratio already", strings.Join(more, ", "))
		}
		kind := r.need("rawType", "success or failure").oneOf(true, "success", "failure")
		return raw(s.metric(r.get("raw")), kind == "failure")
	}
	if r.get("rawType").there() {
		r.get("rawType").bad("belongs to raw; leave it out")
	}
	return s.ratio(r, counter, s.metric)
}

// ratio reads good or bad, and total.
func (s *set) ratio(r object, counter bool, metric func(node) source) reading {
	part := r.has("good", "bad")
	if len(part) != 1 {
		r.bad("needs exactly one of good and bad, beside total")
		return reading{}
	}
	a, b := metric(r.get(part[0])), metric(r.need("total", "what good or bad are a part of"))
	switch {
	case a.own != "":
		return reading{in: assay.Indicator{Metric: a.own}}
	case a.kind != b.kind:
		r.bad("%s comes from %s and total from %s; want one source", part[0], a.kind, b.kind)
	case a.kind != "prometheus":
		return reading{unmapped: foreign(a.kind)}
	}
	in := assay.Indicator{Engine: "promql", Total: b.windowed(counter)}
	if part[0] == "good" {
		in.Good = a.windowed(counter)
	} else {
		in.Bad = a.windowed(counter)
	}
	return reading{in: in}
}

func raw(m source, failed bool) reading {
	if m.kind != "prometheus" {
		return reading{unmapped: foreign(m.kind)}
	}
	return reading{in: assay.Indicator{Engine: "promql", Raw: m.plain(), Failed: failed}}
}

func threshold(m source) reading {
	switch {
	case m.own != "":
		return reading{in: assay.Indicator{Metric: m.own}, threshold: true}
	case m.kind != "prometheus":
		return reading{unmapped: foreign(m.kind), threshold: true}
	}
	return reading{in: assay.Indicator{Engine: "promql", Query: m.plain()}, threshold: true}
}

func foreign(kind string) string {
	return "its metric source is of type " + kind + ", which a run has nothing of; want Prometheus, or assay or the annotation " + MetricAnnotation + " for the run's own requests"
}

// metric reads a metric of v1: {metricSource: {metricSourceRef, type, spec: {query}}}.
func (s *set) metric(n node) source {
	o := n.object("metricSource").need("metricSource", "where it is asked")
	src := o.object("metricSourceRef", "type", "spec")
	if !src.there() {
		return source{}
	}
	kind := src.get("type").text()
	if by := src.get("metricSourceRef"); by.there() {
		if kind == "" {
			if spec, ok := s.lookup(by, "DataSource"); ok {
				kind = spec.object("description", "type", "connectionDetails").get("type").text()
			}
		} else if _, ok := s.known[ref{"DataSource", by.text()}]; ok {
			s.used[ref{"DataSource", by.text()}] = true
		}
	} else if kind == "" {
		src.bad("needs type or metricSourceRef")
	}
	spec := src.need("spec", "with the query")
	return sourceOf(strings.ToLower(kind), spec, "query", "promql", "metric")
}

// sourceOf takes what we know from the free part of a source.
func sourceOf(kind string, spec node, keys ...string) source {
	out := source{kind: kind}
	if !spec.there() {
		return out
	}
	if spec.y.Kind != yaml.MappingNode {
		spec.bad("want a mapping, not %s", kindOf(spec.y))
		return out
	}
	values := map[string]node{}
	for i := 0; i+1 < len(spec.y.Content); i += 2 {
		values[spec.y.Content[i].Value] = node{spec.r, spec.y.Content[i+1], join(spec.path, spec.y.Content[i].Value)}
	}
	switch kind {
	case "assay":
		m, ok := values["metric"]
		if !ok {
			spec.bad("needs metric: %s", strings.Join(metrics, ", "))
			return out
		}
		out.own = m.oneOf(false, metrics...)
	case "prometheus":
		for _, k := range keys {
			if q, ok := values[k]; ok && k != "metric" {
				out.query, out.at = strings.TrimSpace(q.text()), q
			}
		}
		if out.query == "" {
			spec.bad("needs query: in PromQL")
		}
	}
	return out
}

// metrics are what of the run's own requests can be an indicator.
var metrics = []string{"availability", "ttft", "e2e", "tpot"}
