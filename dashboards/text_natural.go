package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// natural writes what the service does of itself.
func (p *page) natural() {
	r := p.r
	const label = "NATURAL"
	switch {
	case len(r.Segments) == 0:
		p.para(label, 11, "not measured, because nothing was watched")
		return
	default:
		p.para(label, 11, fmt.Sprintf("%s, %s", watchedFor(r), failuresText(r)))
	}
	subjects := []string{"service", "instance"}
	switch {
	case requestless(r) && !serviceTold(r):
		subjects = subjects[1:]
	case plain(r):
		subjects = subjects[:1]
	}
	for _, s := range subjects {
		mtbf, rate := r.Find("mtbf/"+s), r.Find("failure_rate/"+s)
		if mtbf == nil && rate == nil {
			p.para("", 2, "MTBF/"+s+" not measured, because the run did not count failures of it")
			continue
		}
		var parts []string
		if mtbf != nil {
			parts = append(parts, "MTBF/"+s+" "+Measure(mtbf.Quantity))
		}
		if rate != nil {
			parts = append(parts, "rate "+Measure(rate.Quantity)+confidenceText(rate.Quantity))
		}
		if mtbf != nil && s == "service" {
			if c := cleanTime(mtbf.Quantity); c != "" {
				parts = append(parts, c)
			}
		}
		p.para("", 2, strings.Join(parts, "; "))
		if end := endLine(r, s); end != "" {
			p.para("", 2, end)
		}
	}
	if !requestless(r) || serviceTold(r) {
		p.para("", 2, availabilityLine(r))
	}
	if s := probesLine(r); s != "" {
		p.para("", 2, s)
	}
	for _, s := range naturalLines(r) {
		p.para("", 2, s)
	}
	for _, s := range failuresOfInstances(r) {
		p.para("", 2, s)
	}
}

// endLine says what MTBF and rate of a subject were at the end of the watch, where they changed meanwhile or may have; what precedes it is their mean.
func endLine(r *assay.Report, subject string) string {
	mean, mtbf, rate := r.Find("mtbf/"+subject), r.Find("mtbf/"+subject, "at", "end"), r.Find("failure_rate/"+subject, "at", "end")
	if mean == nil || mtbf == nil || rate == nil || !mtbf.Quantity.Known() || !slices.ContainsFunc(mean.Warnings, ofTrend) {
		return ""
	}
	return fmt.Sprintf("at the end of the watch MTBF/%s %s; rate %s%s by Crow-AMSAA, and above their mean over it", subject, Measure(mtbf.Quantity), Measure(rate.Quantity), confidenceText(rate.Quantity))
}

func confidenceText(q assay.Quantity) string {
	if !q.Bounded() || q.Confidence <= 0 || q.Confidence >= 1 {
		return ""
	}
	return " (" + Percent(math.Round(q.Confidence*1000)/1000) + ")"
}

// monthHours is a round figure for what people ask of an MTBF.
const monthHours = 720

// cleanTime says how long a run without failure would have to be to show a month, when
// this one saw no failure and shows less.
func cleanTime(q assay.Quantity) string {
	if !q.Bounded() || !math.IsInf(q.Hi, 1) || !math.IsNaN(q.Value) || q.Lo >= monthHours*3600 || q.Confidence <= 0 || q.Confidence >= 1 {
		return ""
	}
	return fmt.Sprintf("%d h needs %s clean days", monthHours, Number(math.Ceil(monthHours/24*-math.Log(1-q.Confidence))))
}
