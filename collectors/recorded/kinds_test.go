package recorded

import (
	"slices"
	"testing"
)

// Each kind is a flag of assay import, beside these. A name that is taken twice keeps the whole command from starting.
func TestNamesAreFlags(t *testing.T) {
	taken := []string{"kind", "columns", "stamps-end", "dir", "out", "name", "target", "model", "release", "slo", "output", "from", "to", "token-env", "help"}
	for _, k := range Kinds {
		if k.Name == "" || slices.Contains(taken, k.Name) {
			t.Errorf("the name %q is taken", k.Name)
		}
		taken = append(taken, k.Name)
	}
}
