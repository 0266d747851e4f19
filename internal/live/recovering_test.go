package live

import (
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// A fault that was reverted goes on to be shown until its users are well.
func TestRecoveringUntilUsersAreWell(t *testing.T) {
	const s = int64(1e9)
	ok := func(w *Window, due int64, n int) {
		for range n {
			w.Observe(&assay.Request{Due: due, Sent: due, End: due + 1, Outcome: assay.OK})
		}
	}
	for _, c := range []struct {
		name   string
		before []*assay.Event // after it was applied and reverted at 10 s
		then   func(w *Window)
		at     int64
		want   string
	}{
		{"nobody asked yet", nil, func(*Window) {}, 12 * s, FaultRecovering},
		{"seven served", nil, func(w *Window) { ok(w, 11*s, 7) }, 12 * s, FaultRecovering},
		{"eight served", nil, func(w *Window) { ok(w, 11*s, 8) }, 12 * s, ""},
		{"eight that were due before", nil, func(w *Window) { ok(w, 9*s, 8) }, 12 * s, FaultRecovering},
		{"one failed among them", nil, func(w *Window) {
			ok(w, 11*s, 7)
			w.Observe(&assay.Request{Due: 11 * s, End: 12 * s, Outcome: assay.Reset})
			ok(w, 11*s, 7)
		}, 12 * s, FaultRecovering},
		{"throttled among them", nil, func(w *Window) {
			ok(w, 11*s, 7)
			w.Observe(&assay.Request{Due: 11 * s, End: 12 * s, Outcome: assay.Throttled})
			ok(w, 11*s, 7)
		}, 12 * s, FaultRecovering},
		{"canaries do not count", nil, func(w *Window) {
			for range 20 {
				w.Observe(&assay.Request{Due: 11 * s, End: 12 * s, Outcome: assay.OK, Canary: true})
			}
		}, 12 * s, FaultRecovering},
		{"half a minute without a request", nil, func(*Window) {}, 41 * s, ""},
		{"the load ended", nil, func(w *Window) { w.Observe(event(assay.EventLoadEnd, 12*s)) }, 12 * s, ""},
		{"void", []*assay.Event{event(assay.EventFaultVoid, 9*s, "fault", "f1")}, func(*Window) {}, 12 * s, ""},
	} {
		w := New(Options{Clock: clock.New()})
		w.Observe(event(assay.EventFaultArmed, 5*s, "fault", "f1", "kind", "hang", "target", "w-1"))
		w.Observe(event(assay.EventFaultApplied, 6*s, "fault", "f1"))
		for _, e := range c.before {
			w.Observe(e)
		}
		w.Observe(event(assay.EventFaultReverted, 10*s, "fault", "f1"))
		w.Observe(event(assay.EventFaultClear, 10*s, "fault", "f1"))
		c.then(w)
		got := ""
		if fs := w.State(c.at).Faults; len(fs) > 0 {
			got = fs[0].State
		}
		if got != c.want || w.known["f1"].State != c.want || w.known["f1"].Kind != "hang" {
			t.Errorf("%s: got %q and %+v, want %q", c.name, got, w.known["f1"], c.want)
		}
	}
	w := New(Options{Clock: clock.New()})
	w.Observe(event(assay.EventFaultApplied, 6*s, "fault", "f1", "kind", "hang"))
	w.Observe(event(assay.EventFaultReverted, 10*s, "fault", "f1"))
	ok(w, 11*s, 20)
	if fs := w.State(12 * s).Faults; len(fs) != 1 {
		t.Errorf("a fault whose revert is not verified is over: %+v", fs)
	}
	w.Observe(event(assay.EventFaultClear, 13*s, "fault", "f1"))
	if fs := w.State(13 * s).Faults; len(fs) != 0 {
		t.Errorf("its users were well, and it is not over: %+v", fs)
	}
}
