package dashboards

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// suiteLine says which suite was run, its version and how much of it was measured.
func suiteLine(r *assay.Report) string {
	if r.Suite == nil {
		return ""
	}
	return fmt.Sprintf("%s, version %d, size %s: %s of its weights measured (%s)", r.Suite.Name, r.Suite.Version, r.Suite.Size, Value(r.Suite.Measured), r.Suite.Measured.Method)
}

// stepLine says what a step of the suite came to.
func stepLine(s assay.StepResult) string {
	line := fmt.Sprintf("%s: %s", s.State, s.Title)
	if s.Why != "" {
		line += ": " + s.Why
	}
	return line
}

// suite writes what each step of a standard suite came to.
func (p *page) suite() {
	if p.r.Suite == nil {
		return
	}
	p.para("SUITE", 11, suiteLine(p.r))
	for _, s := range p.r.Suite.Steps {
		p.para("  "+s.Name, 18, stepLine(s))
	}
}

func (m *markdown) suite() {
	if m.r.Suite == nil {
		return
	}
	m.printf("### Suite\n\n%s.\n\n", mdText(suiteLine(m.r)))
	var rows [][]string
	for _, s := range m.r.Suite.Steps {
		rows = append(rows, []string{s.Name, s.Title, fmt.Sprintf("%g", s.Weight), string(s.State), s.Why})
	}
	m.table([]string{"step", "what", "weight", "state", "why"}, "llrll", rows)
}
