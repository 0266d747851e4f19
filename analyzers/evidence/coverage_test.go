package evidence

import (
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
)

// TestCoverage: pooled runs of a service that fails at a constant rate have intervals that hold its MTBF, with the test for a trend before them.
func TestCoverage(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		runs  int
		hours float64
		mtbf  float64
	}{{3, 100, 400}, {5, 100, 100}, {15, 100, 100}, {10, 200, 40}} {
		rng := rand.New(rand.NewPCG(11, uint64(c.mtbf)))
		held, varies := 0, 0
		for range n {
			var runs []*Run
			for i := range c.runs {
				var fails []float64
				for at := rng.ExpFloat64() * c.mtbf; at < c.hours; at += rng.ExpFloat64() * c.mtbf {
					fails = append(fails, at)
				}
				runs = append(runs, runOf(natural(string(rune('a'+i)), 300*float64(i), c.hours, fails...)))
			}
			u, _ := ledgerOf(runs).unit(assay.Service)
			if u.Trend != nil && !u.Trend.Constant {
				varies++
			}
			if u.MTBF.Lo <= c.mtbf*3600 && c.mtbf*3600 <= u.MTBF.Hi {
				held++
			}
		}
		t.Logf("%d runs of %g h, MTBF %g h: %.3f hold it; a trend in %.3f", c.runs, c.hours, c.mtbf, float64(held)/n, float64(varies)/n)
		if float64(held)/n < .95-3*.0069 {
			t.Errorf("%d runs of %g h, MTBF %g h: %.3f hold it, want .95", c.runs, c.hours, c.mtbf, float64(held)/n)
		}
	}
}
