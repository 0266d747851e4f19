package dashboards

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// The time line: several plots over one time axis, with the phases of the load and the
// windows of the faults drawn through all of them.

// A plotLine is one line of a plot. Class is 1 to 8 of the page's palette and dash its line style, so
// that lines can be told apart without colour.
type plotLine struct {
	series string // name in Report.Series
	label  string
	class  int
	dash   string // "" or "dash"
	area   bool
}

type plot struct {
	title     string
	unit      assay.Unit
	simulated bool
	goal      string // metric whose objective draws a goal line
	most      float64
	lines     []plotLine
}

var timelinePlots = []plot{
	{title: "Requests per second", unit: assay.PerSecond, lines: []plotLine{{"requests/ok", "ok", 4, "", true}, {"requests/failed", "failed", 2, "", true}, {"requests/throttled", "throttled", 5, "dash", false}, {"requests/refused", "refused", 3, "dash", false}}},
	{title: "Time to first token", unit: assay.Seconds, goal: "ttft/p95", lines: []plotLine{{"ttft/p95", "p95", 1, "", false}, {"ttft/p50", "p50", 6, "dash", false}}},
	{title: "End to end", unit: assay.Seconds, goal: "e2e/p95", lines: []plotLine{{"e2e/p95", "p95", 5, "", false}}},
	{title: "Requests in flight and waiting", unit: assay.Count, lines: []plotLine{{"in_flight", "in flight", 1, "", true}, {"queue/waiting", "waiting in engines", 3, "dash", false},
		{"generator/users", "users of the generator", 5, "dash", false}}},
	{title: "Instances", unit: assay.Count, lines: []plotLine{{"instances/ready", "ready", 4, "", true}, {"instances/desired", "desired", 7, "dash", false}}},
	{title: "Accelerator busy", unit: assay.Ratio, most: 1, simulated: true, lines: []plotLine{{"gpu/busy", "busy", 5, "", true}}},
	{title: "KV cache in use", unit: assay.Ratio, most: 1, lines: []plotLine{{"kv/usage", "in use", 6, "", true}}},
}

const (
	plotWidth  = 1080.0
	plotLeft   = 62.0
	plotRight  = 918.0 // legends stand right of it
	plotHeight = 92.0
	plotGap    = 36.0
	laneHeight = 20.0
)

func findSeries(r *assay.Report, name string) *assay.Series {
	for i := range r.Series {
		if s := &r.Series[i]; s.Name == name && len(s.Times) == len(s.Values) && len(s.Times) > 0 {
			return s
		}
	}
	return nil
}

// timeline draws every plot that has data, and says which plots have none.
func timeline(id string, r *assay.Report) (drawing template.HTML, missing []string) {
	var plots []plot
	for _, p := range timelinePlots {
		any := false
		for _, l := range p.lines {
			any = any || findSeries(r, l.series) != nil
		}
		if any {
			plots = append(plots, p)
		} else {
			missing = append(missing, p.title)
		}
	}
	if len(plots) == 0 || r.End <= r.Begin {
		return "", missing
	}
	top := 2*laneHeight + 18
	height := top + float64(len(plots))*(plotHeight+plotGap) + 22
	s := newSVG(id, plotWidth, height, "chart", "Time line of the run", fmt.Sprintf("%d plots over %s on one time axis, with %s of load and %s.",
		len(plots), length(r), Things(len(r.Phases), "phases"), Things(len(r.Faults), "injected faults")))
	x := scale{0, seconds(r.End - r.Begin), plotLeft, plotRight}
	bottom := top + float64(len(plots))*(plotHeight+plotGap) - plotGap + 22
	lanes(s, r, x, bottom)
	noteMarks(s, r, x, bottom)
	for i, p := range plots {
		drawPlot(s, r, p, x, top+22+float64(i)*(plotHeight+plotGap))
	}
	for _, t := range timeTicks(x.lo, x.hi, 12) {
		s.line("tick", x.at(t), bottom, x.at(t), bottom+4)
		s.text("t", "middle", x.at(t), bottom+16, Duration(t))
	}
	s.text("t", "start", plotRight+8, bottom+16, "since the run began")
	hover(s, r, plots, x, top, bottom)
	return s.html(), missing
}

