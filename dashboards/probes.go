package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// probesLine tells the three availabilities apart, where anything looked at what the target says of itself; nothing where nothing did.
func probesLine(r *assay.Report) string {
	looked := false
	var parts []entry
	for _, k := range []string{"live", "ready", "serving"} {
		f := r.Find("availability/" + k)
		if f == nil {
			continue
		}
		looked = looked || k != "serving" && len(f.Evidence) > 0
		s := k + " " + Measure(f.Quantity)
		switch {
		case f.Quantity.Known():
			if k != "serving" && len(f.Evidence) > 1 {
				s += " (" + f.Evidence[1] + ")"
			}
		case len(f.Evidence) > 0:
			_, why, _ := strings.Cut(f.Quantity.Reason, "because ")
			s = k + " " + reasonKind(f.Quantity.Reason) + ", " + strings.TrimSuffix(why, ", and so nothing bounds how long one would last")
			if good, ok := strings.CutPrefix(why, "it was good in all of "); ok {
				s = k + " in all of " + strings.TrimSuffix(good, ", and so nothing bounds how long a failure would last")
			}
		}
		parts = append(parts, entry{s, f.Quantity})
	}
	if !looked {
		return ""
	}
	return "by three signals: " + listed(parts, "; ")
}
