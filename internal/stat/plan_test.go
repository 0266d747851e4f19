package stat

import (
	"math"
	"strings"
	"testing"
)

func TestErlang(t *testing.T) {
	for _, c := range []struct {
		servers int
		load    float64
		want    float64
	}{{2, 1, 1.0 / 3}, {4, 3, .509434}, {5, 4, .554113}, {10, 8, .409180}} {
		near(t, "waiting", ErlangC(c.servers, c.load), c.want, 5e-7)
	}
	near(t, "Allen-Cunneen", Wait(4, 3, 1, 1, 2), .764151, 5e-7)
	if ErlangC(2, 2) != 1 || !math.IsInf(Wait(2, 2, 1, 1, 1), 1) {
		t.Error("two servers kept up with a load of two")
	}
	c, wait := Servers(3, 1, 1, 1, 0.1)
	if c != 6 || wait > 0.1 || Wait(5, 3, 1, 1, 1) <= 0.1 {
		t.Errorf("%d servers wait %v", c, wait)
	}
}

// The worked example of stratified coverage.
func TestCoverageOfClasses(t *testing.T) {
	c, err := CoverageOf([]Stratum{{.5, 40, 40}, {.3, 30, 29}, {.2, 10, 8}}, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "coverage", c.Value, .95, 5e-4)
	near(t, "standard error", c.SE, .027142, 5e-7)
	near(t, "pooled", c.Pooled, .9625, 5e-5)
	near(t, "lower", c.In.Lo, .8712, 1.5e-4)
	near(t, "upper", c.In.Hi, .9789, 1.5e-4)
	near(t, "one-sided", c.Lower, .8829, 1.5e-4)
	if all, err := CoverageOf([]Stratum{{.5, 4, 4}, {.5, 3, 3}}, 0.95); err != nil || all.Value != 1 || all.In.Hi != 1 || !(all.In.Lo > .4 && all.In.Lo < .9) {
		t.Errorf("all recovered: %+v, %v", all, err)
	}
	if none, err := CoverageOf([]Stratum{{.5, 4, 0}, {.5, 3, 0}}, 0.95); err != nil || none.Value != 0 || none.In.Lo != 0 || !(none.In.Hi > .1 && none.In.Hi < .6) {
		t.Errorf("none recovered: %+v, %v", none, err)
	}
	for want, strata := range map[string][]Stratum{"add up to 0.9": {{.5, 1, 1}, {.4, 1, 1}}, "class 1: weight 0": {{0, 1, 1}}, "2 of 1": {{1, 1, 2}}, "add up to 0;": nil} {
		if _, err := CoverageOf(strata, .95); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", strata, err)
		}
	}
}

func TestSequential(t *testing.T) {
	s := Sequential{Good: 2, Bad: 1, Alpha: .1, Beta: .1}
	near(t, "accepted without failures", s.Accept(0), 4.394, 5e-4)
	if s.Reject(0) >= 0 || s.Reject(10) <= 0 || s.Reject(10) >= s.Accept(10) {
		t.Errorf("reject %v and %v, accept %v", s.Reject(0), s.Reject(10), s.Accept(10))
	}
	for _, bad := range []Sequential{{1, 2, .1, .1}, {2, 0, .1, .1}, {2, 1, 0, .1}, {2, 1, .5, .5}, {math.Inf(1), 1, .1, .1}} {
		if bad.Check() == nil {
			t.Errorf("%+v passed", bad)
		}
	}
}

func TestLoadGen(t *testing.T) {
	for p, want := range map[float64]int{.90: 24576, .95: 57344, .97: 90112, .99: 270336} {
		if got := LoadGenQueries(p); got != want {
			t.Errorf("p%g: %d, want %d", 100*p, got, want)
		}
	}
	for over, want := range []int{459, 661, 836, 998} {
		if got := LoadGenEarly(.99, over); got != want {
			t.Errorf("p99 with %d over: %d, want %d", over, got, want)
		}
	}
	for over, want := range []int{44, 63, 79, 94} {
		if got := LoadGenEarly(.90, over); got != want {
			t.Errorf("p90 with %d over: %d, want %d", over, got, want)
		}
	}
}
