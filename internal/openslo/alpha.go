package openslo

import (
	"strings"

	"github.com/assay-dev/assay"
)

// What v1alpha writes otherwise: units of windows, and metrics without a source of their own.

var alphaUnits = map[string]string{"Second": "s", "Minute": "m", "Hour": "h", "Day": "d", "Week": "w", "Month": "M", "Quarter": "Q", "Year": "Y"}

// windowAlpha reads timeWindows.
func (s *set) windowAlpha(o object, to *assay.SLO) {
	list := o.need("timeWindows", "a list of one window, for example {unit: Day, count: 30, isRolling: true}").list()
	if n := o.get("timeWindows"); n.there() && len(list) != 1 {
		n.bad("has %d windows; want one", len(list))
	}
	for _, n := range list[:min(1, len(list))] {
		w := n.object("unit", "count", "isRolling", "calendar")
		unit := w.need("unit", "for example Day").oneOf(true, "Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year")
		count := w.need("count", "of units")
		if unit == "" || !count.there() {
			continue
		}
		d, err := parseDuration(count.text() + alphaUnits[unit])
		if to.Window = int64(d); err != nil || d == 0 {
			count.bad("%q is no number of units; want for example 30", count.text())
		}
		s.calendar(w, to)
	}
}

// metricAlpha reads {source, queryType, query, metadata}.
func (s *set) metricAlpha(n node) source {
	o := n.object("source", "queryType", "query", "metadata")
	if !o.there() {
		return source{}
	}
	kind := strings.ToLower(o.need("source", "for example prometheus").text())
	query := o.need("query", "what is asked")
	if kind == "assay" {
		return source{kind: kind, own: query.oneOf(false, metrics...)}
	}
	if strings.EqualFold(o.get("queryType").text(), "promql") {
		kind = "prometheus"
	}
	return source{kind: kind, query: strings.TrimSpace(query.text()), at: query}
}

// indicatorAlpha reads the indicator of an SLO.
func (s *set) indicatorAlpha(n node) reading {
	o := n.object("thresholdMetric")
	return threshold(s.metricAlpha(o.need("thresholdMetric", "what is compared")))
}

// ratioAlpha reads the ratioMetrics of an objective.
func (s *set) ratioAlpha(n node) reading {
	r := n.object("incremental", "counter", "good", "bad", "total")
	return s.ratio(r, r.get("incremental").boolean() || r.get("counter").boolean(), s.metricAlpha)
}
