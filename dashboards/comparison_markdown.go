package dashboards

import (
	"io"
	"strings"

	"github.com/assay-dev/assay"
)

// ComparisonMarkdown writes the comparison as GitHub-flavoured Markdown, for pull requests and job summaries.
func ComparisonMarkdown(w io.Writer, c *assay.Comparison) error {
	m := &markdown{}
	m.printf("## %s: %s\n\n%s.\n\n", mdText(c.Base.Name+" against "+strings.Join(sideNames(c), ", ")), strings.ToUpper(string(c.Verdict)), mdText(capital(c.Why)))
	if c.Next != "" {
		m.printf("Next: %s.\n\n", mdText(c.Next))
	}
	for _, s := range c.Problems {
		m.printf("* %s\n", mdText(s))
	}
	m.printf("* base: %s: %s\n", mdText(c.Base.Name), mdText(sideLine(&c.Base)))
	for i := range c.Candidates {
		s := &c.Candidates[i]
		m.printf("* candidate: %s: %s", mdText(s.Name), mdText(sideLine(s)))
		if s.Turns != "" {
			m.printf("; %s", mdText(orderLine(s)))
		}
		m.printf("\n")
	}
	if c.Race != nil {
		m.printf("* race: %s\n", mdText(raceLine(c.Race)))
	}
	m.printf("\n")
	for i := range c.Candidates {
		m.changes(c, &c.Candidates[i])
	}
	for _, s := range c.Doubts {
		m.printf("* doubt: %s\n", mdText(s))
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

func sideNames(c *assay.Comparison) []string {
	var out []string
	for i := range c.Candidates {
		out = append(out, c.Candidates[i].Name)
	}
	return out
}

func (m *markdown) changes(c *assay.Comparison, s *assay.Side) {
	if len(c.Candidates) > 1 {
		m.printf("### %s\n\n", mdText(s.Name))
	}
	var rows [][]string
	for _, role := range []assay.ChangeRole{assay.ChangeGate, assay.ChangeWatch, assay.ChangeShow} {
		for _, ch := range changesOf(c, s.Name, role) {
			verdict, note := "shown", ""
			if role != assay.ChangeShow {
				verdict, note = verdictSign(ch.Verdict)+" "+string(ch.Verdict), changeNote(ch)
			}
			if role == assay.ChangeWatch {
				verdict += ", may fail"
				if ch.Holds && ch.Verdict == assay.VerdictInconclusive {
					verdict += ", holds up a pass"
				}
			}
			rows = append(rows, []string{ch.Title, Measure(ch.Base), Measure(ch.Other), changeText(ch), changeInterval(ch, ch.Change), marginText(ch), shortChangeN(ch.Change), verdict, note})
		}
	}
	if len(rows) == 0 {
		return
	}
	m.table([]string{"metric", "base", "candidate", "change", "interval", "margin", "n", "verdict", "why"}, "lrrrrrrll", rows)
	judged := append(changesOf(c, s.Name, assay.ChangeGate), changesOf(c, s.Name, assay.ChangeWatch)...)
	if len(judged) == 0 {
		return
	}
	if c.Race == nil {
		m.printf("Self-check: %s.\n\nPower: %s.\n\n", mdText(selfLine(judged)), mdText(powerLine(changesOf(c, s.Name, assay.ChangeGate))))
	}
	m.printf("Method: %s.\n\n", mdText(methodLine(c, judged)))
}
