package dashboards

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// palette gives the names that views draw most a colour and a pattern of their own; the same name looks
// the same in every drawing.
var palette = map[string]int{
	"detect": 3, "isolate": 5, "restore": 1, "recover": 1,
	"decide": 3, "provision": 1, "serve": 4,
	"compute": 1, "memory": 5, "storage": 7, "network": 6, "concurrency": 3, "cold_start": 2, "unexplained": 8,
	"schedule": 3, "image_pull": 7, "runtime_start": 5, "weights_fetch": 1, "weights_load": 6, "compile": 2, "warmup": 4, "readiness": 9, "first_token": 10,
	"unattributed": 8, "queue": 3, "prefill": 6, "decode": 1,
}

// classOf returns the palette class of a name, 1 to 10.
func classOf(name string) int {
	if c, ok := palette[name]; ok {
		return c
	}
	sum := 0
	for i := range len(name) {
		sum = (sum*31 + int(name[i])) % 7
	}
	return 1 + sum
}

type barPart struct {
	name  string
	value float64
	text  string // said when pointed at
}

type barRow struct {
	label, sub string
	parts      []barPart
	end        string // written after the bar
}

const (
	barLeft  = 190.0
	barRight = 940.0
	barPitch = 34.0
)

// bars draws stacked horizontal bars over one scale, with a legend in the order of first use.
func bars(id, title, desc string, unit assay.Unit, rows []barRow, most float64) template.HTML {
	var names []string
	for _, row := range rows {
		sum := 0.0
		for _, p := range row.parts {
			sum += p.value
			if !slices.Contains(names, p.name) && p.value > 0 {
				names = append(names, p.name)
			}
		}
		most = math.Max(most, sum)
	}
	vals, roof := ticks(0, most, 6)
	if unit == assay.Ratio && most <= 1.0001 {
		vals, roof = []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, 1
	}
	legendRows := legendLines(names, barLeft, plotWidth)
	top := float64(legendRows)*20 + 8
	bottom := top + float64(len(rows))*barPitch
	s := newSVG(id, plotWidth, bottom+22, "chart", title, desc)
	legend(s, names, barLeft, 12, plotWidth)
	x := scale{0, roof, barLeft, barRight}
	for _, v := range vals {
		s.line("grid", x.at(v), top, x.at(v), bottom)
		s.text("t", "middle", x.at(v), bottom+15, In(v, unit))
	}
	for i, row := range rows {
		y := top + float64(i)*barPitch + 5
		if row.sub == "" {
			s.text("t strong", "end", barLeft-8, y+16, clip(row.label, barLeft-34))
		} else {
			s.text("t strong", "end", barLeft-8, y+10, clip(row.label, barLeft-34))
			s.text("t", "end", barLeft-8, y+23, clip(row.sub, barLeft-12))
		}
		at := 0.0
		for _, p := range row.parts {
			if !(p.value > 0) {
				continue
			}
			a, b := x.at(at), x.at(at+p.value)
			c := classOf(p.name)
			s.rect(fmt.Sprintf("bar f%d", c), a, y, b-a, 24, p.text)
			s.rect(fmt.Sprintf("pat p%d", c), a, y, b-a, 24, p.text)
			if t := In(p.value, unit); b-a > float64(len([]rune(t)))*glyph+8 {
				w := float64(len([]rune(t)))*glyph + 6
				s.rect("plate", (a+b)/2-w/2, y+5, w, 14, "")
				s.text("t", "middle", (a+b)/2, y+16, t)
			}
			at += p.value
		}
		s.text("t strong", "start", x.at(at)+6, y+16, clip(row.end, plotWidth-x.at(at)-6))
	}
	return s.html()
}

func legendWidth(name string) float64 { return 26 + float64(len([]rune(words(name))))*glyph*1.1 + 14 }

func legendLines(names []string, left, right float64) int {
	n, x := 1, left
	for _, name := range names {
		if x+legendWidth(name) > right && x > left {
			n, x = n+1, left
		}
		x += legendWidth(name)
	}
	return n
}

