package dashboards

import (
	"strings"

	"github.com/assay-dev/assay"
)

// goodput writes how much of what was planned was good, and what became of the rest.
func (p *page) goodput() {
	line := goodputLine(p.r)
	if line == "" {
		return
	}
	p.para("GOODPUT", 11, line)
	phases := goodputPhases(p.r)
	const most = 6
	for i, f := range phases {
		if i == most {
			p.para("", 11, "and "+Things(len(phases)-most, "further phases"))
			break
		}
		p.para("  "+f.Labels["phase"], 11, goodputText(f))
	}
	for _, f := range goodputFaults(p.r) {
		p.para("  under "+f.Labels["fault"], 11, goodputText(f))
	}
	p.classes()
}

func goodputLine(r *assay.Report) string {
	f := r.Find("goodput/ratio")
	if f == nil {
		return ""
	}
	return goodputText(*f)
}

func (m *markdown) goodput() {
	line := goodputLine(m.r)
	if line == "" {
		return
	}
	m.printf("### Goodput\n\n%s.\n\n", mdText(line))
	for _, f := range goodputPhases(m.r) {
		m.printf("* %s: %s\n", mdText(f.Labels["phase"]), mdText(goodputText(f)))
	}
	for _, f := range goodputFaults(m.r) {
		m.printf("* under %s: %s\n", mdText(f.Labels["fault"]), mdText(goodputText(f)))
	}
	if len(goodputPhases(m.r))+len(goodputFaults(m.r)) > 0 {
		m.printf("\n")
	}
	m.classes()
}

// goodputPhases returns the goodput of each phase, where there are several; steps of a search are told by the limit.
func goodputPhases(r *assay.Report) []assay.Finding {
	var out []assay.Finding
	for _, f := range r.Findings {
		if f.Metric != "goodput/ratio" || len(f.Labels) != 1 || f.Labels["phase"] == "" || !f.Quantity.Known() || stepOfSearch(r, f.Labels["phase"]) {
			continue
		}
		out = append(out, f)
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// goodputFaults returns the goodput inside the faults of each kind.
func goodputFaults(r *assay.Report) []assay.Finding {
	var out []assay.Finding
	for _, f := range r.Findings {
		if f.Metric == "goodput/ratio" && f.Labels["fault"] != "" && f.Quantity.Known() {
			out = append(out, f)
		}
	}
	return out
}

func stepOfSearch(r *assay.Report, phase string) bool {
	for i := range r.Phases {
		if r.Phases[i].Name == phase {
			return r.Phases[i].Of != ""
		}
	}
	return false
}

func goodputText(f assay.Finding) string {
	q := f.Quantity
	if !q.Known() {
		return q.Reason
	}
	s := Value(q) + " " + Bracket(q) + " of " + Integer(q.N) + " planned"
	if f.Ledger == assay.Natural {
		s += " outside faults"
	}
	if len(f.Evidence) > 0 {
		s += ": " + strings.Join(f.Evidence, "; ")
	}
	return s
}
