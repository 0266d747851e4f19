package dashboards

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

//go:embed comparison.html.tmpl
var comparisonTemplate string

type comparisonView struct {
	Style                            template.CSS
	Policy                           string
	Title, Verdict, Class, Why, Next string
	Exit                             int
	Facts                            []pair
	Problems, Doubts                 []string
	Sides                            []comparedSide
	Runs                             []comparedRunRow
}

type comparedSide struct {
	Name, Line, Order string
	Groups            []changeGroup
	Notes             []pair
}

type changeGroup struct {
	Name   string
	Judged bool
	Rows   []changeRow
}

type changeRow struct {
	Title, Metric, Base, Other, Change, Interval, Margin, N, Of, Verdict, Sign, Because string
	Plot, Dots                                                                          template.HTML
}

type comparedRunRow struct{ Side, Dir, Begin, Release, Version, Counts string }

// ComparisonHTML writes one self-contained page, as [HTML] does for a run.
func ComparisonHTML(w io.Writer, c *assay.Comparison) error {
	t, err := template.New("comparison").Parse(comparisonTemplate)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newComparisonView(c)); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	_, err = w.Write(bytes.Map(visible, b.Bytes()))
	return err
}

func newComparisonView(c *assay.Comparison) *comparisonView {
	sum := sha256.Sum256([]byte(styleSheet))
	v := &comparisonView{
		Style:  template.CSS(styleSheet),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'",
		Title:  strings.Join(sideNames(c), ", ") + " against " + c.Base.Name, Verdict: strings.ToUpper(string(c.Verdict)), Class: string(c.Verdict),
		Why: c.Why, Next: c.Next, Exit: c.Exit, Problems: c.Problems[min(len(c.Problems), 1):], Doubts: c.Doubts,
		Facts: []pair{{"base", sideLine(&c.Base)}, {"intervals", Percent(c.Confidence)}},
	}
	if c.Race != nil {
		v.Facts = append(v.Facts, pair{"race", raceLine(c.Race)})
	}
	id := 0
	for i := range c.Candidates {
		s := &c.Candidates[i]
		side := comparedSide{Name: s.Name, Line: sideLine(s)}
		if s.Turns != "" {
			side.Order = orderLine(s)
		}
		for _, g := range []struct {
			role assay.ChangeRole
			name string
		}{{assay.ChangeGate, "Must pass"}, {assay.ChangeWatch, "May fail, and holds up a pass where losses are not shown to be within the margin"}, {assay.ChangeShow, "Shown, and decides nothing"}} {
			group := changeGroup{Name: g.name, Judged: g.role != assay.ChangeShow}
			for _, ch := range changesOf(c, s.Name, g.role) {
				group.Rows = append(group.Rows, newChangeRow(fmt.Sprintf("c%d", id), ch))
				id++
			}
			if len(group.Rows) > 0 {
				side.Groups = append(side.Groups, group)
			}
		}
		gates := changesOf(c, s.Name, assay.ChangeGate)
		if judged := append(gates[:len(gates):len(gates)], changesOf(c, s.Name, assay.ChangeWatch)...); len(judged) > 0 {
			if c.Race == nil {
				side.Notes = append(side.Notes, pair{"Self-check", selfLine(judged)}, pair{"Power", powerLine(gates)})
			}
			side.Notes = append(side.Notes, pair{"Method", methodLine(c, judged)})
		}
		v.Sides = append(v.Sides, side)
	}
	for _, s := range append([]assay.Side{c.Base}, c.Candidates...) {
		for _, r := range s.Runs {
			row := comparedRunRow{Side: s.Name, Dir: r.Dir, Begin: "not told", Release: orElse(r.Release, "not told"), Version: orElse(r.Version, "not told"), Counts: orElse(r.LeftOut, "yes")}
			if r.Begin != 0 {
				row.Begin = minuteOf(r.Begin)
			}
			v.Runs = append(v.Runs, row)
		}
	}
	return v
}

