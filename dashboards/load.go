package dashboards

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// What a load test is made for: what was offered and served in each phase, and the quantiles of its latencies.

// loadLine says what was offered in a phase and what came of it.
func loadLine(r *assay.Report, phase string) string {
	var labels []string
	if phase != "" {
		labels = []string{"phase", phase}
	}
	var parts []string
	offered := "offered"
	if f := r.Find("load/sent", labels...); f != nil && f.Quantity.Known() && f.Quantity.Value == 0 {
		offered = "came" // who served tells of requests, and nobody of their sending
	}
	for _, m := range []struct{ metric, word string }{{"load/offered", offered}, {"load/sent", "sent"}, {"goodput", "served well"}} {
		if f := r.Find(m.metric, labels...); f != nil && f.Quantity.Known() && (m.word != "sent" || f.Quantity.Value > 0) {
			parts = append(parts, Value(f.Quantity)+" "+m.word)
		}
	}
	if f := r.Find("load/offered", labels...); f != nil && f.Quantity.Known() {
		if offered == "came" {
			return strings.Join(append(parts, Things(f.Quantity.N, "requests")), ", ")
		}
		parts = append(parts, Integer(f.Quantity.N)+" due")
	}
	return strings.Join(parts, ", ")
}

// outcomeLine counts the requests by how they ended, each ledger for itself.
func outcomeLine(r *assay.Report) string {
	var ledgers []string
	of := map[assay.Ledger][]string{}
	for _, e := range r.Errors {
		s := fmt.Sprintf("%s %s", Integer(e.Count), words(e.Outcome.String()))
		if note := outcomeNote(e, 70); e.Outcome != assay.OK && note != "" {
			s += " (" + note + ")"
		}
		if of[e.Ledger] == nil {
			ledgers = append(ledgers, string(e.Ledger))
		}
		of[e.Ledger] = append(of[e.Ledger], s)
	}
	var parts []string
	for _, l := range ledgers {
		s := l + ": " + strings.Join(of[assay.Ledger(l)], " · ")
		if f := r.Find("error_ratio"); l == string(assay.Natural) && f != nil && f.Quantity.Known() {
			s += ", error ratio " + Whole(f.Quantity)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

// outcomeNote is what is known of the requests of a row beyond their number: an example of at most so many characters, and how long the target
// asked to wait.
func outcomeNote(e assay.ErrorRow, most int) string {
	note := shorten(e.Example, most)
	if e.Retry == 0 {
		return note
	}
	wait := Duration(e.RetryMin)
	if e.RetryMax != e.RetryMin {
		wait += " to " + Duration(e.RetryMax)
	}
	return strings.TrimPrefix(fmt.Sprintf("%s; Retry-After %s on %s", note, wait, Integer(e.Retry)), "; ")
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// longEnough is the length of a phase, in ns, from which the terminal speaks of drift that is not certain.
const longEnough = 5 * 60 * 1e9

// driftLine says what changed steadily: in a long phase in any case, else where it certainly did.
func driftLine(r *assay.Report) string {
	var parts []string
	for i := range r.Phases {
		ph := &r.Phases[i]
		for _, l := range latencyNames {
			f := r.Find("drift/"+l.family, "phase", ph.Name)
			if f == nil || !f.Quantity.Known() || ph.End-ph.Begin < longEnough && f.Quantity.Lo <= 0 && f.Quantity.Hi >= 0 {
				continue
			}
			parts = append(parts, fmt.Sprintf("%s %s by %s over %s", ph.Name, l.title, Whole(f.Quantity), Duration(seconds(ph.End-ph.Begin))))
		}
	}
	for _, of := range [][]string{nil, {"of", "gpu"}} {
		f := r.Find("drift/memory/rate", of...)
		if f == nil || !f.Quantity.Known() || f.Quantity.Lo <= 0 && (len(parts) == 0 || of != nil) {
			continue
		}
		what := "memory"
		if of != nil {
			what = "memory of a GPU"
		}
		s := fmt.Sprintf("%s by %s (%s)", what, Whole(f.Quantity), strings.Join(f.Evidence, "; "))
		if left := r.Find("drift/memory/left", of...); left != nil && left.Quantity.Known() {
			s += "; projection: at this rate its limit is reached " + Whole(left.Quantity) + " after the last reading (" + strings.Join(left.Evidence, "; ") + ")"
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return ""
	}
	return "drift: " + strings.Join(parts, "; ")
}

// sourceLine says what makes the same run again.
func sourceLine(r *assay.Report) string {
	s := fmt.Sprintf("seed %d", r.Seed)
	for _, p := range []pair{{"schedule", r.Schedule}, {"plan", r.PlanHash}} {
		if p.Value != "" {
			s += " · " + p.Name + " " + short(p.Value)
		}
	}
	return s
}

// load writes what was offered and the latencies of each phase.
func (p *page) load() error {
	const most = 8
	phases, before := judgedPhases(p.r), len(p.out)
	label := "LOAD"
	for i, name := range phases {
		if i == most {
			p.para(label, 11, fmt.Sprintf("and %s more", Things(len(phases)-most, "phases")))
			break
		}
		if s := loadLine(p.r, name); s != "" {
			if name != "" {
				s = name + ": " + s
			}
			p.para(label, 11, s)
			label = ""
		}
	}
	if s := outcomeLine(p.r); s != "" {
		p.para(label, 11, s)
	}
	rows, left := p.latencyRows()
	if p.Width < narrow {
		p.latencyNarrow(rows)
	} else if err := p.latencyTable(rows); err != nil {
		return err
	}
	notes := latencyNotes(rows)
	for i, s := range notes {
		if i == maxNotes && len(notes) > maxNotes+1 {
			p.para("", 2, fmt.Sprintf("and %s more", Things(len(notes)-maxNotes, "notes")))
			break
		}
		p.para("", 2, s)
	}
	if left > 0 {
		p.para("", 2, fmt.Sprintf("%s more in the other views", Things(left, "rows")))
	}
	if s := driftLine(p.r); s != "" {
		p.para("", 2, s)
	}
	for _, s := range stepLines(p.r) {
		p.para("", 2, s)
	}
	if len(p.out) > before {
		p.blank()
	}
	return nil
}

// load writes the same for Markdown.
func (m *markdown) load() {
	phases := judgedPhases(m.r)
	rows := latencies(m.r)
	lines := 0
	for _, name := range phases {
		if s := loadLine(m.r, name); s != "" {
			if lines == 0 {
				m.printf("### Load and latency\n\n")
			}
			lines++
			m.printf("* %s: %s\n", mdText(orElse(name, "load")), mdText(s))
		}
	}
	if lines > 0 {
		m.printf("\n")
	}
	for i, s := range append(stepLines(m.r), driftLine(m.r)) {
		if s != "" {
			m.printf("* %s\n", mdText(s))
		}
		if i == len(stepLines(m.r)) && (s != "" || i > 0) {
			m.printf("\n")
		}
	}
	if len(rows) == 0 {
		return
	}
	var cells [][]string
	for i := range rows {
		row := &rows[i]
		line := []string{row.phase, row.title}
		for _, q := range row.q {
			if q.Known() {
				line = append(line, Measure(q))
			} else {
				line = append(line, reasonKind(q.Reason))
			}
		}
		cells = append(cells, append(line, NText(row.n())))
	}
	m.table(append(append([]string{"phase", "latency"}, latencyStats[:]...), "n"), "llrrrrl", cells)
	for _, s := range latencyNotes(rows) {
		m.printf("* %s\n", mdText(s))
	}
	if len(latencyNotes(rows)) > 0 {
		m.printf("\n")
	}
}

// load fills in the page's section on load.
func (v *view) load(r *assay.Report) {
	for _, name := range judgedPhases(r) {
		if s := loadLine(r, name); s != "" {
			v.Loads = append(v.Loads, pair{orElse(name, "load"), s})
		}
	}
	rows := latencies(r)
	for i := range rows {
		row := &rows[i]
		c := latencyCells{Phase: row.phase, Title: row.title, N: NText(row.n())}
		for _, q := range row.q {
			if q.Known() {
				c.Cells = append(c.Cells, pair{Value(q), Interval(q)})
			} else {
				c.Cells = append(c.Cells, pair{reasonKind(q.Reason), ""})
			}
		}
		v.Latencies = append(v.Latencies, c)
	}
	v.LatencyNotes = latencyNotes(rows)
	if s := driftLine(r); s != "" {
		v.LatencyNotes = append(v.LatencyNotes, s)
	}
	v.LatencyNotes = append(v.LatencyNotes, stepLines(r)...)
	if v.Unseen = unseen(r); v.Unseen != "" {
		if r.Limit == nil {
			v.Limit = ""
		}
		if len(overloaded(r)) == 0 {
			v.Overload = ""
		}
	}
}

// capital writes a sentence with a capital at its begin.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
