package dashboards

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// TestNotServed: what was not served stands beside every verdict, and an invalid run says first that its figures are worth nothing.
func TestNotServed(t *testing.T) {
	r := &assay.Report{Decision: assay.Go, Trust: assay.Trust{Valid: true},
		Errors:   []assay.ErrorRow{{Ledger: assay.Natural, Outcome: assay.OK, Count: 80}, {Ledger: assay.Natural, Outcome: assay.ServerError, Count: 3}, {Ledger: assay.Natural, Outcome: assay.ClientError, Count: 17}, {Ledger: assay.Overload, Outcome: assay.Timeout, Count: 9}},
		Findings: []assay.Finding{{Metric: "error_ratio", Quantity: assay.Quantity{Value: .2, Lo: .1, Hi: .3, Unit: assay.Ratio, N: 100, Basis: assay.Estimated}}}}
	want := "20 % of 100 requests not served (17 client error, 3 server error)"
	if got := scoreLine(r); !strings.Contains(got, want) {
		t.Errorf("got %q, want in it %q", got, want)
	}
	r.Decision, r.Trust.Valid = assay.InvalidRun, false
	if got := scoreLine(r); !strings.HasPrefix(got, useNone) || !strings.Contains(got, want) {
		t.Errorf("invalid: got %q, want %q and %q", got, useNone, want)
	}
	r.Findings[0].Quantity.Value = 0
	if got := scoreLine(r); strings.Contains(got, "not served") {
		t.Errorf("all were served: got %q", got)
	}
}
