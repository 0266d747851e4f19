package evidence

import (
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// TestLost: the interval of availability by request is that of the assessment, where sizes of clusters are known; else the widest, and it is said.
func TestLost(t *testing.T) {
	sizes := []int{20, 20, 20, 20, 20, 20, 20, 20}
	of := func(id string, from float64, lost []int) *Run {
		m, r := natural(id, from, 1)
		r.Lost, r.Judged = lost, 12000
		r.Findings = []assay.Finding{{Metric: "availability/natural", Quantity: assay.Quantity{Value: 1 - 160./12000, N: 8, Of: "failures"}}}
		return runOf(m, r)
	}
	for _, c := range []struct {
		name   string
		runs   []*Run
		k      int
		sigma  float64
		doubts int
	}{
		{"known", []*Run{of("a", 0, sizes)}, 8, 1, 0},
		{"two known", []*Run{of("a", 0, sizes), of("b", 2, sizes)}, 16, 1, 0},
		{"one unknown", []*Run{of("a", 0, sizes), of("b", 2, nil)}, 16, stat.SigmaMost, 1},
	} {
		f := pooled(t, Options{}, c.runs...).Availability[1]
		n := float64(len(c.runs))
		want := stat.Unavailability(11840*n, 160*n, c.k, c.sigma, .95)
		near(t, c.name+", lower", f.Quantity.Lo, 1-want.Hi, 1e-12)
		near(t, c.name+", upper", f.Quantity.Hi, 1-want.Lo, 1e-12)
		if len(f.Warnings) != c.doubts {
			t.Errorf("%s: %v", c.name, f.Warnings)
		}
	}
}