// lanes draws the phases and the faults, and the faults' windows down to bottom.
func lanes(s *svg, r *assay.Report, x scale, bottom float64) {
	rel := func(t int64) float64 { return math.Min(math.Max(x.at(seconds(t-r.Begin)), plotLeft), plotRight) }
	s.text("t", "end", plotLeft-6, 14, "phase")
	for _, p := range r.Phases {
		a, b := rel(p.Begin), rel(p.End)
		label := p.Name
		if string(p.Role) != p.Name {
			label += " (" + string(p.Role) + ")"
		}
		if p.Rate > 0 {
			label += " " + In(p.Rate, assay.PerSecond)
		}
		s.rect("phase phase-"+roleClass(p.Role), a, 1, b-a-1, laneHeight-3, fmt.Sprintf("%s, %s to %s", label, Instant(p.Begin, r.Begin), Instant(p.End, r.Begin)))
		s.text("t", "start", a+4, 14, clip(label, b-a-6))
	}
	s.text("t", "end", plotLeft-6, laneHeight+15, "faults")
	for i, f := range r.Faults {
		w := f.Window
		if w.Applied == 0 {
			continue
		}
		gone, well := regions(r, f)
		a, b, c := rel(w.Applied), rel(gone), rel(well)
		b = math.Max(b, a+2) // an instant of harm stays visible
		name := fmt.Sprintf("%d %s", i+1, w.Kind)
		if c > b {
			s.rect("recovering", b, laneHeight+1, c-b, bottom-laneHeight-1, name+": recovering until "+Instant(well, r.Begin))
			s.rect("recovering-lane", b, laneHeight+1, c-b, laneHeight-3, "")
		}
		s.rect("injected", a, laneHeight+1, b-a, bottom-laneHeight-1, fmt.Sprintf("%s on %s: in force %s to %s", name, w.Target, Instant(w.Applied, r.Begin), Instant(gone, r.Begin)))
		s.rect("injected-lane", a, laneHeight+1, b-a, laneHeight-3, "")
		room := plotRight - a
		if i+1 < len(r.Faults) && r.Faults[i+1].Window.Applied > w.Applied {
			room = rel(r.Faults[i+1].Window.Applied) - a
		}
		if t := clip(name, (room-6)*0.88); t != "" {
			s.rect("plate", a+3, laneHeight+3, float64(len([]rune(t)))*glyph+3, laneHeight-7, "")
			s.text("t strong", "start", a+5, laneHeight+14, t)
		}
	}
	s.rect("injected-lane", plotRight+10, laneHeight+3, 14, 12, "")
	s.text("t", "start", plotRight+28, laneHeight+14, "injected")
	s.rect("recovering-lane", plotRight+82, laneHeight+3, 14, 12, "")
	s.text("t", "start", plotRight+100, laneHeight+14, "recovering")
}

// regions returns the end of the stretch in which a fault was in force, from when it was applied, and the end of that in which its users recovered
// after it: the same as gone if they were well before.
func regions(r *assay.Report, f assay.FaultResult) (gone, well int64) {
	w := f.Window
	gone = cmp.Or(w.Reverted, w.Clear, r.End)
	switch {
	case f.User.Known() && f.User.Value > 0:
		well = w.Applied + int64(f.User.Value*1e9)
	case f.State == assay.Unrecovered:
		well = r.End
	}
	return gone, max(gone, well)
}

func roleClass(role assay.Role) string {
	switch role {
	case assay.RoleWarmup, assay.RoleSteady, assay.RoleStress, assay.RoleIdle:
		return string(role)
	case assay.RoleCold:
		return string(assay.RoleIdle)
	}
	return "steady"
}

// goalOf returns the upper goal of metric among the objectives without a fault or phase of their own.
func goalOf(r *assay.Report, metric string) (float64, bool) {
	for _, j := range r.Objectives {
		if j.Objective.Metric == metric && j.Objective.Max != nil && j.Objective.Labels["cold"] == "" {
			return *j.Objective.Max, true
		}
	}
	return 0, false
}

func drawPlot(s *svg, r *assay.Report, p plot, x scale, top float64) {
	title := p.title
	s.text("t strong", "start", plotLeft, top-7, title)
	if p.simulated && len(r.Simulated) > 0 {
		w := float64(len(title))*glyph*1.08 + 10
		s.rect("badge", plotLeft+w, top-17, 68, 13, "")
		s.text("t badge-text", "middle", plotLeft+w+34, top-7, "SIMULATED")
	}
	most := p.most
	for _, l := range p.lines {
		if sr := findSeries(r, l.series); sr != nil {
			for i, v := range sr.Values {
				most = math.Max(most, finite(float64(v)))
				if len(sr.Hi) == len(sr.Values) {
					most = math.Max(most, finite(float64(sr.Hi[i])))
				}
			}
		}
	}
	goal, hasGoal := goalOf(r, p.goal)
	if hasGoal && goal < most*20 {
		most = math.Max(most, goal*1.1)
	}
	vals, roof := ticks(0, most, 3)
	if p.most > 0 && most <= p.most {
		vals, roof = []float64{0, p.most / 2, p.most}, p.most
	}
	y := scale{0, roof, top + plotHeight, top}
	for _, v := range vals {
		s.line("grid", plotLeft, y.at(v), plotRight, y.at(v))
		s.text("t", "end", plotLeft-6, y.at(v)+4, In(v, p.unit))
	}
	row := 0
	for _, l := range p.lines {
		sr := findSeries(r, l.series)
		if sr == nil {
			continue
		}
		drawLine(s, r, sr, l, x, y)
		ly := top + 12 + float64(row)*17
		s.line(fmt.Sprintf("l l%d %s", l.class, l.dash), plotRight+10, ly-4, plotRight+34, ly-4)
		s.text("t", "start", plotRight+40, ly, l.label)
		row++
	}
	if hasGoal && goal <= roof {
		s.line("goal", plotLeft, y.at(goal), plotRight, y.at(goal))
		ly := top + 12 + float64(row)*17
		s.line("goal", plotRight+10, ly-4, plotRight+34, ly-4)
		s.text("t", "start", plotRight+40, ly, "goal p95 ≤"+In(goal, p.unit))
	}
}

