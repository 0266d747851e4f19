package dashboards

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// What the views say of faults. Verdicts are decided by the analyzers; here they are put into words.

// faultNotes says what a reader must know about a fault beyond its row: why it is no pass, what may help, which figure is missing. What makes the whole
// run invalid is said at its top and not again for each fault.
func faultNotes(r *assay.Report, f assay.FaultResult) []string {
	var notes []string
	if f.Window.Remains != "" {
		notes = append(notes, "MAY REMAIN: "+f.Window.Remains)
	}
	if s := stateNote(f); s != "" && (r.Trust.Valid || f.State == assay.VoidFault || f.State == assay.Unmeasured || verdictOf(f) == assay.FaultFail) {
		notes = append(notes, s)
	}
	if s := basisNote(f); s != "" {
		notes = append(notes, s)
	}
	if f.Advice != "" {
		notes = append(notes, "advice: "+f.Advice)
	}
	if f.State != assay.VoidFault && f.State != assay.Unmeasured {
		because := map[string][]string{} // figures by the reason that they miss
		var reasons []string
		for _, part := range []struct {
			name string
			q    assay.Quantity
		}{{"detect", f.Detect}, {"isolate", f.Isolate}, {"recover", f.Restore}, {"total", f.User}} {
			if part.q.Known() {
				continue
			}
			if because[part.q.Reason] == nil {
				reasons = append(reasons, part.q.Reason)
			}
			because[part.q.Reason] = append(because[part.q.Reason], part.name)
		}
		for _, reason := range reasons {
			notes = append(notes, strings.Join(because[reason], ", ")+" "+reason)
		}
	}
	return append(notes, f.Warnings...)
}

// basisNote says what an effect that was not measured is known by; "" where it was measured, or the verdict already says it.
func basisNote(f assay.FaultResult) string {
	switch {
	case verdictOf(f) == assay.FaultVoid || f.Window.Effect == "" || strings.Contains(f.Why, f.Window.Effect):
	case f.Window.Basis == assay.EffectTold:
		return "its effect is told, not measured: " + f.Window.Effect
	case f.Window.Basis == assay.EffectUntested:
		return "its effect is not tested: " + f.Window.Effect
	}
	return ""
}

// verdictText writes a fault's verdict for a cell, with what its effect is known by where nobody measured it.
func verdictText(f assay.FaultResult) string {
	v := verdictOf(f)
	if b := f.Window.Basis; (b == assay.EffectTold || b == assay.EffectUntested) && (v == assay.FaultPass || v == assay.FaultFail) {
		return fmt.Sprintf("%s (%s)", v, b)
	}
	return string(v)
}

// verdictOf returns a fault's verdict, also of a result that was written before there were verdicts.
func verdictOf(f assay.FaultResult) assay.FaultVerdict {
	switch {
	case f.Verdict != "":
		return f.Verdict
	case f.Window.Remains != "" || f.State == assay.Unrecovered:
		return assay.FaultFail
	case f.Window.Simulated && f.State != assay.VoidFault:
		return assay.FaultSimulated
	case f.State == assay.VoidFault:
		return assay.FaultVoid
	case f.State == assay.Unmeasured:
		return assay.FaultUnmeasured
	}
	return assay.FaultPass
}

// faultSign marks a fault's verdict by shape, not colour.
func faultSign(v assay.FaultVerdict) string {
	switch v {
	case assay.FaultPass:
		return "✓"
	case assay.FaultFail:
		return "✗"
	case assay.FaultVoid:
		return "∅"
	case assay.FaultSimulated:
		return "≈"
	}
	return "?"
}

// stateNote says why a fault is no pass.
func stateNote(f assay.FaultResult) string {
	switch v := verdictOf(f); {
	case v == assay.FaultVoid:
		return "void, because " + orElse(f.Why, orElse(f.Window.Void, "it was not in effect")) + "; counts for nothing"
	case v == assay.FaultUnmeasured:
		return "unmeasured, because " + orElse(f.Why, "its victim carried too little traffic to be felt") + map[bool]string{true: "; not counted as tolerated"}[f.State == assay.Unmeasured]
	case v == assay.FaultSimulated:
		return "simulated: " + orElse(f.Why, "nothing was hurt")
	case v == assay.FaultFail && f.Window.Remains == "":
		return "failed: " + orElse(f.Why, "users had not recovered when the run ended")
	}
	return ""
}

// scoreText writes a score for a cell.
func scoreText(q assay.Quantity) string {
	if !q.Known() {
		return "–"
	}
	return fmt.Sprintf("%.2f", q.Value)
}

// scoreBounds writes what a score lies between, "" where that is the score itself as it is written: it is one of this run, and no estimate.
func scoreBounds(q assay.Quantity) string {
	lo, hi := fmt.Sprintf("%.2f", q.Lo), fmt.Sprintf("%.2f", q.Hi)
	if lo == hi {
		return ""
	}
	return " [" + lo + ", " + hi + "]"
}

