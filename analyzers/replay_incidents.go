package analyzers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
	"github.com/assay-dev/assay/internal/stat"
)

// An incident is what an alert may be about.
type incident struct {
	kind, fault string
	begin, end  int64
	hurt        bool // users felt it: an alert is owed
	lost        bool // requests failed
}

// incidentsOf returns the faults that were in effect, the natural failures of the service and the stretches of overload on purpose, in order of begin.
func incidentsOf(f *assay.Facts, r *assay.Report) []incident {
	var out []incident
	for i := range r.Faults {
		x := &r.Faults[i]
		w := &x.Window
		if w.Applied == 0 || x.State == assay.VoidFault {
			continue
		}
		in := incident{kind: w.Kind, fault: w.ID, begin: w.Applied, end: max(w.Applied, cmp.Or(w.Reverted, w.Clear, f.End)), hurt: x.Lost+x.Slow > 0, lost: x.Lost > 0}
		if x.State == assay.Unrecovered {
			in.end = f.End
		} else if x.User.Known() && x.User.Value > 0 {
			in.end = max(in.end, w.Applied+int64(x.User.Value*1e9))
		}
		out = append(out, in)
	}
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.Service && e.Ledger == assay.Natural {
			out = append(out, incident{kind: string(assay.Natural), begin: e.Begin, end: max(e.Begin, e.End, e.EndHi), hurt: true, lost: true})
		}
	}
	for _, s := range f.Segments {
		if s.Ledger == assay.Overload {
			out = append(out, incident{kind: string(assay.Overload), begin: s.Begin, end: s.End})
		}
	}
	slices.SortStableFunc(out, func(a, b incident) int { return cmp.Compare(a.begin, b.begin) })
	return out
}

// look tells each time that the alert fired to the incident that it belongs to, or to the promise that was broken. made is the time between two samples of series made of
// requests, and m holds what the rules recorded.
func (p *replayPass) look(x *assay.Replay, incidents []incident, made int64, m *promrules.Memory) {
	fired := make([][]assay.Interval, len(incidents))
	for _, in := range x.Fired {
		of := -1
		for i := range incidents {
			if p.belongs(x, incidents[i], in.Begin, made) {
				of = i
			}
		}
		if of < 0 {
			if o, over := p.overspent(x, in.Begin, m); over {
				x.Over = append(x.Over, o)
			} else {
				if x.False++; x.False == 1 {
					x.FalseAt = in.Begin
				}
			}
			continue
		}
		fired[of] = append(fired[of], in)
	}
	const of, method = "alerts", "evaluations at which the rule would have fired"
	for i, in := range incidents {
		if in.kind == slow && !in.hurt && len(fired[i]) == 0 {
			continue // none of a person's own rule
		}
		d := assay.Detection{Kind: in.kind, Fault: in.fault, Begin: in.begin, End: in.end, Hurt: in.hurt, Fires: len(fired[i])}
		until := p.f.End
		if i+1 < len(incidents) {
			until = incidents[i+1].begin
		}
		already := slices.ContainsFunc(x.Fired, func(s assay.Interval) bool { return s.Begin < in.begin && in.begin < s.End })
		switch {
		case len(fired[i]) > 0:
			late := fired[i][0].Begin - in.begin
			d.Delay = stretch(late, max(0, late-x.Step-made), late, 1, of, method+"; interval back to the evaluation and the sample before")
		case already:
			d.Delay = assay.NotMeasured(assay.Seconds, "it was firing already")
		case !in.hurt:
			d.Delay = assay.NotMeasured(assay.Seconds, "users felt nothing that it is about, and so no alert is owed")
		default:
			d.Delay = atLeast(max(0, until-in.begin), 1, of, "from the begin of the incident to the next one or the end, in which it did not fire")
		}
		d.Resolve = assay.NotMeasured(assay.Seconds, "it did not fire")
		if n := len(fired[i]); n > 0 {
			last := fired[i][n-1]
			gone := max(0, last.End-in.end)
			d.Resolve = stretch(gone, max(0, gone-x.Step-made), gone, 1, of, "end of the incident to the first evaluation at which it no longer fired")
			if x.Open && last.End >= x.Fired[len(x.Fired)-1].End {
				d.Resolve = atLeast(max(0, p.f.End-in.end), 1, of, "end of the incident to the end of the run, when it still fired")
			}
		}
		x.Looks = append(x.Looks, d)
	}
}

// replayFindings returns what a replay holds as findings.
func replayFindings(x *assay.Replay) []assay.Finding {
	labels := func(pairs ...string) map[string]string {
		out := map[string]string{"alert": x.Alert}
		if x.Severity != "" {
			out["severity"] = x.Severity
		}
		if x.SLO != "" {
			out["slo"] = x.SLO
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				out[pairs[i]] = pairs[i+1]
			}
		}
		return out
	}
	var out []assay.Finding
	owed, seen, flaps, blind := 0, 0, 0, ""
	for i := range x.Looks {
		d := &x.Looks[i]
		flaps += max(0, d.Fires-1)
		if d.Hurt {
			owed++
			if d.Fires > 0 || !d.Delay.Known() && blind == "" && d.Delay.Reason == firingAlready {
				seen++
			} else if !d.Delay.Known() {
				blind = d.Delay.Reason
			}
		}
		out = append(out, assay.Finding{Metric: "replay/delay", Labels: labels("fault", d.Kind, "id", d.Fault), Quantity: d.Delay, Evidence: []string{"on " + x.On}, Warnings: x.Warnings},
			assay.Finding{Metric: "replay/resolve", Labels: labels("fault", d.Kind, "id", d.Fault), Quantity: d.Resolve})
	}
	detected := counted(float64(seen)/float64(max(1, owed)), assay.Ratio, owed, "incidents that hurt users", "share for which the rule fired, in this run")
	switch {
	case owed == 0:
		detected = assay.NotMeasured(assay.Ratio, "nothing hurt users")
	case blind != "":
		detected = assay.NotMeasured(assay.Ratio, "what the rule asks for was not recorded")
	}
	count := func(n int) assay.Quantity {
		return counted(float64(n), assay.Count, len(x.Fired), "times that it fired", fmt.Sprintf("evaluated each %s", duration(seconds(x.Step))))
	}
	return append([]assay.Finding{{Metric: "replay/detected", Labels: labels(), Quantity: detected, Evidence: []string{"on " + x.On}, Warnings: x.Warnings},
		{Metric: "replay/flaps", Labels: labels(), Quantity: count(flaps)}, {Metric: "replay/false", Labels: labels(), Quantity: count(x.False)}}, out...)
}

const firingAlready = "not measured, because it was firing already"

// burnRate is the burn rate of a share of bad events.
func burnRate(bad float64, s *assay.SLO) float64 { return stat.BurnRate(bad, s.Target) }
