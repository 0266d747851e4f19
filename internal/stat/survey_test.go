package stat

import (
	"math"
	"testing"
)

// TestKornGraubard: with independent trials it is the exact interval; clusters widen it, and few of them more.
func TestKornGraubard(t *testing.T) {
	exact := ClopperPearson(15, 148, .95)
	se := math.Sqrt(15. / 148 * (1 - 15./148) / 148)
	got := KornGraubard(15./148, se, 148, 147, .95)
	if math.Abs(got.Lo-exact.Lo) > 1e-9 || math.Abs(got.Hi-exact.Hi) > 1e-9 {
		t.Errorf("independent trials: %v, want %v", got, exact)
	}
	many, few := KornGraubard(.1, .02, 10_000, 99, .95), KornGraubard(.1, .02, 10_000, 4, .95)
	if want := ClopperPearson(22, 222, .95); math.Abs(many.Lo-want.Lo) > .003 || math.Abs(many.Hi-want.Hi) > .003 { // 225 trials less 2 %
		t.Errorf("clusters: %v, want about %v", many, want)
	}
	if !(few.Lo < many.Lo && few.Hi > many.Hi) {
		t.Errorf("few clusters %v, many %v", few, many)
	}
	for _, in := range []Interval{KornGraubard(.5, 1, 1, 1, .95), KornGraubard(.5, 1, 9, 0, .95), KornGraubard(math.NaN(), 1, 9, 8, .95)} {
		if in != (Interval{0, 1, .95}) {
			t.Errorf("nothing known: %v", in)
		}
	}
	if in := KornGraubard(0, 0, 100, 9, .95); in != ClopperPearson(0, 100, .95) {
		t.Errorf("no failure: %v", in)
	}
	if in := KornGraubard(1, 0, 100, 9, .95); in != ClopperPearson(100, 100, .95) {
		t.Errorf("nothing else: %v", in)
	}
}
