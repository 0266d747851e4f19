package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// replays writes what alerting rules would have done.
func (p *page) replays() {
	if len(p.r.Replays) == 0 {
		return
	}
	p.para("REPLAY", 11, replayHead(p.r))
	for i := range p.r.Replays {
		p.para("", 2, replayName(&p.r.Replays[i])+" "+replayLine(p.r, &p.r.Replays[i]))
	}
	for _, s := range replayDoubts(p.r) {
		p.para("", 2, s)
	}
}

func (m *markdown) replays() {
	if len(m.r.Replays) == 0 {
		return
	}
	m.printf("### Alerting rules, replayed\n\n%s.\n\n", mdText(capital(replayHead(m.r))))
	for i := range m.r.Replays {
		x := &m.r.Replays[i]
		m.printf("* **%s** %s\n", mdText(replayName(x)), mdText(replayLine(m.r, x)))
	}
	for _, s := range replayDoubts(m.r) {
		m.printf("* %s\n", mdText(s))
	}
	m.printf("\n")
}

// replayHead says what was replayed on what.
func replayHead(r *assay.Report) string {
	var on []string
	steps := map[int64]bool{}
	for i := range r.Replays {
		if x := &r.Replays[i]; !slices.Contains(on, x.On) {
			on = append(on, x.On)
		}
		steps[r.Replays[i].Step] = true
	}
	s := Things(len(r.Replays), "alerting rules") + " evaluated on " + strings.Join(on, " and on ")
	if len(steps) == 1 {
		s += fmt.Sprintf(" each %s: instants are known to that", Duration(seconds(r.Replays[0].Step)))
	}
	return s
}

// replayName names a rule: page AvailabilitySLO.
func replayName(x *assay.Replay) string {
	name := strings.TrimSpace(x.Severity + " " + x.Alert)
	if x.File != "" {
		name += " of " + x.File
	}
	return name
}

// replayLine tells what a rule made of each incident.
func replayLine(r *assay.Report, x *assay.Replay) string {
	var parts []string
	quiet := 0
	var already, missed []int // indexes of Looks
	for i := range x.Looks {
		switch d := &x.Looks[i]; {
		case wasFiring(*d):
			already = append(already, i)
		case d.Fires == 0 && d.Hurt && d.Delay.Known():
			missed = append(missed, i)
		}
	}
	for i := range x.Looks {
		d := &x.Looks[i]
		switch {
		case len(already) > 1 && slices.Contains(already, i):
			if i == already[0] {
				parts = append(parts, "was firing already when "+Things(len(already), "incidents")+" began, the first at "+Instant(d.Begin, r.Begin))
			}
			continue
		case len(missed) > 2 && slices.Contains(missed, i):
			if i == missed[0] {
				parts = append(parts, "DID NOT FIRE in "+Things(len(missed), "incidents")+", the first at "+Instant(d.Begin, r.Begin))
			}
			continue
		}
		if d.Fires == 0 && !d.Hurt {
			quiet++
			continue
		}
		parts = append(parts, detectionText(r, d))
	}
	if quiet > 0 {
		parts = append(parts, "rightly quiet in "+Things(quiet, "incidents")+" that hurt nobody")
	}
	switch {
	case len(x.Fired) == 0 && len(parts) == 0:
		parts = append(parts, "did not fire, and nothing called for it")
	case x.False == 1:
		parts = append(parts, "fired once WITHOUT AN INCIDENT, at "+Instant(x.FalseAt, r.Begin))
	case x.False > 1:
		parts = append(parts, fmt.Sprintf("fired %d times WITHOUT AN INCIDENT, first at %s", x.False, Instant(x.FalseAt, r.Begin)))
	}
	if len(x.Over) > 0 {
		parts = append(parts, overText(r, x))
	}
	return strings.Join(parts, "; ")
}

// wasFiring reports whether an incident began while the alert was firing for another.
func wasFiring(d assay.Detection) bool {
	return d.Fires == 0 && strings.HasSuffix(d.Delay.Reason, "it was firing already")
}

// overText tells of alerts without an incident that were right by the budget.
func overText(r *assay.Report, x *assay.Replay) string {
	o := &x.Over[0]
	s := "fired"
	if n := len(x.Over); n > 1 {
		s += fmt.Sprintf(" %d times, first", n)
	}
	bad := Measure(o.Bad) + " of " + NText(o.Bad) + " were bad"
	if o.Bad.Of != "requests" {
		bad = "what the metrics tell of was bad to " + Whole(o.Bad)
	}
	return s + fmt.Sprintf(" at %s without an incident, but RIGHTLY by the budget: in the %s before %s, and %s allows %s", Instant(o.At, r.Begin), promrules.Span(time.Duration(o.Window)), bad, o.SLO, Percent(o.Allowed))
}

func detectionText(r *assay.Report, d *assay.Detection) string {
	name := d.Kind
	switch {
	case d.Fault != "":
		name = "fault " + d.Kind
	case d.Kind == string(assay.Natural):
		name = "failure"
	case d.Kind == "slow":
		name = "slow stretch"
	}
	name += " at " + Instant(d.Begin, r.Begin)
	switch q := d.Delay; {
	case d.Fires == 0 && !q.Known():
		return name + ": " + q.Reason
	case d.Fires == 0:
		return name + ": DID NOT FIRE in " + In(q.Lo, q.Unit)
	}
	s := name + ": would have fired " + strings.TrimSpace(Value(d.Delay)+" "+Bracket(d.Delay)) + " after it began"
	if d.Fires > 1 {
		s += fmt.Sprintf(" and FLAPPED, %d times", d.Fires)
	}
	switch {
	case math.IsNaN(d.Resolve.Value):
		s += ", still firing at the end of the run"
	case d.Resolve.Known():
		s += ", gone " + Measure(d.Resolve) + " after it ended"
	}
	return s
}

// replayDoubts gathers what is to be known of the replays, each once.
func replayDoubts(r *assay.Report) (out []string) {
	for i := range r.Replays {
		for _, w := range r.Replays[i].Warnings {
			if s := replayName(&r.Replays[i]) + ": " + w; len(r.Replays) > 1 && !shared(r, w) {
				w = s
			}
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

// shared reports whether several replays say the same.
func shared(r *assay.Report, warning string) bool {
	n := 0
	for i := range r.Replays {
		if slices.Contains(r.Replays[i].Warnings, warning) {
			n++
		}
	}
	return n > 1
}

// replayRow is one rule of the page.
type replayRow struct {
	Name, Line string
	Bad        bool
}

func (v *view) replays(r *assay.Report) {
	if len(r.Replays) == 0 {
		return
	}
	v.ReplayHead, v.ReplayDoubts = capital(replayHead(r)), replayDoubts(r)
	for i := range r.Replays {
		x := &r.Replays[i]
		row := replayRow{Name: replayName(x), Line: replayLine(r, x), Bad: x.False > 0}
		for _, d := range x.Looks {
			row.Bad = row.Bad || d.Hurt && d.Fires == 0 && d.Delay.Known()
		}
		v.Replays = append(v.Replays, row)
	}
	v.Burn = burnChart("burn", r)
}

// pageFactor is the burn rate of the first page of a promise.
func pageFactor(s *assay.SLO) float64 { return promrules.Pairs(time.Duration(s.Window))[0].Factor }