func newChangeRow(id string, ch *assay.Change) changeRow {
	row := changeRow{Title: ch.Title, Metric: ch.Metric + labelText(ch.Labels), Base: Value(ch.Base), Other: Value(ch.Other), Change: changeText(ch),
		Interval: changeInterval(ch, ch.Change), Margin: marginText(ch), N: shortChangeN(ch.Change), Plot: marginPlot(id, ch), Dots: runsPlot(id+"r", ch)}
	row.N, row.Of, _ = strings.Cut(row.N, " ")
	row.Verdict, row.Sign = string(ch.Verdict), verdictSign(ch.Verdict)
	if ch.Verdict != assay.VerdictPass {
		row.Because = changeNote(ch)
	}
	return row
}

// marginPlot draws the interval of a change against its margin: the allowed side is shaded, the notch is the margin, the line no change.
func marginPlot(id string, ch *assay.Change) template.HTML {
	q := ch.Change
	if !q.Bounded() || math.IsInf(q.Lo, 0) {
		return ""
	}
	const w, h, pad = 150.0, 22.0, 6.0
	edge := ch.Margin
	if ch.Better == "higher" {
		edge = -edge
	}
	reach := 1.3 * math.Max(math.Abs(edge), math.Abs(q.Lo))
	if !math.IsInf(q.Hi, 0) {
		reach = math.Max(reach, 1.3*math.Abs(q.Hi))
	}
	x := scale{-reach, reach, pad, w - pad}
	s := newSVG(id, w, h, "mini", ch.Title+": change against its margin", fmt.Sprintf("change %s, interval %s, margin %s", changeText(ch), changeInterval(ch, q), marginText(ch)))
	from, to := pad, x.at(edge)
	if edge < 0 {
		from, to = x.at(edge), w-pad
	}
	s.rect("allowed", from, 3, to-from, h-6, "within the margin")
	s.line("axis", pad, h/2, w-pad, h/2)
	s.line("axis", x.at(0), 4, x.at(0), h-4)
	a, b := x.at(q.Lo), w-pad
	s.line("whisker", a, h/2-4, a, h/2+4)
	if !math.IsInf(q.Hi, 0) {
		b = x.at(q.Hi)
		s.line("whisker", b, h/2-4, b, h/2+4)
	} else {
		s.path("arrow", fmt.Sprintf("M%s %sl-5 -4v8z", px(b), px(h/2)))
	}
	s.line("interval", a, h/2, b, h/2)
	s.line("goal-notch", x.at(edge), 1, x.at(edge), h-1)
	if !math.IsNaN(q.Value) && !math.IsInf(q.Value, 0) {
		s.circle("point", x.at(q.Value), h/2, 3.5)
	}
	return s.html()
}

// runsPlot draws a dot for each run: those of the base above, those of the candidate below.
func runsPlot(id string, ch *assay.Change) template.HTML {
	if len(ch.BaseValues) == 0 || len(ch.OtherValues) == 0 {
		return ""
	}
	const w, h, pad = 150.0, 26.0, 8.0
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, vs := range [][]float64{ch.BaseValues, ch.OtherValues} {
		for _, v := range vs {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	x := scale{lo, hi, pad, w - pad}
	s := newSVG(id, w, h, "mini", ch.Title+" of each run", fmt.Sprintf("%d runs of the base and %d of the candidate, %s to %s", len(ch.BaseValues), len(ch.OtherValues), In(lo, ch.Base.Unit), In(hi, ch.Base.Unit)))
	s.line("axis", pad, h/2, w-pad, h/2)
	for _, v := range ch.BaseValues {
		s.circle("f1", x.at(v), h/2-6, 3)
	}
	for _, v := range ch.OtherValues {
		s.circle("f3", x.at(v), h/2+6, 3)
	}
	return s.html()
}
