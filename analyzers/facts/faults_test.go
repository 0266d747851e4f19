package facts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// Faults stand in the order in which they were armed or given up; the undo that was verified first ended them; one that was over before its time was cut, unless its effect is the end of its victim.
func TestLivesOfFaults(t *testing.T) {
	of := func(id string, e assay.Event) assay.Event {
		e.Fault = id
		return e
	}
	told := func(e assay.Event, text string) assay.Event {
		e.Text = text
		return e
	}
	run := hand()
	run.E = append(run.E,
		of("a", faultEvent(20*second, assay.EventFaultArmed, "kind", "hang", "target", "w-1", "for_ns", "1200000000000")),
		of("a", faultEvent(20*second+ms, assay.EventFaultApplied)), of("a", faultEvent(20*second+2*ms, assay.EventFaultVerified)),
		of("a", told(faultEvent(22*second, assay.EventFaultReverted), "the run was stopped: the load ended")), of("a", faultEvent(22*second+ms, assay.EventFaultClear)),
		of("a", faultEvent(25*second, assay.EventFaultReverted)), of("a", faultEvent(25*second+ms, assay.EventFaultClear)),
		of("b", told(faultEvent(26*second, assay.EventFaultVoid), "no instance was ready")),
		of("c", faultEvent(27*second, assay.EventFaultArmed, "kind", "hang", "target", "w-1", "for_ns", "1000000000")),
		of("c", faultEvent(27*second, assay.EventFaultApplied)),
		of("c", faultEvent(28*second, assay.EventFaultReverted)), of("c", told(faultEvent(28*second+ms, assay.EventFaultRemaining), "still frozen")),
		of("c", faultEvent(29*second, assay.EventFaultReverted)), of("c", faultEvent(29*second+ms, assay.EventFaultClear)))
	for id, text := range map[string]string{"d": "ended early: the process is gone", "e": "over with its victim: the process is gone", "f": ""} {
		at := 40*second + int64(id[0])
		run.E = append(run.E, of(id, faultEvent(at, assay.EventFaultArmed, "kind", "hang", "target", "w-1", "for_ns", "3000000000")), of(id, faultEvent(at, assay.EventFaultApplied)),
			of(id, told(faultEvent(42*second, assay.EventFaultReverted), text)), of(id, faultEvent(42*second+ms, assay.EventFaultClear)))
	}
	type life struct {
		ID              string
		Reverted, Clear int64
		Cut, Remains    string
	}
	var got []life
	for _, w := range compute(t, run).Faults {
		got = append(got, life{w.ID, w.Reverted, w.Clear, w.Cut, w.Remains})
	}
	want := []life{{"a", 22 * second, 22*second + ms, "the load ended", ""}, {"b", 0, 0, "", ""}, {"c", 29 * second, 29*second + ms, "", ""},
		{"d", 42 * second, 42*second + ms, "the process is gone", ""}, {"e", 42 * second, 42*second + ms, "", ""}, {"f", 42 * second, 42*second + ms, "the run was over", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
