package facts

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/assay-dev/assay"
)

// A rate that changes at known instants is found there, to its interval, over ten minutes and over a week; one that stays the same has one level.
func TestLevels(t *testing.T) {
	const s = int64(1e9)
	for name, c := range map[string]struct {
		length int64
		rates  []float64 // of equal parts of it
	}{
		"ten minutes": {600 * s, []float64{2, 12, 2}}, "a week": {7 * 86400 * s, []float64{.1, .3, .1, .1}}, "steady": {600 * s, []float64{5}}, "few": {60 * s, []float64{.2}},
	} {
		rng := rand.New(rand.NewPCG(3, 4))
		var a arrivalCount
		part := c.length / int64(len(c.rates))
		var want []int64
		for i, rate := range c.rates {
			if i > 0 && c.rates[i-1] != rate {
				want = append(want, int64(i)*part)
			}
			for due := int64(i) * part; ; {
				if due += int64(rng.ExpFloat64() / rate * 1e9); due >= int64(i+1)*part {
					break
				}
				a.add(due)
			}
		}
		got := a.levels()
		if name == "few" {
			if got != nil {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if len(got) != len(want)+1 {
			t.Fatalf("%s: %d levels, want %d: %+v", name, len(got), len(want)+1, got)
		}
		n := 0
		for i, l := range got {
			n += l.N
			if i == 0 {
				continue
			}
			if at := want[i-1]; l.Lo-2*a.width > at || at > l.Hi+2*a.width || l.Hi-l.Lo > 120*s {
				t.Errorf("%s: level %d from %d, between %d and %d, want %d", name, i, l.Begin, l.Lo, l.Hi, at)
			}
			if rate := c.rates[i]; math.Abs(l.Rate/rate-1) > .15 {
				t.Errorf("%s: level %d at %g/s, want %g", name, i, l.Rate, rate)
			}
		}
		if total := sum(a.bins); n != total {
			t.Errorf("%s: levels hold %d of %d requests", name, n, total)
		}
	}
	for _, c := range []struct {
		phases []assay.Phase
		want   bool
	}{{nil, true}, {[]assay.Phase{{}}, true}, {[]assay.Phase{{Rate: 2}, {}}, false}, {[]assay.Phase{{Rate: 2, Varies: true}}, true}} {
		if got := telltale(c.phases); got != c.want {
			t.Errorf("telltale of %+v: %t", c.phases, got)
		}
	}
}

func sum(v []int) (n int) {
	for _, x := range v {
		n += x
	}
	return n
}