func drawLine(s *svg, r *assay.Report, sr *assay.Series, l plotLine, x, y scale) {
	n := len(sr.Times)
	xs, ys := make([]float64, n), make([]float64, n)
	for i := range sr.Times {
		xs[i] = math.Min(math.Max(x.at(seconds(sr.Times[i]-r.Begin)), plotLeft), plotRight)
		ys[i] = y.at(float64(sr.Values[i]))
	}
	if len(sr.Lo) == n && len(sr.Hi) == n {
		lo, hi := make([]float64, n), make([]float64, n)
		for i := range lo {
			lo[i], hi[i] = y.at(float64(sr.Lo[i])), y.at(float64(sr.Hi[i]))
		}
		s.path(fmt.Sprintf("band f%d", l.class), bandPath(xs, lo, hi))
	}
	end := plotRight
	if n > 1 {
		end = math.Min(plotRight, xs[n-1]+(xs[n-1]-xs[n-2]))
	}
	class := fmt.Sprintf("l l%d %s", l.class, l.dash)
	switch sr.Kind {
	case "step":
		if l.area {
			s.path(fmt.Sprintf("area f%d", l.class), areaPath(xs, ys, end, y.from))
		}
		s.path(class, stepPath(xs, ys, end))
	case "scatter":
		for i := range xs {
			if !math.IsNaN(ys[i]) {
				s.circle(fmt.Sprintf("dot f%d", l.class), xs[i], ys[i], 2)
			}
		}
	default:
		if l.area {
			base := make([]float64, n)
			for i := range base {
				base[i] = y.from
			}
			s.path(fmt.Sprintf("area f%d", l.class), bandPath(xs, base, ys))
		}
		s.path(class, linePath(xs, ys))
	}
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// hover lays columns without colour over the plots; pointing at one shows all values of its instant.
func hover(s *svg, r *assay.Report, plots []plot, x scale, top, bottom float64) {
	const most = 240
	var base *assay.Series
	for _, p := range plots {
		for _, l := range p.lines {
			if sr := findSeries(r, l.series); sr != nil && (base == nil || len(sr.Times) > len(base.Times)) {
				base = sr
			}
		}
	}
	if base == nil || len(base.Times) < 2 {
		return
	}
	stride := (len(base.Times) + most - 1) / most
	s.b.WriteString(`<g class="hover" aria-hidden="true">`)
	for i := 0; i < len(base.Times); i += stride {
		t := base.Times[i]
		next := r.End
		if i+stride < len(base.Times) {
			next = base.Times[i+stride]
		}
		var parts []string
		for _, p := range plots {
			for _, l := range p.lines {
				if v, ok := valueAt(findSeries(r, l.series), t); ok {
					parts = append(parts, fmt.Sprintf("%s, %s: %s", p.title, l.label, In(v, p.unit)))
				}
			}
		}
		a, b := math.Max(x.at(seconds(t-r.Begin)), plotLeft), math.Min(x.at(seconds(next-r.Begin)), plotRight)
		if b > a && len(parts) > 0 {
			s.rect("h", a, top, b-a, bottom-top, Instant(t, r.Begin)+"\n"+strings.Join(parts, "\n"))
		}
	}
	s.b.WriteString(`</g>`)
}

// valueAt returns the last value at or before t.
func valueAt(s *assay.Series, t int64) (float64, bool) {
	if s == nil {
		return 0, false
	}
	lo, hi := 0, len(s.Times)
	for lo < hi {
		if m := (lo + hi) / 2; s.Times[m] <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 || math.IsNaN(float64(s.Values[lo-1])) {
		return 0, false
	}
	return float64(s.Values[lo-1]), true
}
