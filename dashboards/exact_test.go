package dashboards

import (
	"math"
	"testing"

	"github.com/assay-dev/assay"
)

// A score that was measured in full has no interval, and one that was not has.
func TestScoreOfAllFaultsHasNoInterval(t *testing.T) {
	r := &assay.Report{Findings: []assay.Finding{{Metric: "score", Quantity: assay.Quantity{Value: .77, Lo: .768, Hi: .772, Confidence: 1, N: 2, Of: "of 2 faults", Basis: assay.Measured}}}}
	if got, want := runScore(r), "score 0.77 of 1; 2 of 2 faults measured"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Findings[0].Quantity.Lo = .6
	if got, want := runScore(r), "score 0.77 [0.60, 0.77] of 1; 2 of 2 faults measured"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What would be enough is said once, where the reason says it already.
func TestEnoughIsSaidOnce(t *testing.T) {
	j := assay.Judgement{Why: "they are worth 45; about 71543 requests like these would do", Enough: "about 71543 requests like these would do", Quantity: assay.Quantity{Value: math.NaN()}}
	if got := because(j); got != j.Why {
		t.Errorf("got %q", got)
	}
}

// Rates by cause are told to be means where the rate was not constant.
func TestRatesByCauseAreMeans(t *testing.T) {
	cause := func(name, method string, n int) assay.Finding {
		return assay.Finding{Metric: "failure_rate/service", Labels: map[string]string{"cause": name},
			Quantity: assay.Quantity{Value: float64(n), Lo: 1, Hi: 9, Confidence: .95, Unit: assay.PerHour, N: n, Of: "failures", Method: method, Basis: assay.Estimated}}
	}
	for method, want := range map[string]string{
		"chi-square; mean over the watch, whose rate was not constant": "by cause: service 5 oom (5/h [1, 9]), 3 crash (3/h [1, 9]); rates by cause are means over the watch",
		"chi-square; mean over the watch":                              "by cause: service 5 oom (5/h [1, 9]), 3 crash (3/h [1, 9])",
	} {
		if got := causesLine(&assay.Report{Findings: []assay.Finding{cause("oom", method, 5), cause("crash", method, 3)}}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
