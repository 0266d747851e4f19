package dashboards

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// HistoryJSON writes the history as it is.
func HistoryJSON(w io.Writer, h *assay.History) error { return indented(w, h) }

// HistoryMarkdown writes the history as GitHub-flavoured Markdown.
func HistoryMarkdown(w io.Writer, h *assay.History) error {
	m := &markdown{}
	m.printf("## History of %s\n\n%s.\n\n", mdText(orElse(h.Name, "runs")), capital(mdText(historyLine(h))))
	if len(h.Points) == 0 {
		m.printf("No change of level.\n\n")
	} else {
		m.table([]string{"metric", "from run", "release", "before", "after", "change", "p", ""}, "lllrrrrl", historyRows(h))
	}
	m.printf("Looked at: %s.\n\n", mdText(lookedLine(h)))
	if len(h.Short) > 0 {
		m.printf("Too short: %s.\n\n", mdText(strings.Join(h.Short, "; ")))
	}
	m.printf("%s.\n", mdText(historyMethod(h)))
	for _, s := range h.Doubts {
		m.printf("* doubt: %s\n", mdText(s))
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

// historyLine says which runs were looked at.
func historyLine(h *assay.History) string {
	s := assay.Side{Name: h.Name, Runs: h.Runs}
	text := orElse(h.Name, "runs") + ": " + sideLine(&s)
	if h.Plan != "" {
		text += ", plan " + short(h.Plan)
	}
	return text
}

// lookedLine names what was looked at, with the least change that counts where it has its own.
func lookedLine(h *assay.History) string {
	parts := slices.Clone(h.Looked)
	for i := range parts {
		if i >= len(h.LeastOf) {
			break
		}
		switch {
		case i < len(h.Shares) && h.Shares[i]:
			parts[i] += " (from " + scaled(h.LeastOf[i], assay.ScaleDifference, assay.Ratio) + " on)"
		case h.LeastOf[i] != h.Least:
			parts[i] += " (from " + Percent(h.LeastOf[i]) + " on)"
		}
	}
	return strings.Join(parts, "; ")
}

func historyMethod(h *assay.History) string {
	return fmt.Sprintf("E-divisive means with Student's t, window %d, p below %s, changes of %s or more; levels are means of runs with their %s intervals", h.Window, Number(h.MaxP), Percent(h.Least), Percent(h.Sure))
}

func historyRows(h *assay.History) [][]string {
	var rows [][]string
	for i := range h.Points {
		c := &h.Points[i]
		release := c.To
		if c.From != c.To {
			release = orElse(c.From, "none") + " → " + orElse(c.To, "none")
		}
		way := "better"
		if c.Worse {
			way = "worse"
		}
		rows = append(rows, []string{c.Title, fmt.Sprintf("%d: %s", c.Index+1, minuteOf(c.Run.Begin)), orElse(release, "not told"), levelText(c.Before), levelText(c.After),
			signed(float64(c.Change), c.Scale, assay.Ratio), pText(c.P), way})
	}
	return rows
}

func levelText(q assay.Quantity) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s n=%d", Value(q), Bracket(q), q.N))
}

// pText writes a chance; below a millionth its digits say nothing.
func pText(p float64) string {
	if p < 1e-6 {
		return "<0.000001"
	}
	return Number(p)
}
