package dashboards

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// classLines says what each class of requests got, how fairly it was shared, and what one does to another; none for a run with one class.
func classLines(r *assay.Report) []pair {
	fair := r.Find("fairness/goodput")
	if fair == nil || fair.Quantity.N == 0 {
		return nil
	}
	const most = 8
	var out []pair
	left := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric != "goodput/ratio" || len(f.Labels) != 1 || f.Labels["class"] == "" {
			continue
		}
		if len(out) == most {
			left++
			continue
		}
		s := "goodput " + Measure(f.Quantity) + rests(f.Quantity)
		if a := r.Find("availability/natural", "class", f.Labels["class"]); a != nil {
			s += "; availability "
			if a.Quantity.Known() {
				s += Measure(a.Quantity) + rests(a.Quantity)
			} else {
				s += reasonKind(a.Quantity.Reason)
			}
		}
		out = append(out, pair{"class " + f.Labels["class"], s})
	}
	if left > 0 {
		out = append(out, pair{"and", Things(left, "further classes")})
	}
	return append(out, pair{"fairness", Measure(fair.Quantity) + rests(fair.Quantity) + "; " + neighbourText(r)})
}

// neighbourText says what the load of one class does to another.
func neighbourText(r *assay.Report) string {
	f := r.Find("neighbour/latency")
	switch {
	case f == nil:
		return "effect of one class on another not measured"
	case !f.Quantity.Known():
		return "effect of one class on another " + f.Quantity.Reason
	}
	q := f.Quantity
	s := strings.Join(f.Evidence, ", ") + fmt.Sprintf(": ×%s [×%s..×%s]", Number(q.Value), Number(q.Lo), Number(q.Hi)) + rests(q)
	if q.Lo <= 1 && q.Hi >= 1 {
		return "no sure effect of one class on another; the surest: " + s
	}
	return s
}

// classes writes them.
func (p *page) classes() {
	label := "CLASSES"
	for _, l := range classLines(p.r) {
		p.para(label, 11, l.Name+": "+l.Value)
		label = ""
	}
}

func (m *markdown) classes() {
	lines := classLines(m.r)
	if len(lines) == 0 {
		return
	}
	m.printf("### Classes\n\n")
	for _, l := range lines {
		m.printf("* %s: %s\n", mdText(l.Name), mdText(l.Value))
	}
	m.printf("\n")
}
