package dashboards

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A table is a borderless table of text. This file is the only one that knows
// tablewriter. Cells are wrapped here and handed over ready, because the library's own
// wrapping differs by column mode; its header formatting splits letters from
// digits ("p99" becomes "P 99") and is off.
type table struct {
	head  []string
	right []bool // columns of numbers
	rows  [][]string
	paint func(word string) (before, after string) // colours of a cell in the last column; may be nil
}

const (
	columnGap     = 2
	columnAtLeast = 6 // a column is never made narrower than this
)

// textWidth is the number of terminal cells that s takes, without regard to the locale:
// the same report is laid out alike everywhere.
func textWidth(s string) int {
	return twwidth.WidthWithOptions(s, twwidth.Options{EastAsianWidth: false})
}

// lines lays the table out within width and returns its lines without trailing blanks.
func (t *table) lines(width int) ([]string, error) {
	widths := t.fit(width)
	var b strings.Builder
	align := make([]tw.Align, len(t.head))
	pads := make([]tw.Padding, len(t.head))
	for i := range t.head {
		align[i] = tw.AlignLeft
		if i < len(t.right) && t.right[i] {
			align[i] = tw.AlignRight
		}
		pads[i] = tw.Padding{Right: strings.Repeat(" ", columnGap), Overwrite: true}
	}
	pads[len(pads)-1] = tw.PaddingNone
	w := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint()),
		tablewriter.WithRendition(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleASCII),
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		}),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithHeaderPaddingPerColumn(pads),
		tablewriter.WithRowPaddingPerColumn(pads),
	)
	w.Header(wrapCells(t.head, widths))
	for _, row := range t.rows {
		cells := wrapCells(row, widths)
		if t.paint != nil {
			last := len(row) - 1
			before, after := t.paint(row[last])
			cells[last] = before + strings.ReplaceAll(cells[last], "\n", after+"\n"+before) + after
		}
		if err := w.Append(cells); err != nil {
			return nil, fmt.Errorf("lay out table: %w", err)
		}
	}
	if err := w.Render(); err != nil {
		return nil, fmt.Errorf("lay out table: %w", err)
	}
	out := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i := range out {
		out[i] = strings.TrimRight(out[i], " ")
	}
	return out, nil
}

// fit returns the width of each column: its natural one, the widest made narrower
// until the table fits. Words stay whole as long as that is enough.
func (t *table) fit(width int) []int {
	widths, words := make([]int, len(t.head)), make([]int, len(t.head))
	total := columnGap * (len(t.head) - 1)
	for i := range t.head {
		for _, row := range append([][]string{t.head}, t.rows...) {
			widths[i] = max(widths[i], textWidth(row[i]))
			for _, w := range fields(row[i]) {
				words[i] = max(words[i], textWidth(w))
			}
		}
		total += widths[i]
	}
	for _, least := range []func(i int) int{
		func(i int) int { return words[i] },
		func(i int) int { return min(widths[i], columnAtLeast+i*width) }, // the first column breaks first
		func(int) int { return columnAtLeast },
	} {
		for ; total > width; total-- {
			widest := -1
			for i := range widths {
				if widths[i] > least(i) && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
	}
	return widths
}

func wrapCells(row []string, widths []int) []string {
	out := make([]string, len(row))
	for i, s := range row {
		out[i] = strings.Join(wrap(s, widths[i]), "\n")
	}
	return out
}

// Wrap breaks s at spaces into lines of at most width terminal cells; a longer word is cut.
func Wrap(s string, width int) []string { return wrap(s, max(width, 1)) }

// wrap breaks s at spaces into lines of at most width cells; a longer word is cut.
func wrap(s string, width int) []string {
	var out []string
	line, taken := "", 0
	for _, word := range fields(s) {
		for _, piece := range cut(word, width) {
			n := textWidth(piece)
			if line != "" && taken+1+n <= width {
				line, taken = line+" "+piece, taken+1+n
				continue
			}
			if line != "" {
				out = append(out, line)
			}
			line, taken = piece, n
		}
	}
	if line != "" || len(out) == 0 {
		out = append(out, line)
	}
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], nbsp, " ")
	}
	return out
}

// A number stays with its unit.
var (
	beforeUnit    = regexp.MustCompile(`(\d) (ms|s|µs|us|ns|h|min|kB|MB|GB|req)\b`)
	beforePercent = regexp.MustCompile(`(\d) %`)
)

// fields splits s at the spaces where a line may break.
func fields(s string) []string {
	s = beforePercent.ReplaceAllString(beforeUnit.ReplaceAllString(s, "${1}"+nbsp+"${2}"), "${1}"+nbsp+"%")
	return strings.FieldsFunc(s, func(c rune) bool { return c == ' ' })
}

// cut splits a word into pieces of at most width cells and at least one rune.
func cut(word string, width int) []string {
	if len(word) <= width || textWidth(word) <= width {
		return []string{word}
	}
	var pieces []string
	from, n := 0, 0
	for i, c := range word {
		w := textWidth(string(c))
		if n+w > width && i > from {
			pieces = append(pieces, word[from:i])
			from, n = i, 0
		}
		n += w
	}
	return append(pieces, word[from:])
}
