package analyzers

import (
	"testing"

	"github.com/assay-dev/assay"
)

func TestRemedies(t *testing.T) {
	for rules, want := range map[string]string{"lateness/p99": slower, "credential": remedies["credential"], "unrecorded": "remove the cause and run again", "": "remove the cause and run again"} {
		trust := &assay.Trust{Rules: []string{rules, "delivered"}}
		if rules == "" {
			trust.Rules = nil
		}
		if got := remedy(trust); got != want {
			t.Errorf("%q: got %q, want %q", rules, got, want)
		}
	}
	// Each rule of the table is one that a run can break.
	for rule := range remedies {
		if _, ok := Lookup("validity/" + rule); !ok {
			t.Errorf("no rule %s", rule)
		}
	}
}