func legend(s *svg, names []string, left, y, right float64) {
	x := left
	for _, name := range names {
		w := legendWidth(name)
		if x+w > right && x > left {
			x, y = left, y+20
		}
		c := classOf(name)
		s.rect(fmt.Sprintf("bar f%d", c), x, y-10, 20, 12, "")
		s.rect(fmt.Sprintf("pat p%d", c), x, y-10, 20, 12, "")
		s.text("t", "start", x+26, y, clip(words(name), right-x-26))
		x += w
	}
}

// miniBar is a stacked bar for a table cell: shares of one whole, names on pointing.
func miniBar(id string, parts []assay.Share) template.HTML {
	total := 0.0
	var said []string
	for _, p := range parts {
		total += math.Max(0, finite(p.Seconds))
	}
	if total <= 0 {
		return ""
	}
	for _, p := range parts {
		said = append(said, words(p.Name)+" "+Percent(roundShare(p.Seconds/total)))
	}
	s := newSVG(id, 150, 14, "mini", "Where the time went", strings.Join(said, ", "))
	x := 0.0
	for i, p := range parts {
		w := math.Max(0, p.Seconds) / total * 150
		c := classOf(p.Name)
		s.rect(fmt.Sprintf("bar f%d", c), x, 1, w, 12, said[i])
		s.rect(fmt.Sprintf("pat p%d", c), x, 1, w, 12, said[i])
		x += w
	}
	return s.html()
}

// goalPlot draws an interval against its goal, for a table cell: the allowed side is shaded, a bar is the
// interval, a dot the value, a notch the goal. An open side ends in an arrow.
func goalPlot(id string, j assay.Judgement) template.HTML {
	q, o := j.Quantity, j.Objective
	if !q.Bounded() || (o.Min == nil && o.Max == nil) {
		return ""
	}
	const w, h, pad = 150.0, 22.0, 6.0
	lo, hi := math.Inf(1), math.Inf(-1)
	add := func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	add(q.Value)
	add(q.Lo)
	add(q.Hi)
	if o.Min != nil {
		add(*o.Min)
	}
	if o.Max != nil {
		add(*o.Max)
	}
	span := math.Max(hi-lo, math.Abs(hi)*1e-6)
	if lo > 0 && lo < 3*span {
		lo = 0
	} else if lo != 0 {
		lo -= span * 0.15
	}
	hi += span * 0.15
	if q.Unit == assay.Ratio {
		lo, hi = math.Max(lo, 0), math.Min(hi, math.Max(1, q.Hi))
	}
	x := scale{lo, hi, pad, w - pad}
	s := newSVG(id, w, h, "mini", objectiveTitle(j)+" against its goal", fmt.Sprintf("goal %s, interval %s", Goal(o, q.Unit), Interval(q)))
	from, to := pad, w-pad
	if o.Min != nil {
		from = x.at(*o.Min)
	}
	if o.Max != nil {
		to = x.at(*o.Max)
	}
	s.rect("allowed", from, 3, to-from, h-6, "allowed: "+Goal(o, q.Unit))
	s.line("axis", pad, h/2, w-pad, h/2)
	a, b := pad, w-pad
	if !math.IsInf(q.Lo, 0) {
		a = x.at(q.Lo)
		s.line("whisker", a, h/2-4, a, h/2+4)
	} else {
		s.path("arrow", fmt.Sprintf("M%s %sl5 -4v8z", px(a), px(h/2)))
	}
	if !math.IsInf(q.Hi, 0) {
		b = x.at(q.Hi)
		s.line("whisker", b, h/2-4, b, h/2+4)
	} else {
		s.path("arrow", fmt.Sprintf("M%s %sl-5 -4v8z", px(b), px(h/2)))
	}
	s.line("interval", a, h/2, b, h/2)
	for _, g := range []*float64{o.Min, o.Max} {
		if g != nil {
			s.line("goal-notch", x.at(*g), 1, x.at(*g), h-1)
		}
	}
	if !math.IsNaN(q.Value) {
		s.circle("point", x.at(q.Value), h/2, 3.5)
	}
	return s.html()
}
