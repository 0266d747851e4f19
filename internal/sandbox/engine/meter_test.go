package engine

import (
	"math"
	"testing"
)

func TestMeter(t *testing.T) {
	m := &meter{}
	if l := m.since(0, 1000); l != (load{}) {
		t.Errorf("never used: %+v", l)
	}
	m.begin(100)
	m.end(300, 1) // prefill
	m.begin(500)
	m.end(600, 0.25)
	near := func(got, want load) {
		t.Helper()
		for _, d := range []float64{got.busy - want.busy, got.prefill - want.prefill, got.decode - want.decode} {
			if math.Abs(d) > 1e-12 {
				t.Errorf("got %+v, want %+v", got, want)
				return
			}
		}
	}
	near(m.since(0, 1000), load{.3, .225, .075})
	near(m.since(200, 700), load{.4, .25, .15})
	m.begin(900) // still running: counts like the last one
	near(m.since(0, 1000), load{.4, .25, .15})
	for i := range int64(10000) { // more than the ring holds
		m.begin(1000 + 10*i)
		m.end(1005+10*i, 0)
	}
	if l := m.since(0, 101000); math.Abs(l.busy-.5) > .001 {
		t.Errorf("full ring: busy %g, want .5", l.busy)
	}
}
