package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// coarseClock is the resolution, in ns, from which the terminal view tells of a clock.
const coarseClock = int64(100e6)

// clocksLine names the coarsest source of each family of findings, of those that are coarser than least; nothing where there is none.
func clocksLine(r *assay.Report, least int64) string {
	var parts []string
	for _, c := range r.Trust.Clocks {
		if max(c.Resolution, c.Error) < least {
			continue
		}
		s := c.Family + " " + within(seconds(c.Resolution)) + " (" + c.Source
		if c.Error > 0 {
			s += ", its clock " + within(seconds(c.Error))
		}
		parts = append(parts, s+")")
	}
	if parts == nil {
		return ""
	}
	return "coarsest clocks: " + strings.Join(parts, "; ")
}
