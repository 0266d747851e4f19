package dashboards

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// An svg is a drawing under construction. Colours come from classes of the page's style
// sheet, so that dark mode and print need no second drawing.
type svg struct {
	b    strings.Builder
	w, h float64
}

// newSVG begins a drawing. Title and desc are what a screen reader says in its place; id makes them findable.
func newSVG(id string, w, h float64, class, title, desc string) *svg {
	s := &svg{w: w, h: h}
	fmt.Fprintf(&s.b, `<svg class="%s" viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		class, px(w), px(h), id, id, id, xmlText(title), id, xmlText(desc))
	return s
}

// html closes the drawing. Everything in it went through xmlText or px.
func (s *svg) html() template.HTML { return template.HTML(s.b.String() + "</svg>") }

// px writes a coordinate with at most one decimal.
func px(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
}

// xmlText makes s safe as text or attribute of a drawing.
func xmlText(s string) string {
	return html.EscapeString(strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return c
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return '?'
		}
		return c
	}, s))
}

func (s *svg) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&s.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

// rect draws a box; a title, if any, shows when it is pointed at.
func (s *svg) rect(class string, x, y, w, h float64, title string) {
	fmt.Fprintf(&s.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, px(x), px(y), px(math.Max(w, 0)), px(h))
	if title == "" {
		s.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&s.b, `><title>%s</title></rect>`, xmlText(title))
}

func (s *svg) circle(class string, x, y, r float64) {
	fmt.Fprintf(&s.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, class, px(x), px(y), px(r))
}

func (s *svg) path(class, d string) {
	if d != "" {
		fmt.Fprintf(&s.b, `<path class="%s" d="%s"/>`, class, d)
	}
}

// text writes a label; anchor is start, middle or end.
func (s *svg) text(class, anchor string, x, y float64, t string) {
	fmt.Fprintf(&s.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, px(x), px(y), xmlText(t))
}

// glyph is the mean width of a character of a label, in units of the drawing; labels are 11 high.
const glyph = 6.1

// clip shortens t to what fits into width, or to nothing.
func clip(t string, width float64) string {
	r := []rune(t)
	n := int(width / glyph)
	switch {
	case len(r) <= n:
		return t
	case n < 4:
		return ""
	}
	return string(r[:n-1]) + "…"
}

// A scale maps values to coordinates.
type scale struct{ lo, hi, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.hi == s.lo {
		return s.from
	}
	return s.from + (v-s.lo)/(s.hi-s.lo)*(s.to-s.from)
}

// ticks returns about n round values from 0 or lo up to at least hi, and the last of them.
func ticks(lo, hi float64, n int) (vals []float64, top float64) {
	if !(hi > lo) {
		hi = lo + 1
	}
	raw := (hi - lo) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*mag >= raw*0.999 {
			step = m * mag
			break
		}
	}
	return steps(lo, hi, step)
}

// timeTicks returns round instants, in seconds, for a clock that counts in sixties.
func timeTicks(lo, hi float64, n int) []float64 {
	raw := (hi - lo) / float64(n)
	for _, step := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400} {
		if step >= raw {
			vals, _ := steps(lo, hi, step)
			if len(vals) > 0 && vals[len(vals)-1] > hi+step/1e6 {
				vals = vals[:len(vals)-1]
			}
			return vals
		}
	}
	vals, _ := ticks(lo, hi, n)
	return vals
}

func steps(lo, hi, step float64) (vals []float64, top float64) {
	first := math.Ceil(lo/step - 1e-9)
	for i := first; ; i++ {
		v := i * step
		vals = append(vals, v)
		if v >= hi-step*1e-9 || len(vals) > 100 {
			return vals, v
		}
	}
}

// linePath joins points by straight lines, broken where a value is missing.
func linePath(xs, ys []float64) string {
	var b strings.Builder
	pen := false
	for i := range xs {
		if math.IsNaN(ys[i]) {
			pen = false
			continue
		}
		cmd := "L"
		if !pen {
			cmd = "M"
		}
		fmt.Fprintf(&b, "%s%s %s", cmd, px(xs[i]), px(ys[i]))
		if !pen && (i+1 == len(xs) || math.IsNaN(ys[i+1])) {
			b.WriteString("h1") // a lone point stays visible
		}
		pen = true
	}
	return b.String()
}

// stepPath holds each value until the next point; end is where the last one ends.
func stepPath(xs, ys []float64, end float64) string {
	var b strings.Builder
	pen := false
	for i := range xs {
		next := end
		if i+1 < len(xs) {
			next = xs[i+1]
		}
		switch {
		case math.IsNaN(ys[i]):
			pen = false
			continue
		case pen:
			fmt.Fprintf(&b, "V%s", px(ys[i]))
		default:
			fmt.Fprintf(&b, "M%s %s", px(xs[i]), px(ys[i]))
		}
		fmt.Fprintf(&b, "H%s", px(next))
		pen = true
	}
	return b.String()
}

// areaPath is the area between a step line and base.
func areaPath(xs, ys []float64, end, base float64) string {
	var b strings.Builder
	for i := range xs {
		if math.IsNaN(ys[i]) {
			continue
		}
		next := end
		if i+1 < len(xs) {
			next = xs[i+1]
		}
		if h := base - ys[i]; h >= 0.05 {
			fmt.Fprintf(&b, "M%s %sV%sH%sV%sZ", px(xs[i]), px(base), px(ys[i]), px(next), px(base))
		}
	}
	return b.String()
}

// bandPath is the area between two lines.
func bandPath(xs, lo, hi []float64) string {
	var b strings.Builder
	for i := 0; i < len(xs); {
		if math.IsNaN(lo[i]) || math.IsNaN(hi[i]) {
			i++
			continue
		}
		j := i
		for j < len(xs) && !math.IsNaN(lo[j]) && !math.IsNaN(hi[j]) {
			j++
		}
		b.WriteString(linePath(xs[i:j], hi[i:j]))
		for k := j - 1; k >= i; k-- {
			fmt.Fprintf(&b, "L%s %s", px(xs[k]), px(lo[k]))
		}
		b.WriteString("Z")
		i = j
	}
	return b.String()
}
