package facts

import (
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// phases pairs the begin and end events of the load's phases. A step of a search is
// named search/n, unless attributes say so.
func phases(events []assay.Event) []assay.Phase {
	var out []assay.Phase
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case assay.EventPhaseBegin:
			p := assay.Phase{Name: e.Phase, Role: assay.Role(e.Attrs["role"]), Begin: e.Time}
			if p.Role == "" {
				p.Role = assay.RoleSteady
			}
			p.Rate, _ = strconv.ParseFloat(e.Attrs["rate"], 64)
			p.Varies = e.Attrs["varies"] == "true"
			p.Planned, _ = strconv.Atoi(e.Attrs["planned"])
			p.Of, p.Step = step(e)
			p.Tightest, _ = strconv.ParseFloat(e.Attrs["tightest"], 64)
			out = append(out, p)
		case assay.EventPhaseEnd:
			for j := len(out) - 1; j >= 0; j-- {
				if out[j].Name == e.Phase && out[j].End == 0 {
					out[j].End = e.Time
					break
				}
			}
		}
	}
	return out
}

func step(e *assay.Event) (of string, n int) {
	if n, err := strconv.Atoi(e.Attrs["step"]); err == nil && e.Attrs["of"] != "" {
		return e.Attrs["of"], n
	}
	if i := strings.LastIndexByte(e.Phase, '/'); i > 0 {
		if n, err := strconv.Atoi(e.Phase[i+1:]); err == nil && n > 0 {
			return e.Phase[:i], n
		}
	}
	return "", 0
}
