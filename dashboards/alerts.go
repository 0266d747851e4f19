package dashboards

import (
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// alerts writes whether the expected alerts would have woken someone, if the plan asks.
func (p *page) alerts() {
	if s := alertsLine(p.r); s != "" {
		p.para("ALERTS", 11, s)
	}
}

func alertsLine(r *assay.Report) string {
	var parts []string
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric != "alert/delay" {
			continue
		}
		name, q := f.Labels["alert"], f.Quantity
		switch {
		case !q.Known():
			parts = append(parts, name+" "+q.Reason)
		case !math.IsNaN(q.Value):
			parts = append(parts, strings.TrimSpace(name+" fired "+Value(q)+" "+Bracket(q)+" after the first fault"))
		default:
			parts = append(parts, name+" DID NOT FIRE in the "+In(q.Lo, q.Unit)+" from the first fault on")
		}
	}
	return strings.Join(parts, "; ")
}
