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
	s := "users: " + Integer(int(hurt.Quantity.Value*float64(n)+0.5)) + " of " + Integer(n) + " had a request that failed"
	if hurt.Quantity.Value > 0 {
		s += ", " + Measure(hurt.Quantity)
		var parts []string
		for _, over := range []struct{ label, words string }{{"1%", "1 %"}, {"10%", "10 %"}, {"50%", "half"}} {
			if f := r.Find("users/hurt", "over", over.label); f != nil && f.Quantity.Known() {
				parts = append(parts, Integer(int(f.Quantity.Value*float64(n)+0.5))+" of more than "+over.words+" of theirs")
			}
		}
		s += "; " + strings.Join(parts, ", ")
	}
	if t := r.Find("users/lost_time"); t != nil && t.Quantity.Known() && t.Quantity.Value > 0 {
		s += "; together they were down for " + Value(t.Quantity)
	}
	for _, w := range seen.Warnings {
		s += "; " + w
	}
	return s
}
