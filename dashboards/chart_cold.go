package dashboards

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/assay-dev/assay"
)

// maxStarts bounds the rows of the cold-start drawing; the slowest are kept.
const maxStarts = 24

// coldGantt draws each start as a row of its phases from its begin to its end. What
// no phase covers shows as the hatched ground of the row: the unattributed remainder.
func coldGantt(id string, starts []assay.Start) (drawing template.HTML, left int) {
	if len(starts) == 0 {
		return "", 0
	}
	shown := slices.Clone(starts)
	if len(shown) > maxStarts {
		slices.SortStableFunc(shown, func(a, b assay.Start) int { return cmp.Compare(endOf(&b), endOf(&a)) })
		left = len(shown) - maxStarts
		shown = shown[:maxStarts]
		slices.SortStableFunc(shown, func(a, b assay.Start) int { return cmp.Compare(a.Begin, b.Begin) })
	}
	var names []string
	most := 0.0
	for _, st := range shown {
		most = math.Max(most, endOf(&st))
		for _, p := range st.Phases {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	names = append(names, "unattributed")
	vals, roof := ticks(0, most, 7)
	top := float64(legendLines(names, barLeft, plotWidth))*20 + 8
	bottom := top + float64(len(shown))*barPitch
	s := newSVG(id, plotWidth, bottom+22, "chart", "Cold starts by phase", fmt.Sprintf("%s, the longest %s. Each row runs from what called for the instance to its readiness, or to the first token of a request that waited for it.",
		Things(len(shown), "starts"), Duration(most)))
	legend(s, names, barLeft, 12, plotWidth)
	x := scale{0, roof, barLeft, barRight}
	for _, v := range vals {
		s.line("grid", x.at(v), top, x.at(v), bottom)
		s.text("t", "middle", x.at(v), bottom+15, Duration(v))
	}
	for i, st := range shown {
		y := top + float64(i)*barPitch + 5
		sub := words(st.Reason)
		if st.Ledger == assay.Injected {
			sub += ", after a fault"
		}
		if st.Forced {
			sub += ", forced"
		}
		s.text("t strong", "end", barLeft-8, y+10, clip(st.Instance, barLeft-34))
		s.text("t", "end", barLeft-8, y+23, clip(sub, barLeft-12))
		end := endOf(&st)
		s.rect("bar f8", x.at(0), y, x.at(end)-x.at(0), 24, "")
		s.rect("pat p8", x.at(0), y, x.at(end)-x.at(0), 24, "unattributed "+Duration(st.Unattributed))
		for _, p := range st.Phases {
			a, b := x.at(math.Max(0, seconds(p.Begin-st.Begin))), x.at(seconds(p.End-st.Begin))
			c := classOf(p.Name)
			said := words(p.Name) + " " + Duration(seconds(p.End-p.Begin))
			s.rect(fmt.Sprintf("bar solid f%d", c), a, y, b-a, 24, said)
			s.rect(fmt.Sprintf("pat p%d", c), a, y, b-a, 24, said)
			if t := Duration(seconds(p.End - p.Begin)); b-a > float64(len([]rune(t)))*glyph+8 {
				w := float64(len([]rune(t)))*glyph + 6
				s.rect("plate", (a+b)/2-w/2, y+5, w, 14, "")
				s.text("t", "middle", (a+b)/2, y+16, t)
			}
		}
		s.text("t strong", "start", x.at(end)+6, y+16, clip(fmt.Sprintf("%s, held %d", Duration(end), st.Held), plotWidth-x.at(end)-6))
	}
	return s.html(), left
}

func lengthOf(s assay.Start) float64 {
	if s.Total.Known() && !math.IsNaN(s.Total.Value) {
		return s.Total.Value
	}
	end := 0.0
	for _, p := range s.Phases {
		end = math.Max(end, seconds(p.End-s.Begin))
	}
	return end
}

// ecdf draws the distribution of the time to first token of warm and of cold requests.
func ecdf(id string, r *assay.Report) template.HTML {
	type curve struct {
		label string
		class string
		xs    []float64
		ys    []float64
	}
	var curves []curve
	most := 0.0
	for _, c := range []struct{ name, label, class string }{{"ttft/ecdf/warm", "warm", "l l1"}, {"ttft/ecdf/cold", "cold", "l l2 dash"}} {
		for i := range r.Series {
			s := &r.Series[i]
			if s.Name != c.name || len(s.Values) == 0 || len(s.Lo) != len(s.Values) {
				continue
			}
			cv := curve{label: c.label, class: c.class}
			for k := range s.Values {
				cv.xs = append(cv.xs, float64(s.Values[k]))
				cv.ys = append(cv.ys, float64(s.Lo[k]))
				most = math.Max(most, finite(float64(s.Values[k])))
			}
			curves = append(curves, cv)
		}
	}
	if len(curves) == 0 {
		return ""
	}
	goal, hasGoal := goalOf(r, "ttft/p95")
	if hasGoal && goal < most*20 {
		most = math.Max(most, goal*1.1)
	}
	const w, h = 540.0, 250.0
	s := newSVG(id, w, h, "chart half", "Distribution of the time to first token", "Share of requests that had their first token within the time on the horizontal axis, warm and cold apart.")
	vals, roof := ticks(0, most, 6)
	x, y := scale{0, roof, 48, w - 24}, scale{0, 1, h - 24, 30}
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		s.line("grid", x.from, y.at(v), x.to, y.at(v))
		s.text("t", "end", x.from-6, y.at(v)+4, Percent(v))
	}
	for _, v := range vals {
		s.line("tick", x.at(v), y.from, x.at(v), y.from+4)
		s.text("t", "middle", x.at(v), y.from+16, Duration(v))
	}
	lx := x.from
	for _, c := range curves {
		xs, ys := []float64{x.from}, []float64{y.from}
		for i := range c.xs {
			xs, ys = append(xs, x.at(c.xs[i])), append(ys, y.at(c.ys[i]))
		}
		s.path(c.class, stepPath(xs, ys, x.to))
		s.line(c.class, lx, 12, lx+24, 12)
		s.text("t", "start", lx+30, 16, c.label)
		lx += 44 + float64(len(c.label))*glyph
	}
	if hasGoal && goal <= roof {
		s.line("goal", x.at(goal), y.from, x.at(goal), y.to)
		s.line("goal", lx, 12, lx+24, 12)
		s.text("t", "start", lx+30, 16, "goal p95 ≤"+Duration(goal))
	}
	return s.html()
}
