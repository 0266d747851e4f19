package dashboards

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// cold writes what starting an instance costs and where the time goes.
func (p *page) cold() {
	p.para("COLD", 11, coldLine(p.r))
	for _, t := range timelines(p.r) {
		p.para("", 2, t.said())
	}
	for _, s := range startDoubts(p.r) {
		p.para("", 2, "doubt: "+s)
	}
}

func coldLine(r *assay.Report) string { return startsLine(r) + coldRequests(r) + coldCost(r) }

// coldRequests says what the cold requests of a recording took: LATENCY speaks of those that were warm, and nobody forced a start whose wait would tell.
func coldRequests(r *assay.Report) string {
	f := r.Find("e2e/p50", "cold", "cold")
	if !recording(r) || f == nil || f.Quantity.N == 0 {
		return ""
	}
	s := "; " + Things(f.Quantity.N, "cold requests") + ": E2E"
	for i, m := range []string{"p50", "max"} {
		if f := r.Find("e2e/"+m, "cold", "cold"); f != nil && f.Quantity.Known() {
			s += strings.Repeat(",", min(i, 1)) + " " + m + " " + Measure(f.Quantity)
		}
	}
	return s
}

func startsLine(r *assay.Report) string {
	if len(r.Starts) == 0 {
		s := reasonOf(r, "cold/start/worst", "not measured, because no instance started in the run")
		if f := r.Find("cold/forced", "forced", "true"); f != nil { // only the requests tell
			s = Things(f.Quantity.N, "forced starts") + waitText(r) + "; starts of instances " + s
		}
		if f := r.Find("cold/share", "of", "requests"); coldKnown(r) && f.Quantity.Value > 0 {
			s = "cold were " + Measure(f.Quantity) + " of " + Things(f.Quantity.N, "requests") + "; starts of instances " + s
		}
		return s
	}
	var natural, forced []assay.Start
	for _, st := range r.Starts {
		if st.Forced {
			forced = append(forced, st)
		} else {
			natural = append(natural, st)
		}
	}
	switch {
	case len(forced) == 0:
		return startsText(r, natural, "")
	case len(natural) == 0:
		return startsText(r, forced, "forced ") + waitText(r)
	}
	return startsText(r, natural, "") + "; " + startsText(r, forced, "forced ") + waitText(r)
}

// waitText says how long those waited who forced cold starts.
func waitText(r *assay.Report) string {
	s := ""
	for _, m := range []struct{ metric, word string }{{"cold/wait/p50", "median"}, {"cold/wait/worst", "worst"}} {
		if f := r.Find(m.metric, "forced", "true"); f != nil && f.Quantity.Known() {
			s += ", " + m.word + " " + Measure(f.Quantity)
		}
	}
	if s != "" {
		s = "; first token" + s
	}
	if f := r.Find("cold/failed", "forced", "true"); f != nil && f.Quantity.Known() && f.Quantity.Value > 0 {
		s += "; " + of(f.Quantity) + " not served"
	}
	return s
}

// startsText sums up natural or forced starts.
func startsText(r *assay.Report, starts []assay.Start, kind string) string {
	var labels []string
	if kind != "" {
		labels = []string{"forced", "true"}
	}
	parts, total, held := coldParts(starts)
	s := fmt.Sprintf("%s held %s", Things(len(starts), kind+"starts"), Things(held, "requests"))
	if requestless(r) {
		s = Things(len(starts), kind+"starts")
	}
	if f := r.Find("idle/gap"); kind == "" && f != nil && f.Quantity.Known() && !math.IsInf(f.Quantity.Hi, 1) {
		s += ", to zero after " + Measure(f.Quantity) + " idle" + rests(f.Quantity)
	}
	if f := r.Find("cold/start/p50", labels...); f != nil && f.Quantity.Known() {
		s += ", median " + Measure(f.Quantity)
	}
	if f := r.Find("cold/start/worst", labels...); f != nil && f.Quantity.Known() {
		s += ", worst " + Measure(f.Quantity)
	}
	if total <= 0 {
		return s + "; phases not measured, because no start told them"
	}
	var names []string
	for i, part := range parts {
		n := percent(roundShare(part.Seconds / total))
		if i == 0 {
			n += " %"
		}
		names = append(names, words(part.Name)+" "+n)
	}
	return s + ": " + strings.Join(names, " · ")
}
