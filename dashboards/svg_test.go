package dashboards

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTicks(t *testing.T) {
	near := cmpopts.EquateApprox(1e-9, 1e-12)
	for _, c := range []struct {
		hi   float64
		n    int
		want []float64
		top  float64
	}{
		{10, 5, []float64{0, 2, 4, 6, 8, 10}, 10}, {7.3, 3, []float64{0, 2.5, 5, 7.5}, 7.5}, {0.8, 4, []float64{0, 0.2, 0.4, 0.6, 0.8}, 0.8},
		{0, 2, []float64{0, 0.5, 1}, 1}, {math.NaN(), 2, []float64{0, 0.5, 1}, 1}, {13, 3, []float64{0, 5, 10, 15}, 15},
	} {
		got, top := ticks(0, c.hi, c.n)
		if !cmp.Equal(got, c.want, near) || math.Abs(top-c.top) > 1e-9 {
			t.Errorf("ticks(0, %g, %d) = %v, %g; want %v, %g", c.hi, c.n, got, top, c.want, c.top)
		}
	}
	if got := timeTicks(0, 114, 6); !cmp.Equal(got, []float64{0, 20, 40, 60, 80, 100}) {
		t.Errorf("time ticks %v", got)
	}
	if got := timeTicks(0, 7200, 6); !cmp.Equal(got, []float64{0, 1800, 3600, 5400, 7200}) {
		t.Errorf("time ticks %v", got)
	}
}

func TestPaths(t *testing.T) {
	nan := math.NaN()
	xs := []float64{0, 10, 20, 30}
	for _, c := range []struct{ name, got, want string }{
		{"line with a gap", linePath(xs, []float64{1, nan, 3, 4}), "M0 1h1M20 3L30 4"},
		{"line", linePath(xs, []float64{1, 2, 3, 4.04}), "M0 1L10 2L20 3L30 4"},
		{"step", stepPath(xs, []float64{1, 2, nan, 4}, 40), "M0 1H10V2H20M30 4H40"},
		{"area", areaPath(xs[:2], []float64{5, 10}, 20, 10), "M0 10V5H10V10Z"},
		{"band", bandPath(xs[:3], []float64{1, 1, nan}, []float64{3, 4, 5}), "M0 3L10 4L10 1L0 1Z"},
		{"nothing", linePath(nil, nil), ""},
		{"clip", clip("instance", 4*glyph), "ins…"},
		{"clip to nothing", clip("instance", 2*glyph), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}
