package analyzers

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// The times from a breach to the full revert count to the last fault that was in force, and add up.
func TestAbort(t *testing.T) {
	life := func(id string, applied, reverted, clear int64) []assay.Event {
		out := []assay.Event{{Time: applied - msec, Kind: assay.EventFaultArmed, Fault: id, Attrs: map[string]string{"kind": "hang", "target": "w-1"}},
			{Time: applied, Kind: assay.EventFaultApplied, Fault: id}}
		if reverted > 0 {
			out = append(out, assay.Event{Time: reverted, Kind: assay.EventFaultReverted, Fault: id})
		}
		if clear > 0 {
			out = append(out, assay.Event{Time: clear, Kind: assay.EventFaultClear, Fault: id})
		}
		return out
	}
	const at, since = 30 * sec, 30*sec - 120*msec
	for _, tt := range []struct {
		name   string
		faults [][]assay.Event
		want   map[string]string
		why    string
	}{
		{"the slowest of three", [][]assay.Event{life("f1", 10*sec, 12*sec, 12*sec+msec), life("f2", 20*sec, 30*sec+40*msec, 30*sec+50*msec), life("f3", 20*sec, 30*sec+900*msec, 31*sec)},
			map[string]string{"abort/detect": "120 ms n=1", "abort/revert": "1000 ms n=2", "abort/total": "1120 ms n=2"},
			"a guard stopped the run: guard: it was too much, noticed 0.12 s after it began; all faults are reverted, verified 1 s after that: 1.12 s from breach to full revert"},
		{"none in force", [][]assay.Event{life("f1", 10*sec, 12*sec, 12*sec+msec)},
			map[string]string{"abort/detect": "120 ms n=1", "abort/revert": "not measured, because no fault was in force", "abort/total": "not measured, because no fault was in force"},
			"a guard stopped the run: guard: it was too much, noticed 0.12 s after it began; no fault was in force"},
		{"one remains", [][]assay.Event{life("f1", 10*sec, 0, 0)},
			map[string]string{"abort/detect": "120 ms n=1", "abort/revert": "not measured, because hang of w-1 may remain", "abort/total": "not measured, because hang of w-1 may remain"},
			"a fault may still be active: hang of w-1: no revert was recorded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := quiet()
			run.M.Resolution = 1000
			run.M.End = assay.Ending{Status: assay.EndAborted, Reason: "guard: it was too much"}
			for _, f := range tt.faults {
				run.E = append(run.E, f...)
			}
			run.E = append(run.E, assay.Event{Time: at, Kind: assay.EventGuardBreach, Text: "it was too much",
				Attrs: map[string]string{"guard": "error_ratio", "value": "0.9", "since_ns": decimal(since)}})
			r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "abort")...)
			got := map[string]string{}
			for _, f := range r.Findings {
				if strings.HasPrefix(f.Metric, "abort/") {
					got[f.Metric] = f.Quantity.Reason
					if f.Quantity.Known() {
						got[f.Metric] = decimal(int64(f.Quantity.Value*1e3+.5)) + " ms n=" + decimal(int64(f.Quantity.N))
					}
					if d := cmp.Diff([]string{"guard error_ratio: it was too much"}, f.Evidence); d != "" {
						t.Errorf("%s: evidence (-want +got):\n%s", f.Metric, d)
					}
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if r.Why != tt.why {
				t.Errorf("why %q, want %q", r.Why, tt.why)
			}
		})
	}
	if r := assess(t, quiet(), "abort"); len(r.Findings) > 0 {
		t.Errorf("a run without a breach: %+v", r.Findings)
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
