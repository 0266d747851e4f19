package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// Episodes puts the shared facts into the report: phases, ledgers, episodes and lives.
type Episodes struct{}

// Describe returns nothing: what it adds are sections.
func (Episodes) Describe() []assay.Desc { return nil }

// Begin starts a pass.
func (Episodes) Begin(f *assay.Facts) assay.Pass { return &episodesPass{f} }

type episodesPass struct{ f *assay.Facts }

func (*episodesPass) Requests([]assay.Request) {}

func (p *episodesPass) Finish(r *assay.Report) error {
	r.Phases, r.Segments, r.Episodes, r.Lives = p.f.Phases, p.f.Segments, p.f.Episodes, p.f.Lives
	if w := outside(p.f); w != "" {
		r.Warnings = append(r.Warnings, w)
	}
	cut := 0
	for i := range r.Episodes {
		if e := &r.Episodes[i]; e.Ledger == assay.Natural && (e.LeftCensored || e.RightCensored) {
			cut++
		}
	}
	if cut > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d natural episodes began before the watch or had not ended with it: they count as failures, their length is a lower bound", cut))
	}
	return nil
}

// outside says which failures of instances lie before the watch or after it.
func outside(f *assay.Facts) string {
	if len(f.Outside) == 0 {
		return ""
	}
	e := f.Outside[0]
	where := "before it"
	off := f.Begin - e.Begin
	if off < 0 {
		where, off = "after it", e.Begin-f.End
	}
	return fmt.Sprintf("natural failures of instances outside of the %s that requests watched are in no count: %d, such as %s of %s %s %s", duration(seconds(f.End-f.Begin)), len(f.Outside), e.Cause, e.Instance, duration(seconds(off)), where)
}
