package dashboards

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// noteName says when a note was made and of what.
func noteName(n assay.Note, begin int64) string {
	if n.Fault != "" {
		return fmt.Sprintf("%s %s", Instant(n.At, begin), n.Fault)
	}
	return Instant(n.At, begin)
}

// notes writes what people said while the run went on.
func (p *page) notes() {
	for i, n := range p.r.Notes {
		label := ""
		if i == 0 {
			label = "NOTES"
		}
		p.para(label, 11, noteName(n, p.r.Begin)+": "+n.Text)
	}
}

func (m *markdown) notes() {
	if len(m.r.Notes) == 0 {
		return
	}
	m.printf("### Notes\n\n")
	for _, n := range m.r.Notes {
		m.printf("* %s: %s\n", mdText(noteName(n, m.r.Begin)), mdText(n.Text))
	}
	m.printf("\n")
}

// noteMarks draws the notes into the time line, each as a mark that tells its text when pointed at.
func noteMarks(s *svg, r *assay.Report, x scale, bottom float64) {
	for _, n := range r.Notes {
		at := x.at(seconds(n.At - r.Begin))
		if at < plotLeft || at > plotRight {
			continue
		}
		s.rect("note", at-1, laneHeight-4, 2, bottom-laneHeight+4, "note, "+noteName(n, r.Begin)+": "+n.Text)
	}
}
