package analyzers

import (
	"fmt"
	"math"
	"strconv"

	"github.com/assay-dev/assay"
)

// Budget reports what the run used of what its plan allowed. It is what the run itself counted.
type Budget struct{}

// Describe returns the metrics.
func (Budget) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "budget/requests", Unit: assay.Count, Better: "lower", Help: "Requests sent, of those that the budget allows."},
		{Metric: "budget/time", Unit: assay.Seconds, Better: "lower", Help: "Time from the begin of the load to its last answer, of what the budget allows for sending."},
		{Metric: "budget/tokens", Unit: assay.Tokens, Better: "lower", Help: "Tokens of prompts and answers, of those that the budget allows; what was still in flight counts as much as it might have used."},
		{Metric: "budget/instances", Unit: assay.Count, Better: "lower", Help: "Most instances at once, of those that the budget allows."},
		{Metric: "budget/accelerator", Unit: assay.Seconds, Better: "lower", Help: "Accelerators times the time that instances held them, of what the budget allows."},
		{Metric: "budget/money", Unit: assay.Count, Better: "lower", Help: "Money by the price file, in its currency, of what the budget allows."},
	}
}

// Begin starts a pass that needs no requests.
func (Budget) Begin(f *assay.Facts) assay.Pass { return budgetPass{f} }

type budgetPass struct{ f *assay.Facts }

func (budgetPass) Requests([]assay.Request) {}

func (p budgetPass) Finish(r *assay.Report) error {
	for _, s := range p.f.Manifest.End.Spent {
		f := assay.Finding{Metric: "budget/" + s.What}
		if s.Untold != "" && s.What != "money" {
			f.Quantity = assay.NotMeasured(s.Unit, s.Untold)
		} else {
			f.Quantity = counted(s.Used, s.Unit, 1, "run", "counted in the run")
			f.Evidence = []string{fmt.Sprintf("of %s (%s left)", plain(s.Limit), plain(max(0, s.Limit-s.Used)))}
			if s.Untold != "" {
				f.Warnings = []string{"without what instances cost: " + s.Untold}
			}
		}
		r.Findings = append(r.Findings, f)
	}
	return nil
}

func plain(v float64) string { return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64) }
