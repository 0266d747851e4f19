package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/sandbox"
)

func TestTenantFlag(t *testing.T) {
	for text, want := range map[string]sandbox.Tenant{
		"gold":           {Name: "gold"},
		"gold:2.5":       {Name: "gold", Share: 2.5},
		"gold:2.5:1":     {Name: "gold", Share: 2.5, Priority: 1},
		"gold:2.5:1:100": {Name: "gold", Share: 2.5, Priority: 1, QueueLimit: 100},
	} {
		got, err := tenant(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", text, d)
		}
	}
	for _, text := range []string{"gold:x", "gold:1:x", "gold:1:1:x", "gold:1:1:1:1"} {
		if _, err := tenant(text); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
}
