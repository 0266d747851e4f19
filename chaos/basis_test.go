package chaos

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// checkBasis fails unless what an effect is known by agrees with its words.
func checkBasis(t *testing.T, verified assay.Event) {
	t.Helper()
	effect, want := verified.Attrs[attrEffect], assay.EffectMeasured
	switch {
	case strings.Contains(effect, "not put to the test"), strings.Contains(effect, "enforces it was not measured"):
		want = assay.EffectUntested
	case strings.Contains(effect, "not measured"):
		want = assay.EffectTold
	}
	if got := verified.Attrs[attrBasis]; got != string(want) {
		t.Errorf("effect %q is %q, want %q", effect, got, want)
	}
}
