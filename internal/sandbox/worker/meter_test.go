package worker

import (
	"math"
	"testing"
)

func TestMeter(t *testing.T) {
	m := &Meter{}
	if l := m.Since(0, 1000); l != (Load{}) {
		t.Errorf("never used: %+v", l)
	}
	m.Begin(100)
	m.End(300, 1) // prefill
	m.Begin(500)
	m.End(600, 0.25)
	near := func(got, want Load) {
		t.Helper()
		for _, d := range []float64{got.Busy - want.Busy, got.Tensor - want.Tensor, got.Memory - want.Memory} {
			if math.Abs(d) > 1e-12 {
				t.Errorf("got %+v, want %+v", got, want)
				return
			}
		}
	}
	near(m.Since(0, 1000), Load{.3, .225, .075})
	near(m.Since(200, 700), Load{.4, .25, .15})
	m.Begin(900) // still running: counts like the last one
	near(m.Since(0, 1000), Load{.4, .25, .15})
	for i := range int64(10000) { // more than the ring holds
		m.Begin(1000 + 10*i)
		m.End(1005+10*i, 0)
	}
	if l := m.Since(0, 101000); math.Abs(l.Busy-.5) > .001 {
		t.Errorf("full ring: busy %g, want .5", l.Busy)
	}
}
