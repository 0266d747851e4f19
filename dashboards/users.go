package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// usersTold reports whether requests of the run told their users.
func usersTold(r *assay.Report) bool {
	f := r.Find("users/seen")
	return f != nil && f.Quantity.Known()
}

// usersTime is whose time availability by user counts.
func usersTime(r *assay.Report) string {
	if usersTold(r) {
		return "users' time"
	}
	return "classes' time (no request tells its user)"
}

// usersLine says which users were hurt by natural failures, and how badly.
func usersLine(r *assay.Report) string {
	seen, hurt := r.Find("users/seen"), r.Find("users/hurt")
	if !usersTold(r) || hurt == nil || !hurt.Quantity.Known() {
		return ""
	}
	n := hurt.Quantity.N
	of := func(f *assay.Finding) string { return Integer(int(f.Quantity.Value*float64(n) + 0.5)) }
	s := "users: " + of(hurt) + " of " + Integer(n) + " had a failed request, " + Measure(hurt.Quantity)
	if hurt.Quantity.Value > 0 {
		lost := " lost more than "
		for _, over := range []struct{ label, words string }{{"1%", "1 % of theirs"}, {"10%", "10 %"}, {"50%", "half"}} {
			if f := r.Find("users/hurt", "over", over.label); f != nil && f.Quantity.Known() {
				s, lost = s+", "+of(f)+lost+over.words, " more than "
			}
		}
	}
	if t := r.Find("users/lost_time"); t != nil && t.Quantity.Known() && t.Quantity.Value > 0 {
		s += "; down for " + Value(t.Quantity) + " of users' time"
	}
	if len(hurt.Evidence) > 0 {
		s += "; " + strings.Join(hurt.Evidence, "; ")
	}
	for _, w := range seen.Warnings {
		s += "; " + w
	}
	return s
}
