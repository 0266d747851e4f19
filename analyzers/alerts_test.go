package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// An alert counts from the first fault; one that did not fire would have taken longer than it was watched, which can fail an objective.
func TestAlerts(t *testing.T) {
	event := func(at int64, name, state string, attrs ...string) assay.Event {
		e := assay.Event{Time: at, Kind: assay.EventAlert, Text: name + " " + state, Attrs: map[string]string{"alert": name, "state": state}}
		for i := 0; i < len(attrs); i += 2 {
			e.Attrs[attrs[i]] = attrs[i+1]
		}
		return e
	}
	fault := []assay.Event{{Time: 10 * sec, Kind: assay.EventFaultArmed, Fault: "f1", Attrs: map[string]string{"kind": "hang", "target": "w-1"}}, {Time: 10 * sec, Kind: assay.EventFaultApplied, Fault: "f1"},
		{Time: 12 * sec, Kind: assay.EventFaultClear, Fault: "f1"}}
	watched := []assay.Event{event(sec, "A", "watched"), event(sec, "B", "watched"), event(sec, "C", "watched"), event(sec, "D", "watched"),
		event(5*sec, "C", "firing", "gap_ns", "1000"), event(9*sec, "D", "quiet", "error", "status 503"), event(14*sec, "A", "firing", "gap_ns", decimal(2*sec)), event(40*sec, "B", "quiet"), event(40*sec, "A", "still")}
	type row struct {
		Value, Lo, Hi int64 // ms; -1 for none
		Reason        string
	}
	table := func(r *assay.Report) map[string]row {
		got := map[string]row{}
		for _, f := range r.Findings {
			if f.Metric == "alert/delay" {
				q := f.Quantity
				x := row{-1, -1, -1, q.Reason}
				for to, v := range map[*int64]float64{&x.Value: q.Value, &x.Lo: q.Lo, &x.Hi: q.Hi} {
					if v >= 0 && v < 1e6 {
						*to = int64(v*1e3 + .5)
					}
				}
				got[f.Labels["alert"]] = x
			}
		}
		return got
	}
	run := quiet()
	run.M.Resolution = 1000
	run.E = append(append(run.E, watched...), fault...)
	run.M.Objectives = []assay.Objective{{Metric: "alert/delay", Labels: map[string]string{"alert": "A"}, Max: float(5)}, {Metric: "alert/delay", Labels: map[string]string{"alert": "B"}, Max: float(20)},
		{Metric: "alert/delay", Labels: map[string]string{"alert": "B"}, Max: float(60)}}
	r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "alerts")...)
	want := map[string]row{"A": {4000, 2000, 4000, ""}, "B": {-1, 30000, -1, ""}, "C": {-1, -1, -1, "not measured, because it fired before the first fault"},
		"D": {-1, -1, -1, "not measured, because nobody could tell what fired: status 503"}}
	if d := cmp.Diff(want, table(r)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var verdicts []assay.Verdict
	for _, j := range r.Objectives {
		verdicts = append(verdicts, j.Verdict)
	}
	if d := cmp.Diff([]assay.Verdict{assay.VerdictPass, assay.VerdictFail, assay.VerdictInconclusive}, verdicts); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}

	run = quiet()
	run.E = append(run.E, watched[0])
	if d := cmp.Diff(map[string]row{"A": {-1, -1, -1, "not measured, because no fault was applied"}}, table(assess(t, run, "alerts"))); d != "" {
		t.Errorf("without a fault (-want +got):\n%s", d)
	}
	run.E = append(run.E, fault...)
	if d := cmp.Diff(map[string]row{"A": {-1, -1, -1, "not measured, because the run ended before its alerts were looked at"}}, table(assess(t, run, "alerts"))); d != "" {
		t.Errorf("of a run that was killed (-want +got):\n%s", d)
	}
}
