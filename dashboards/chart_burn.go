package dashboards

import (
	"fmt"
	"html/template"
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// maxBurnPlots bounds how many promises are drawn.
const maxBurnPlots = 6

// burnChart draws the burn rates of each promise over both windows of its page, and below them when its alerts would have fired.
func burnChart(id string, r *assay.Report) template.HTML {
	type drawn struct {
		plot   plot
		factor float64
		alerts []*assay.Replay
	}
	var all []drawn
	for i := range r.SLOs {
		s := &r.SLOs[i].SLO
		pair := promrules.Pairs(time.Duration(s.Window))[0]
		d := drawn{plot: plot{title: "Burn rate of " + s.Name, unit: assay.Count}, factor: pageFactor(s)}
		for j, w := range []time.Duration{pair.Short, pair.Long} {
			if name := "slo/burn/" + s.Name + "/" + promrules.Span(w); findSeries(r, name) != nil {
				d.plot.lines = append(d.plot.lines, plotLine{series: name, label: "over " + promrules.Span(w), class: []int{1, 3}[j], dash: []string{"", "dash"}[j]})
			}
		}
		for j := range r.Replays {
			if x := &r.Replays[j]; x.SLO == s.Name {
				d.alerts = append(d.alerts, x)
			}
		}
		if len(d.plot.lines) > 0 && len(all) < maxBurnPlots {
			all = append(all, d)
		}
	}
	if len(all) == 0 || r.End <= r.Begin {
		return ""
	}
	top, height := 2*laneHeight+18, 0.0
	for _, d := range all {
		height += plotHeight + plotGap + float64(len(d.alerts))*laneHeight
	}
	s := newSVG(id, plotWidth, top+height+22, "chart", "Burn rates and alerts", fmt.Sprintf("%d plots over %s on one time axis: how fast each error budget burned, and when its alerts would have fired.", len(all), Duration(seconds(r.End-r.Begin))))
	x := scale{0, seconds(r.End - r.Begin), plotLeft, plotRight}
	bottom := top + height
	lanes(s, r, x, bottom)
	at := top + 22
	for _, d := range all {
		drawPlot(s, r, d.plot, x, at)
		most := 0.0
		for _, l := range d.plot.lines {
			for _, v := range findSeries(r, l.series).Values {
				most = math.Max(most, finite(float64(v)))
			}
		}
		if _, roof := ticks(0, most, 3); d.factor <= roof {
			y := scale{0, roof, at + plotHeight, at}.at(d.factor)
			s.line("goal", plotLeft, y, plotRight, y)
		}
		s.line("goal", plotRight+10, at+plotHeight-14, plotRight+34, at+plotHeight-14)
		s.text("t", "start", plotRight+40, at+plotHeight-10, "page above "+Number(d.factor)+"x in both")
		at += plotHeight + 10
		for _, a := range d.alerts {
			alertLane(s, r, a, x, at)
			at += laneHeight
		}
		at += plotGap - 10
	}
	for _, t := range timeTicks(x.lo, x.hi, 12) {
		s.line("tick", x.at(t), bottom, x.at(t), bottom+4)
		s.text("t", "middle", x.at(t), bottom+16, Duration(t))
	}
	s.text("t", "start", plotRight+8, bottom+16, "since the run began")
	return s.html()
}

// alertLane draws when an alert was pending and when it fired.
func alertLane(s *svg, r *assay.Report, a *assay.Replay, x scale, top float64) {
	rel := func(t int64) float64 { return math.Min(math.Max(x.at(seconds(t-r.Begin)), plotLeft), plotRight) }
	s.text("t", "end", plotLeft-6, top+12, clip(a.Severity, plotLeft-8))
	s.line("grid", plotLeft, top+laneHeight/2, plotRight, top+laneHeight/2)
	for _, in := range a.Pending {
		s.rect("recovering-lane", rel(in.Begin), top+3, rel(in.End)-rel(in.Begin), laneHeight-6, a.Alert+" pending from "+Instant(in.Begin, r.Begin)+" to "+Instant(in.End, r.Begin))
	}
	for i, in := range a.Fired {
		end := "to " + Instant(in.End, r.Begin)
		if a.Open && i == len(a.Fired)-1 {
			end = "on, until the end of the run"
		}
		s.rect("injected-lane", rel(in.Begin), top+3, math.Max(2, rel(in.End)-rel(in.Begin)), laneHeight-6, a.Alert+" ("+a.Severity+") fires from "+Instant(in.Begin, r.Begin)+" "+end)
	}
	said := "would have fired"
	if len(a.Fired) == 0 {
		said = "would not have fired"
	}
	s.text("t", "start", plotRight+10, top+12, said)
}
