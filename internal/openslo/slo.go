package openslo

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
)

// slo makes what a run can judge of each objective of an SLO.
func (s *set) slo(d *document) {
	base := assay.SLO{Name: d.name, From: d.from(), Labels: words(d.metadata.get("labels"))}
	var o object
	var read reading
	keys := []string{"description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives", "alertPolicies"}
	if !d.v1 {
		keys = []string{"description", "service", "indicator", "timeWindows", "budgetingMethod", "objectives"}
	}
	o = d.spec.object(keys...)
	if !o.there() {
		return
	}
	note := words(d.metadata.get("annotations"))
	service := o.need("service", "that it is of")
	if base.Service = service.text(); base.Service != "" {
		s.used[ref{"Service", base.Service}] = true
	}
	if d.v1 {
		var notes map[string]string
		read, notes = s.indicatorOf(o)
		for k, v := range notes {
			if note == nil {
				note = map[string]string{}
			}
			if _, ok := note[k]; !ok {
				note[k] = v
			}
		}
		s.windowV1(o, &base)
		base.Alerts = s.alerts(o.get("alertPolicies"))
	} else {
		if in := o.get("indicator"); in.there() {
			read = s.indicatorAlpha(in)
		}
		s.windowAlpha(o, &base)
	}
	method := o.get("budgetingMethod")
	if d.v1 {
		method = o.need("budgetingMethod", "Occurrences, Timeslices or RatioTimeslices")
	}
	switch method.oneOf(true, "Occurrences", "Timeslices", "RatioTimeslices") {
	case "Timeslices":
		base.Method = assay.Timeslices
	case "RatioTimeslices":
		base.Method = assay.RatioTimeslices
	}
	list := o.need("objectives", "a list with at least one target").list()
	if o.get("objectives").there() && len(list) == 0 {
		o.get("objectives").bad("is empty; want at least one target")
	}
	for i, n := range list {
		one, reading := base, read
		if len(list) > 1 {
			one.Name = fmt.Sprintf("%s-%d", base.Name, i)
		}
		s.objective(n, d.v1, &one, reading, note[MetricAnnotation], d.metadata)
		s.out.SLOs = append(s.out.SLOs, one)
	}
}

