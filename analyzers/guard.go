package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// GuardRevert reports how long it took from the first breach of a guard until every fault was verified away.
type GuardRevert struct{}

// Describe returns the metric.
func (GuardRevert) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "guard/revert", Unit: assay.Seconds, Better: "lower", Help: "From the first breach of a guard until the last fault that was in force was verified away."}}
}

// Begin starts a pass.
func (GuardRevert) Begin(f *assay.Facts) assay.Pass { return &guardPass{f} }

type guardPass struct{ f *assay.Facts }

func (*guardPass) Requests([]assay.Request) {}

func (p *guardPass) Finish(r *assay.Report) error {
	const method = "from the first breach of a guard until the last fault in force was verified away"
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Kind != assay.EventGuardBreach {
			continue
		}
		f := assay.Finding{Metric: "guard/revert", Ledger: assay.Injected}
		n, last, open := 0, e.Time, ""
		for j := range p.f.Faults {
			w := &p.f.Faults[j]
			switch {
			case w.Armed > e.Time || w.Armed == 0 && w.Applied > e.Time || w.Applied == 0 && w.Clear == 0 || w.Clear != 0 && w.Clear <= e.Time:
				continue
			case w.Clear == 0:
				open = w.ID
			}
			n++
			last = max(last, w.Clear)
		}
		switch {
		case n == 0:
			f.Quantity = assay.NotMeasured(assay.Seconds, "no fault was in force when the guard was breached")
		case open != "":
			f.Quantity = atLeast(max(0, p.f.End-e.Time), n, "faults", method)
			f.Warnings = []string{fmt.Sprintf("%s was never verified away", open)}
		default:
			f.Quantity = stretch(last-e.Time, last-e.Time, last-e.Time, n, "faults", method)
		}
		if g := e.Attrs["guard"]; g != "" {
			f.Evidence = []string{fmt.Sprintf("%s, at %.3g s: %s", g, seconds(e.Time-p.f.Begin), e.Attrs["value"])}
		}
		r.Findings = append(r.Findings, f)
		return nil
	}
	return nil
}
