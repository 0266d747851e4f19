package dashboards

import (
	"testing"

	"github.com/assay-dev/assay"
)

// A clock gives no digits that it does not have.
func TestCoarse(t *testing.T) {
	for _, c := range []struct {
		s, resolution float64
		want          string
	}{
		{0.255549165, 0, "256 ms"},
		{0.255549165, 1e-6, "256 ms"},
		{0.255549165, 0.001, "256 ms"},
		{0.255549165, 0.02, "260 ms"},
		{0.255549165, 0.25, "0.3 s"},
		{0.255549165, 1, "<1 s"},
		{0.004, 0.25, "<0.25 s"},
		{0, 0.25, "0 s"},
		{1.8374, 0.25, "1.8 s"},
		{1.8374, 1, "2 s"},
		{33.46, 1, "33 s"},
		{163.2, 1, "2m43s"},
		{163.2, 30, "2m40s"},
	} {
		if got := Coarse(c.s, c.resolution); got != c.want {
			t.Errorf("%g s by a clock of %g s: got %q, want %q", c.s, c.resolution, got, c.want)
		}
	}
	q := assay.Quantity{Value: 1.2678, Lo: 1.0178, Hi: 1.5178, Confidence: 1, Unit: assay.Seconds, N: 1, Resolution: 0.25}
	if got, want := Value(q)+" "+Interval(q)+" "+Bracket(q), "1.3 s ±0.25 s [1, 1.5]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	q.Confidence = 0.95
	if got, want := Interval(q), "1..1.5 s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		resolution float64
		want       string
	}{{0.25, "±0.25 s"}, {1, "±1 s"}, {0.02, "±20 ms"}, {1e-6, "±1 µs"}, {60, "±60 s"}} {
		if got := within(c.resolution); got != c.want {
			t.Errorf("%g: got %q, want %q", c.resolution, got, c.want)
		}
	}
}
