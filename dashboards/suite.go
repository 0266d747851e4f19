package dashboards

import (
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// suiteLine says which suite was run, its version and how much of it was measured.
func suiteLine(r *assay.Report) string {
	if r.Suite == nil {
		return ""
	}
	if !r.Suite.Measured.Known() {
		return fmt.Sprintf("%s, version %d, size %s: %s", r.Suite.Name, r.Suite.Version, r.Suite.Size, r.Suite.Measured.Reason)
	}
	return fmt.Sprintf("%s, version %d, size %s: %s of its weights measured (%s)", r.Suite.Name, r.Suite.Version, r.Suite.Size, Measure(r.Suite.Measured), r.Suite.Measured.Method)
}

// stepVerdict returns the verdict of a step, that of the worst of its faults, what became of its users, and its score where it has one.
func stepVerdict(r *assay.Report, s assay.StepResult) string {
	order := []assay.FaultVerdict{assay.FaultSimulated, assay.FaultPass, assay.FaultUnmeasured, assay.FaultVoid, assay.FaultFail}
	worst, score, n := -1, 0.0, 0
	for i := range r.Faults {
		f := &r.Faults[i]
		if !slices.Contains(s.Faults, f.Window.ID) {
			continue
		}
		worst = max(worst, slices.Index(order, f.Verdict))
		if f.Score.Known() {
			score, n = score+f.Score.Value, n+1
		}
	}
	switch {
	case worst < 0:
		return string(s.State)
	case n == 0:
		return string(order[worst])
	case string(order[worst]) == string(s.State):
		return fmt.Sprintf("%s, score %s", s.State, Number(score/float64(n)))
	}
	return fmt.Sprintf("%s, %s, score %s", order[worst], s.State, Number(score/float64(n)))
}

// stepLine says what a step of the suite came to.
func stepLine(r *assay.Report, s assay.StepResult) string {
	line := fmt.Sprintf("%s: %s", stepVerdict(r, s), s.Title)
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
		p.para("  "+s.Name, 18, stepLine(p.r, s))
	}
}

func (m *markdown) suite() {
	if m.r.Suite == nil {
		return
	}
	m.printf("### Suite\n\n%s.\n\n", mdText(suiteLine(m.r)))
	var rows [][]string
	for _, s := range m.r.Suite.Steps {
		rows = append(rows, []string{s.Name, s.Title, fmt.Sprintf("%g", s.Weight), stepVerdict(m.r, s), s.Why})
	}
	m.table([]string{"step", "what", "weight", "verdict", "why"}, "llrll", rows)
}
