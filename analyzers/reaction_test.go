package analyzers

import (
	"math"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// A victim that the platform takes back while the fault is in force was not isolated: the stages say when it was out for good.
func TestIsolatedForGood(t *testing.T) {
	out := func(run *factstest.Run, at, until float64) {
		run.E = append(run.E, assay.Event{Time: int64(at * 1e9), Kind: assay.EventInstanceEjected, Instance: "w-1"})
		if until != 0 {
			run.E = append(run.E, assay.Event{Time: int64(until * 1e9), Kind: assay.EventInstanceReady, Instance: "w-1"})
		}
	}
	for _, c := range []struct {
		name                     string
		events                   func(run *factstest.Run)
		detect, isolate, restore float64
		returned                 int
		capacity                 float64 // 0: no instance was out of routing
	}{
		{"out until the fault was reverted", func(run *factstest.Run) { out(run, 21, 26) }, 1, 0, 3, 0, 6},
		{"and taken back after it, before users were well", func(run *factstest.Run) { out(run, 21, 23.7) }, 1, 0, 3, 0, 3.7},
		{"back twice, then out", func(run *factstest.Run) { out(run, 20.5, 20.6); out(run, 21, 21.1); out(run, 22, 26) }, .5, 1.5, 2, 2, 6},
		{"back each time", func(run *factstest.Run) { out(run, 20.5, 20.6); out(run, 21, 21.1); out(run, 22, 22.1) }, .5, 3.5, 0, 3, 2.1},
		{"never taken out", func(*factstest.Run) {}, 4, 0, 0, 0, 0},
		{"it died", func(run *factstest.Run) {
			out(run, 20.5, 20.6)
			run.E = append(run.E, assay.Event{Time: 22 * sec, Kind: assay.EventInstanceExited, Instance: "w-1", Attrs: map[string]string{"reason": "crash"}})
		}, .5, 1.5, 2, 1, math.Inf(1)},
	} {
		run := quiet()
		for i := range run.R {
			if r := &run.R[i]; r.Due > 20*sec && r.Due < 24*sec {
				r.Outcome, r.End = assay.Reset, r.Due+msec
			}
		}
		for _, e := range []assay.Event{{Time: 20 * sec, Kind: assay.EventFaultArmed, Attrs: map[string]string{"kind": "cut", "target": "w-1"}}, {Time: 20 * sec, Kind: assay.EventFaultApplied},
			{Time: 20 * sec, Kind: assay.EventFaultVerified}, {Time: 235 * sec / 10, Kind: assay.EventFaultReverted}, {Time: 235 * sec / 10, Kind: assay.EventFaultClear}} {
			e.Fault = "f1"
			run.E = append(run.E, e)
		}
		c.events(run)
		x := assess(t, run, "recovery").Faults[0]
		well := x.User.Value - 4 // the first request due after 24 s
		if well < 0 || well > .5 {
			t.Fatalf("%s: users %s", c.name, x.User)
		}
		rest := [3]float64{c.detect, c.isolate, c.restore}
		switch { // what had not ended takes the rest
		case c.detect == 4:
			rest[0] += well
		case c.restore == 0:
			rest[1] += well
		default:
			rest[2] += well
		}
		got := [3]float64{x.Detect.Value, x.Isolate.Value, x.Restore.Value}
		for i := range got {
			if math.Abs(got[i]-rest[i]) > 1e-6 {
				t.Errorf("%s: stages %v, want %v", c.name, got, rest)
				break
			}
		}
		if q := x.Capacity; q.Known() != (c.capacity != 0) || q.Known() && q.Value != c.capacity && !(math.IsNaN(q.Value) && math.IsInf(c.capacity, 1)) {
			t.Errorf("%s: capacity %s, want %g s", c.name, q, c.capacity)
		}
		if x.Returned != c.returned {
			t.Errorf("%s: came back %d times, want %d", c.name, x.Returned, c.returned)
		}
	}
}
