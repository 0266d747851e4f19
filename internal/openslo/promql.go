package openslo

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/assay-dev/assay"
)

// windowForms are the ways in which tools write the window of a query.
var windowForms = regexp.MustCompile(`\{\{-?\s*\.?window\s*-?\}\}|\$\{?__?(rate_)?interval\}?|\$\{?window\}?`)

// anyRange stands for the window while a query is parsed.
const anyRange = "5m"

var promql = parser.NewParser(parser.Options{})

// parse returns the query with its window marked, and its tree with a range in place of each mark.
func (m source) parse() (text string, tree parser.Expr, ok bool) {
	text = windowForms.ReplaceAllLiteralString(m.query, assay.RangeMark)
	tree, err := promql.ParseExpr(strings.ReplaceAll(text, assay.RangeMark, anyRange))
	if err != nil {
		m.at.bad("is not PromQL: %v", err)
		return "", nil, false
	}
	return text, tree, true
}

// plain returns a query that gives a value at each instant.
func (m source) plain() string {
	if m.query == "" {
		return ""
	}
	text, _, _ := m.parse()
	return text
}

// windowed returns a query as counts or rates over a window that is to be filled in. Where it has ranges of its own they give way to the window. Where it
// has none it gives counters, of which the rate is taken, or gauges, which are added up.
func (m source) windowed(counter bool) string {
	if m.query == "" {
		return ""
	}
	text, tree, ok := m.parse()
	if !ok || strings.Contains(text, assay.RangeMark) {
		return text
	}
	type splice struct {
		from, to int
		text     string
	}
	var cuts []splice
	ranged := false
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		switch x := n.(type) {
		case *parser.MatrixSelector:
			ranged = true
			from := int(x.VectorSelector.PositionRange().End)
			open := from + strings.IndexByte(text[from:], '[') + 1
			cuts = append(cuts, splice{open, open + strings.IndexByte(text[open:], ']'), assay.RangeMark})
		case *parser.SubqueryExpr:
			ranged = true
		}
		return nil
	})
	if !ranged {
		function := "sum_over_time("
		if counter {
			function = "rate("
		}
		parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
			if x, is := n.(*parser.VectorSelector); is {
				if x.OriginalOffset != 0 || x.Timestamp != nil {
					m.at.bad("has an offset or @, which cannot be seen over a window; write the range into the query: [%s]", assay.RangeMark)
				}
				at := x.PositionRange()
				cuts = append(cuts, splice{int(at.Start), int(at.End), function + text[at.Start:at.End] + "[" + assay.RangeMark + "])"})
			}
			return nil
		})
	}
	slices.SortFunc(cuts, func(a, b splice) int { return b.from - a.from })
	for _, c := range cuts {
		text = text[:c.from] + c.text + text[c.to:]
	}
	return text
}
