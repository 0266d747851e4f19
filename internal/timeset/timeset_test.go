package timeset

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func set(ends ...int64) (out []assay.Stretch) {
	for i := 0; i < len(ends); i += 2 {
		out = append(out, assay.Stretch{Begin: ends[i], End: ends[i+1]})
	}
	return out
}

func TestSets(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want []assay.Stretch
	}{
		{"union", Union(set(5, 7, 0, 2, 1, 3, 3, 4, 9, 9)), set(0, 4, 5, 7)},
		{"union of none", Union(nil), nil},
		{"both", Both(set(0, 4, 6, 9), set(2, 7, 8, 12)), set(2, 4, 6, 7, 8, 9)},
		{"minus", Minus(set(0, 4, 6, 9), set(1, 2, 3, 7)), set(0, 1, 2, 3, 7, 9)},
		{"minus all", Minus(set(1, 2), set(0, 5)), nil},
		{"minus none", Minus(set(1, 2), nil), set(1, 2)},
		{"outline", Outline(set(0, 1, 2, 3, 13, 14, 16, 17), 2), set(0, 3, 13, 17)},
		{"outline of equal gaps", Outline(set(0, 1, 2, 3, 4, 5), 2), set(0, 3, 4, 5)},
		{"outline of few", Outline(set(0, 1, 2, 3), 2), set(0, 1, 2, 3)},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// TestInstants compares each operation with what it means at every instant.
func TestInstants(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	some := func() []assay.Stretch {
		var list []assay.Stretch
		for range rng.IntN(8) {
			at := rng.Int64N(40)
			list = append(list, assay.Stretch{Begin: at, End: at + rng.Int64N(6)})
		}
		return Union(list)
	}
	for range 500 {
		a, b := some(), some()
		both, minus, either := Both(a, b), Minus(a, b), Union(append(set(), append(a, b...)...))
		for at := int64(-1); at < 50; at++ {
			inA, inB := Holds(a, at), Holds(b, at)
			if Holds(both, at) != (inA && inB) || Holds(minus, at) != (inA && !inB) || Holds(either, at) != (inA || inB) {
				t.Fatalf("at %d of %v and %v: both %v, minus %v, union %v", at, a, b, both, minus, either)
			}
		}
		if Length(both)+Length(minus) != Length(a) {
			t.Fatalf("%v and %v: both %v, minus %v", a, b, both, minus)
		}
		if n := 1 + rng.IntN(4); len(a) > 0 {
			if o := Outline(a, n); len(o) != min(n, len(a)) || Length(Minus(a, o)) != 0 {
				t.Fatalf("outline of %v to %d: %v", a, n, o)
			}
		}
	}
}
