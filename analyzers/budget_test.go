package analyzers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestBudgetReport(t *testing.T) {
	run := quiet()
	run.M.End = assay.Ending{Status: assay.EndBudget, Reason: "the tokens are spent", Spent: []assay.Spend{
		{What: "requests", Unit: assay.Count, Limit: 2000, Used: 412}, {What: "tokens", Unit: assay.Tokens, Limit: 1000, Used: 1004},
		{What: "instances", Unit: assay.Count, Limit: 2, Untold: "nothing told of the life of instances"},
		{What: "money", Unit: "USD", Limit: 5, Used: 0.25, Untold: "nothing told of the life of instances"}}}
	r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "budget")...)
	type row struct {
		Value, Evidence, Warning string
	}
	got := map[string]row{}
	for _, f := range r.Findings {
		if what, ok := strings.CutPrefix(f.Metric, "budget/"); ok {
			got[what] = row{f.Quantity.Reason, strings.Join(f.Evidence, ";"), strings.Join(f.Warnings, ";")}
		}
	}
	want := map[string]row{"requests": {Evidence: "of 2000 (1588 left)"}, "tokens": {Evidence: "of 1000 (0 left)"},
		"instances": {Value: "not measured, because nothing told of the life of instances"},
		"money":     {Evidence: "of 5 (4.75 left)", Warning: "without what instances cost: nothing told of the life of instances"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if r.Exit != assay.ExitGo || !strings.Contains(strings.Join(r.Trust.Doubts, ";"), "the budget ended the run early: the tokens are spent") {
		t.Errorf("exit %d, doubts %v", r.Exit, r.Trust.Doubts)
	}
	// A spent budget is no harm once all is decided, and one where it is not.
	goal := 10.0
	run.M.Objectives = []assay.Objective{{Metric: "error_ratio", Max: &goal, Unit: assay.Ratio}}
	if r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "budget")...); r.Exit != assay.ExitGo {
		t.Errorf("exit %d: %s", r.Exit, r.Why)
	}
	run.M.Objectives = append(run.M.Objectives, assay.Objective{Metric: "mtbf/service", Min: float(3600), Unit: assay.Seconds})
	if r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "budget")...); r.Exit != assay.ExitInvalid || !strings.Contains(r.Why, "the budget was spent with 1 of 2 objectives undecided") {
		t.Errorf("exit %d: %s", r.Exit, r.Why)
	}
}
