package stat

import (
	"math"
	"slices"
	"testing"
)

// TestJoinLengths: lengths gathered apart are as variable as those gathered together, and clusters tell their sizes.
func TestJoinLengths(t *testing.T) {
	var a, b, all, none Lengths
	for i, v := range []float64{3, 5, 2, 4, 3, 6, 4, 3, 5, 2, 90} {
		all.Add(v)
		if i < 4 {
			a.Add(v)
		} else {
			b.Add(v)
		}
	}
	a.Join(&b)
	a.Join(&none)
	none.Join(&a)
	for _, got := range []Lengths{a, none} {
		if got.n != all.n || math.Abs(got.mean-all.mean) > 1e-12 || math.Abs(got.ss-all.ss) > 1e-12 {
			t.Errorf("%+v, want %+v", got, all)
		}
	}
	c := Clusters{Gap: 2}
	for _, failed := range []bool{true, true, false, true, false, false, false, true, false, false} {
		c.Add(failed)
	}
	if got := c.Sizes(); !slices.Equal(got, []int{3, 1}) {
		t.Errorf("sizes %v, want 3 and 1", got)
	}
	if got := (&Clusters{N: 3, Bad: 4}).Sizes(); got != nil {
		t.Errorf("sizes %v of clusters that were not added", got)
	}
}