// runScore writes the score of the run with what it rests on; "" where there is none.
func runScore(r *assay.Report) string {
	f := r.Find("score")
	switch {
	case f == nil:
		return ""
	case !f.Quantity.Known():
		return "score " + f.Quantity.Reason
	}
	q := f.Quantity
	var weights []string
	for i := range r.Faults {
		if parts := r.Faults[i].Parts; len(parts) > 0 {
			for _, part := range parts {
				weights = append(weights, part.Name+" "+Percent(part.Weight))
			}
			break
		}
	}
	s := "score " + scoreText(q) + scoreBounds(q) + " of 1"
	if weights != nil {
		s += " (" + strings.Join(weights, ", ") + ")"
	}
	s += fmt.Sprintf("; %d %s measured", q.N, q.Of)
	real := 0
	for i := range r.Faults {
		if !r.Faults[i].Window.Simulated {
			real++
		}
	}
	if q.N < real {
		s += ", what was not counts as 0"
	}
	if r.Suite != nil && slices.ContainsFunc(r.Suite.Steps, func(st assay.StepResult) bool { return len(st.Faults) == 0 }) {
		s += "; steps of the suite that were not done count as 0"
	}
	return s
}

// lostText writes how many requests a fault cost and how they ended: "9: 7 timeout, 2 reset; 3 slow".
func lostText(f assay.FaultResult) string {
	how, of := lostWays(f), ""
	if f.Touched > 0 {
		of = " of " + Integer(f.Touched)
	}
	one, alike := strings.CutPrefix(how, fmt.Sprint(f.Lost, " ")) // all ended in one way
	switch {
	case how == "":
		return Integer(f.Lost) + of
	case f.Lost == 0:
		return "0" + of + "; " + how
	case alike && of == "":
		return how
	case alike:
		how = one
	}
	return Integer(f.Lost) + of + ": " + how
}

// lostWays says how the requests that a fault cost ended, most frequent first, and how many were slow. Where only streams are told, these.
func lostWays(f assay.FaultResult) string {
	by := f.Outcomes
	if len(by) == 0 {
		by = f.Streams
	}
	s := streamText(by)
	switch {
	case s == "none" && f.Slow == 0:
		return ""
	case s == "none":
		return fmt.Sprintf("%s slow", Integer(f.Slow))
	case f.Slow > 0:
		s += fmt.Sprintf("; %s slow", Integer(f.Slow))
	}
	return s
}

// hypothesisLines says what was seen of each part of the steady state around each fault. Where it held throughout, one line tells of all faults.
func hypothesisLines(r *assay.Report) []string {
	var names, lines []string
	held, kept := map[string]int{}, map[string]int{}
	for _, h := range r.Hypotheses {
		at := slices.IndexFunc(r.Faults, func(f assay.FaultResult) bool { return f.Window.ID == h.Fault })
		if at >= 0 && r.Faults[at].Window.Applied == 0 { // it never struck: the state was not looked at around it
			if h.Before.OK != "true" && h.Before.OK != "" {
				kept[fmt.Sprintf("%s: before %s", h.Name, lookText(h.Before))]++
			}
			continue
		}
		if h.Before.OK == "true" && h.After.OK == "true" && h.During.OK != "false" {
			if held[h.Name]++; held[h.Name] == 1 {
				names = append(names, h.Name)
			}
			continue
		}
		name := h.Name
		if at >= 0 {
			name = fmt.Sprintf("%d %s: %s", at+1, r.Faults[at].Window.Kind, name)
		}
		lines = append(lines, fmt.Sprintf("%s: before %s, during %s, after %s", name, lookText(h.Before), lookText(h.During), lookText(h.After)))
	}
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%s: held around %s", name, Things(held[name], "faults")))
	}
	all = append(all, lines...)
	for _, s := range slices.Sorted(maps.Keys(kept)) {
		all = append(all, fmt.Sprintf("%s, so that %s not injected", s, wasOrWere(kept[s])))
	}
	return all
}

func wasOrWere(n int) string {
	if n == 1 {
		return "1 fault was"
	}
	return fmt.Sprintf("%d faults were", n)
}

// lookText writes one look: held, BROKEN, not looked at, or not known and why.
func lookText(l assay.Look) string {
	s, told := map[string]string{"true": "held", "false": "BROKEN", "": "not looked at"}[l.OK]
	about := l.Value
	if !told {
		s, about = "not known", orElse(l.Text, l.Value)
	}
	if about != "" {
		s += " (" + about + ")"
	}
	return s
}

// lifeText writes the stages of a fault itself: injected in 2 ms, effect after 5 ms, held 6 s, revert verified in 30 ms.
func lifeText(l assay.FaultLife) string {
	var parts []string
	for _, p := range []struct {
		word string
		q    assay.Quantity
	}{{"injected in", l.Inject}, {"effect seen after", l.Effect}, {"held", l.Hold}, {"revert verified in", l.Verify}} {
		if p.q.Known() && p.q.Unit != "" {
			parts = append(parts, p.word+" "+Value(p.q))
		}
	}
	return strings.Join(parts, ", ")
}