// objective reads one objective into one.
func (s *set) objective(n node, v1 bool, one *assay.SLO, read reading, own string, metadata object) {
	one.From = fmt.Sprintf("%s:%d", n.r.file, n.y.Line)
	keys := []string{"displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow"}
	if !v1 {
		keys = append(keys, "ratioMetrics")
	} else {
		keys = append(keys, "compositeWeight", "indicator", "indicatorRef")
	}
	o := n.object(keys...)
	if !o.there() {
		return
	}
	for _, k := range o.has("indicator", "indicatorRef", "compositeWeight") {
		o.get(k).bad("composite SLOs are not read; write one SLO for each indicator")
	}
	switch given := o.has("target", "targetPercent"); {
	case len(given) != 1:
		o.bad("needs exactly one of target and targetPercent")
	case given[0] == "target":
		one.Target = o.get("target").share(1)
	default:
		one.Target = o.get("targetPercent").share(100)
	}
	if r := o.get("ratioMetrics"); r.there() {
		read = s.ratioAlpha(r)
	}
	if one.Method != assay.Occurrences {
		one.Slice = int64(slice(o.need("timeSliceWindow", "the length of a slice, for example 1m")))
		if one.Slice == 0 {
			one.Slice = int64(time.Minute)
		}
		if one.Method == assay.Timeslices {
			t := o.need("timeSliceTarget", "the share of good events from which on a slice is good")
			if one.SliceTarget = t.number(); t.there() && !(one.SliceTarget > 0 && one.SliceTarget <= 1) {
				t.bad("%g is out of range; more than 0 and at most 1", one.SliceTarget)
			}
		}
	} else if more := o.has("timeSliceWindow", "timeSliceTarget"); len(more) > 0 && v1 {
		o.get(more[0]).bad("belongs to the budgeting methods with slices; leave it out")
	}
	one.Good, one.Unmapped = read.in, read.unmapped
	compared := read.threshold
	if own != "" {
		m := node{n.r, n.y, "metadata.annotations." + MetricAnnotation}
		if !contains(metrics, own) {
			m.bad("%q is unknown; one of availability, ttft, e2e, tpot", own)
			return
		}
		one.Good, one.Unmapped, compared = assay.Indicator{Metric: own}, "", own != "availability"
	}
	if in := &one.Good; in.Metric != "" && compared == (in.Metric == "availability") {
		if compared {
			o.bad("availability is a ratio and has no threshold; want a ratioMetric")
		} else {
			o.bad("%s is a latency and needs a threshold; want a thresholdMetric with op and value", in.Metric)
		}
		return
	}
	if !compared {
		return
	}
	op := o.need("op", "lt, lte, gt or gte").oneOf(false, "lt", "lte", "gt", "gte")
	value := o.need("value", "that the metric is compared with")
	one.Good.Value = value.number()
	one.Good.Op = map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[op]
	if one.Good.Metric != "" {
		if one.Good.Op == ">" || one.Good.Op == ">=" {
			o.get("op").bad("a latency is good up to a value; want lt or lte")
		}
		if value.there() && !(one.Good.Value > 0 && one.Good.Value < 86400) {
			value.bad("%g is out of range; seconds, more than 0 and less than a day", one.Good.Value)
		}
		one.Good.Max = int64(one.Good.Value * 1e9)
		one.Good.Op, one.Good.Value = "", 0
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// slice reads a length that may be a number of minutes.
func slice(n node) time.Duration {
	if !n.there() {
		return 0
	}
	if d, err := parseDuration(n.text()); err == nil {
		return d
	}
	m := n.number()
	if !(m > 0 && m <= 1440) {
		n.bad("want a duration such as 1m, or minutes, at most a day")
		return 0
	}
	return time.Duration(m * float64(time.Minute))
}

// indicatorOf reads indicator or indicatorRef of an SLO of v1, and the annotations of the SLI.
func (s *set) indicatorOf(o object) (reading, map[string]string) {
	switch got := o.has("indicator", "indicatorRef"); {
	case len(got) != 1:
		o.bad("needs exactly one of indicator and indicatorRef")
		return reading{}, nil
	case got[0] == "indicatorRef":
		by := o.get("indicatorRef")
		spec, ok := s.lookup(by, "SLI")
		if !ok {
			return reading{}, nil
		}
		for _, d := range s.docs {
			if d.kind == "SLI" && d.name == by.text() {
				return s.indicatorAgain(spec), words(d.metadata.get("annotations"))
			}
		}
		return s.indicatorAgain(spec), nil
	}
	in := o.get("indicator").object("apiVersion", "kind", "metadata", "spec")
	meta := s.metadata(in.get("metadata"), in.get("metadata").there())
	return s.indicator(in.need("spec", "the SLI")), words(meta.get("annotations"))
}

// indicatorAgain reads an SLI whose mistakes have been told.
func (s *set) indicatorAgain(n node) reading {
	told := len(n.r.errs)
	out := s.indicator(n)
	n.r.errs = n.r.errs[:told]
	return out
}

// alerts reads the alert policies of an SLO.
func (s *set) alerts(n node) (out []assay.BurnAlert) {
	for _, p := range n.list() {
		if spec, name, ok := s.inline(p, "alertPolicyRef", "AlertPolicy"); ok {
			told := len(spec.r.errs)
			out = append(out, s.policy(spec, name)...)
			if _, known := s.known[ref{"AlertPolicy", name}]; known {
				spec.r.errs = spec.r.errs[:told] // they were told where it stands
			}
		}
	}
	return out
}

// windowV1 reads timeWindow.
func (s *set) windowV1(o object, to *assay.SLO) {
	list := o.need("timeWindow", "a list of one window, for example {duration: 30d, isRolling: true}").list()
	if n := o.get("timeWindow"); n.there() && len(list) != 1 {
		n.bad("has %d windows; want one", len(list))
	}
	for _, n := range list[:min(1, len(list))] {
		w := n.object("duration", "isRolling", "calendar")
		d := w.need("duration", "for example 30d")
		to.Window = int64(d.duration())
		if d.there() && to.Window == 0 {
			d.bad("want more than 0")
		}
		s.calendar(w, to)
	}
}

// calendar reads which kind of window it is.
func (s *set) calendar(w object, to *assay.SLO) {
	c := w.get("calendar")
	to.Calendar = c.there()
	rolling := w.get("isRolling")
	if c.there() {
		if rolling.boolean() {
			rolling.bad("a window of the calendar does not roll; leave out one of calendar and isRolling")
		}
		at := c.object("startTime", "timeZone")
		start := at.need("startTime", "for example 2026-01-01 00:00:00")
		if start.there() {
			if _, err := time.Parse(time.DateTime, start.text()); err != nil {
				start.bad("%q is no date with time; write for example 2026-01-01 00:00:00", start.text())
			}
		}
		if zone := at.need("timeZone", "for example America/New_York"); zone.there() {
			if _, err := time.LoadLocation(zone.text()); err != nil {
				zone.bad("%q is no time zone of the IANA data base", zone.text())
			}
		}
	} else if rolling.there() && !rolling.boolean() {
		rolling.bad("a window that does not roll needs calendar")
	}
}
