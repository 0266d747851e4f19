package dashboards

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// slos writes what the run did to the budget of each promise.
func (p *page) slos() {
	for i := range p.r.SLOs {
		x := &p.r.SLOs[i]
		p.para("SLO", 11, sloTitle(x))
		for _, s := range sloLines(x) {
			p.para("", 2, s)
		}
	}
}

func (m *markdown) slos() {
	if len(m.r.SLOs) == 0 {
		return
	}
	m.printf("### Error budgets\n\n")
	for i := range m.r.SLOs {
		x := &m.r.SLOs[i]
		m.printf("* **%s**\n", mdText(sloTitle(x)))
		for _, s := range sloLines(x) {
			m.printf("  * %s\n", mdText(s))
		}
	}
	m.printf("\n")
}

// sloTitle says what is promised.
func sloTitle(x *assay.SLOResult) string {
	s := &x.SLO
	what := "good events"
	switch {
	case s.Good.Metric == "availability":
		what = "of requests served"
	case s.Good.Own():
		what = "of requests with " + s.Good.Metric + " ≤ " + Duration(seconds(s.Good.Max))
	}
	title := fmt.Sprintf("%s: %s %s over %s", s.Name, Percent(s.Target), what, budgetWindow(s.Window))
	if s.Calendar {
		title += " by the calendar"
	}
	switch s.Method {
	case assay.Timeslices:
		title += fmt.Sprintf(", by slices of %s that are %s good", Duration(seconds(s.Slice)), Percent(s.SliceTarget))
	case assay.RatioTimeslices:
		title += ", as the mean of slices of " + Duration(seconds(s.Slice))
	}
	return title
}

// budgetWindow writes a window of a budget.
func budgetWindow(ns int64) string {
	d := time.Duration(ns)
	if d%(24*time.Hour) == 0 {
		return Things(int(d/(24*time.Hour)), "days")
	}
	return Duration(d.Seconds())
}

// sloLines tell what became of a budget.
func sloLines(x *assay.SLOResult) []string {
	if !x.Burn.Known() {
		return []string{x.Burn.Reason}
	}
	out := []string{"spent " + Measure(x.Spent) + restsToo(x.Spent, x.Burn) + " of the budget in " + sloLength(x) + "; burn rate " + times(x.Burn) + rests(x.Burn)}
	if s := worstBurns(x); s != "" {
		out = append(out, s)
	}
	if s := spentOn(x); s != "" {
		out = append(out, s)
	}
	if x.Lasts.Known() {
		out = append(out, "by itself a whole budget lasts "+Measure(x.Lasts)+rests(x.Lasts))
	} else {
		out = append(out, "how long a budget lasts by itself: "+x.Lasts.Reason)
	}
	return append(out, x.Doubts...)
}

// sloLength is the length of the run, which the share that was spent was computed by.
func sloLength(x *assay.SLOResult) string {
	if x.Burn.Value > 0 {
		return Duration(x.Spent.Value / x.Burn.Value * seconds(x.SLO.Window))
	}
	return "this run"
}

// times writes a burn rate with its interval.
func times(q assay.Quantity) string {
	if !q.Known() {
		return q.Reason
	}
	s := Number(q.Value) + "x"
	if q.Confidence < 1 {
		s += " [" + Number(q.Lo) + ".." + Number(q.Hi) + "]"
	}
	return s
}

// worstBurns writes the highest burn rates; a window longer than the run shows what there was.
func worstBurns(x *assay.SLOResult) string {
	var parts []entry
	for _, b := range x.Worst {
		if b.Rate.Known() {
			s := promrules.Span(time.Duration(b.Window)) + " " + times(b.Rate)
			if strings.Contains(b.Rate.Method, "shorter") {
				s += " (over all of the run, which is shorter)"
			}
			parts = append(parts, entry{s, b.Rate})
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "at worst over " + listed(parts, ", ")
}

// spentOn writes what the budget was spent on.
func spentOn(x *assay.SLOResult) string {
	var parts []string
	for _, c := range x.Causes {
		share := c.Ratio.Value / x.Spent.Value
		if math.IsNaN(share) {
			continue
		}
		text := c.Name + " " + Percent(roundTo(share, 3))
		text += " (" + NText(c.Ratio)
		if len(c.Evidence) > 0 {
			text += ": " + words(strings.Join(c.Evidence, "; "))
		}
		text += ")"
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return "spent on " + strings.Join(parts, ", ")
}

func roundTo(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// sloBox is one promise of the page.
type sloBox struct {
	Title string
	Lines []string
}

func (v *view) slos(r *assay.Report) {
	for i := range r.SLOs {
		v.SLOs = append(v.SLOs, sloBox{sloTitle(&r.SLOs[i]), sloLines(&r.SLOs[i])})
	}
}
