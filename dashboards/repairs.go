package dashboards

import (
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// mttrLine says how long repairs take, of the given subjects; nothing where none was seen or too few.
func mttrLine(r *assay.Report, of ...string) string {
	var parts []string
	for _, s := range of {
		m := r.Find("mttr/" + s + "/median")
		if m == nil || !m.Quantity.Known() {
			continue
		}
		t := s + " median " + Measure(m.Quantity)
		for _, k := range []string{"mean", "p90"} {
			if f := r.Find("mttr/" + s + "/" + k); f != nil && f.Quantity.Known() {
				t += ", " + k + " " + Measure(f.Quantity)
			}
		}
		parts = append(parts, t+" ("+strings.Join(m.Evidence, "; ")+")")
	}
	if len(parts) == 0 {
		return ""
	}
	return "time to repair: " + strings.Join(parts, "; ")
}

// longestRepair says how the longest natural failure of the service was met; nothing where there was none.
func longestRepair(r *assay.Report) string {
	var worst *assay.Repair
	long := func(q assay.Quantity) float64 {
		if math.IsNaN(q.Value) {
			return q.Lo
		}
		return q.Value
	}
	for i := range r.Repairs {
		if x := &r.Repairs[i]; worst == nil || long(x.Down) > long(worst.Down) {
			worst = x
		}
	}
	if worst == nil {
		return ""
	}
	s := "longest failure, at " + Instant(worst.Begin, r.Begin) + ": users were down " + Measure(worst.Down)
	if worst.Detect.Known() {
		s += " = detect " + Brief(worst.Detect) + " + isolate " + Brief(worst.Isolate) + " + restore " + Brief(worst.Restore)
	} else {
		_, why, _ := strings.Cut(worst.Detect.Reason, ", because ")
		s += "; " + why
	}
	if worst.Verify.Known() {
		s += "; " + Brief(worst.Verify) + " more to verify that it was over"
	}
	return s
}

// coverageLines say what the faults of a run amount to beyond each of them: coverage, how far they reached, and what they would cost.
func coverageLines(r *assay.Report) []string {
	var out []string
	if f := r.Find("recovery/coverage"); f != nil && f.Quantity.Known() {
		s := "coverage " + Measure(f.Quantity) + " of " + NText(f.Quantity)
		if _, how, ok := strings.Cut(f.Quantity.Method, "by kind of fault, "); ok {
			how, _, _ = strings.Cut(how, ";")
			s += ", by kind, " + how
		}
		if len(f.Warnings) > 0 {
			s += "; " + strings.Join(f.Warnings, "; ")
		}
		out = append(out, s)
	}
	if a := r.Find("blast/requests"); a != nil && a.Quantity.Known() {
		s := "blast radius of the "
		if n := a.Quantity.N; n > 1 {
			s += "worst of " + NText(a.Quantity)
		} else {
			s += "fault"
		}
		s += ": " + Measure(a.Quantity) + " of requests"
		if b := r.Find("blast/users"); b != nil && b.Quantity.Known() {
			s += ", " + Measure(b.Quantity) + " of users"
		}
		if b := r.Find("blast/user_time"); b != nil && b.Quantity.Known() {
			s += ", " + Value(b.Quantity) + " of users' time"
		}
		out = append(out, s+" in its window and washout")
	}
	if s := mttrLine(r, "user", "capacity"); s != "" {
		out = append(out, s)
	}
	if f := r.Find("whatif/unavailability"); f != nil {
		s := "WHAT-IF " + Measure(f.Quantity) + " of full service lost, by " + NText(f.Quantity)
		if !f.Quantity.Known() {
			s = "WHAT-IF " + f.Quantity.Reason
		}
		out = append(out, strings.Join(slices.Concat([]string{s}, f.Evidence, f.Warnings), "; "))
	}
	return out
}
