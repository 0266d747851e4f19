package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// What a load test is made for: what was offered and served in each phase, and the quantiles of its latencies.

var latencyNames = [...]struct{ family, title string }{{"ttft", "TTFT"}, {"itl", "ITL"}, {"tpot", "TPOT"}, {"e2e", "E2E"}}

var latencyStats = [...]string{"p50", "p90", "p95", "p99"}

// A latencyRow is one latency of one phase.
type latencyRow struct {
	phase, title string
	q            [len(latencyStats)]assay.Quantity
	warnings     []string
}

// noFinding is the reason where a report does not speak of a quantile at all.
const noFinding = "no finding tells"

// judgedPhases returns the phases whose latencies are judged, in order; one without a name where the run has no phases.
func judgedPhases(r *assay.Report) []string {
	var out []string
	for _, p := range r.Phases {
		if p.Role == assay.RoleSteady && !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	if len(r.Phases) == 0 {
		out = append(out, "")
	}
	return out
}

// latencies returns the latencies that were seen, by phase and then, where there are several, by class.
func latencies(r *assay.Report) []latencyRow {
	var out []latencyRow
	for _, phase := range judgedPhases(r) {
		if phase == "" {
			out = append(out, latenciesOf(r, "")...)
		} else {
			out = append(out, latenciesOf(r, phase, "phase", phase)...)
		}
	}
	for _, class := range classes(r) {
		out = append(out, latenciesOf(r, "class "+class, "class", class)...)
	}
	return out
}

func latenciesOf(r *assay.Report, name string, labels ...string) (out []latencyRow) {
	for _, l := range latencyNames {
		row := latencyRow{phase: name, title: l.title}
		seen := 0
		for i, s := range latencyStats {
			f := r.Find(l.family+"/"+s, labels...)
			if f == nil {
				row.q[i] = assay.NotMeasured(assay.Seconds, noFinding)
				continue
			}
			row.q[i], row.warnings = f.Quantity, f.Warnings
			seen = max(seen, f.Quantity.N)
		}
		if seen > 0 {
			out = append(out, row)
		}
	}
	return out
}

// classes returns the classes of requests that latencies are told for.
func classes(r *assay.Report) (out []string) {
	for i := range r.Findings {
		f := &r.Findings[i]
		if c := f.Labels["class"]; f.Metric == "e2e/p50" && len(f.Labels) == 1 && c != "" {
			out = append(out, c)
		}
	}
	return out
}

// n is what the row rests on.
func (row *latencyRow) n() assay.Quantity {
	n := row.q[0]
	for _, q := range row.q {
		if q.N > n.N || q.N == n.N && q.Known() && !n.Known() {
			n = q
		}
	}
	return n
}

// notes says once what readers of the rows must know.
func latencyNotes(rows []latencyRow) []string {
	var out []string
	say := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for i := range rows {
		row := &rows[i]
		for j, q := range row.q {
			if !q.Known() && !strings.HasSuffix(q.Reason, noFinding) {
				say(row.name(rows) + " " + latencyStats[j] + " " + q.Reason)
				break // of the higher ones the same holds
			}
		}
		for _, w := range row.warnings {
			say(w)
		}
	}
	return out
}

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
			s += ", error ratio " + Measure(f.Quantity)
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
			parts = append(parts, fmt.Sprintf("%s %s by %s over %s", ph.Name, l.title, Measure(f.Quantity), Duration(seconds(ph.End-ph.Begin))))
		}
	}
	if f := r.Find("drift/memory"); f != nil && f.Quantity.Known() && (len(parts) > 0 || f.Quantity.Lo > 0) {
		parts = append(parts, "memory by "+Measure(f.Quantity))
	}
	if len(parts) == 0 {
		return ""
	}
	return "drift: " + strings.Join(parts, "; ")
}

// plain reports whether the run saw requests only: no fault, no instance, no span. What speaks of these then has
// nothing to say, and is named once.
func plain(r *assay.Report) bool {
	return len(r.Faults) == 0 && len(r.Lives) == 0 && naturalFailures(r, assay.InstanceOf) == 0 && len(r.Starts) == 0 && len(r.Attribution) == 0 && len(r.Scaling) == 0
}

// unseen names what a plain run cannot show.
func unseen(r *assay.Report) string {
	if !plain(r) {
		return ""
	}
	what, because, apart := []string{"faults", "instances", "cold starts", "bottleneck", "scaling"}, "no fault, no span and no event of an instance", ""
	if s := unjoined(r); s != "" {
		what, because, apart = slices.Delete(what, 3, 4), "no fault and no event of an instance", "; bottleneck: "+s
	}
	if r.Limit == nil {
		what = append([]string{"limit"}, what...)
	}
	return strings.Join(what, ", ") + ": not measured, because the run has " + because + apart
}

// unjoined says why the spans of a run tell nothing of its requests; "" where there are none or they do.
func unjoined(r *assay.Report) string {
	f := r.Find("bottleneck/unexplained")
	if f == nil || !strings.HasPrefix(f.Quantity.Reason, "not measured, because there are ") {
		return ""
	}
	return f.Quantity.Reason
}

// requestless reports whether a run holds no requests: it was made of what others recorded of instances, traces or metrics.
func requestless(r *assay.Report) bool {
	f := r.Find("mtbf/service")
	return f != nil && strings.HasPrefix(f.Quantity.Reason, withoutRequests) || requestsCounted(r)
}

const withoutRequests = "not measured, because the run holds no requests"

// requestsCounted reports whether a run holds no requests, but counters that tell how they ended.
func requestsCounted(r *assay.Report) bool { return r.Find("requests/counted") != nil }

// unrequested names what a run without requests cannot show.
func unrequested(r *assay.Report) string {
	if requestsCounted(r) {
		return "load, latency, goodput, limit, overload, bottleneck: " + withoutRequests + ", only counters of them"
	}
	return "load, latency, goodput, availability, MTBF of the service, limit, overload, bottleneck: " + reasonOf(r, "mtbf/service", withoutRequests)
}

// recording reports whether a run was made by nobody's plan: others recorded it.
func recording(r *assay.Report) bool { return r.PlanHash == "" && r.Seed == 0 }

// noFaults says why a run has no injected faults.
func noFaults(r *assay.Report) string {
	if recording(r) {
		return "none: a recording was made, and no fault injected"
	}
	return "not measured, because the plan injects no faults"
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
	if len(p.out) > before {
		p.blank()
	}
	return nil
}

// What the terminal view shows of latencies before it refers to the others.
const (
	maxLatencies = 12
	maxNotes     = 4
)

// latencyRows returns the rows for the terminal and how many it leaves out: where there are many, those of the parts of an answer.
func (p *page) latencyRows() (rows []latencyRow, left int) {
	all := latencies(p.r)
	rows = slices.Clone(all)
	if len(rows) > maxLatencies/2 && len(classes(p.r)) > 0 || len(rows) > maxLatencies {
		rows = slices.DeleteFunc(rows, func(row latencyRow) bool { return row.title == "ITL" || row.title == "TPOT" })
	}
	rows = rows[:min(len(rows), maxLatencies)]
	return rows, len(all) - len(rows)
}

func (row *latencyRow) name(rows []latencyRow) string {
	if rows[0].phase != rows[len(rows)-1].phase {
		return row.phase + " " + row.title
	}
	return row.title
}

// latencyTable writes each row with its intervals below.
func (p *page) latencyTable(rows []latencyRow) error {
	if len(rows) == 0 {
		return nil
	}
	t := &table{head: append(append([]string{"LATENCY"}, latencyStats[:]...), "n"), right: []bool{false, true, true, true, true, true}}
	for i := range rows {
		row := &rows[i]
		values, intervals, any := []string{row.name(rows)}, []string{""}, false
		for _, q := range row.q {
			if !q.Known() {
				values, intervals = append(values, "–"), append(intervals, "")
				continue
			}
			any = true
			values, intervals = append(values, Value(q)), append(intervals, strings.ReplaceAll(Bracket(q), " ", nbsp))
		}
		t.rows = append(t.rows, append(values, Integer(row.n().N)))
		if any {
			t.rows = append(t.rows, append(intervals, ""))
		}
	}
	return p.table(t, 0)
}

// latencyNarrow writes each row as a sentence.
func (p *page) latencyNarrow(rows []latencyRow) {
	for i := range rows {
		row := &rows[i]
		var parts []string
		for j, q := range row.q {
			if q.Known() {
				parts = append(parts, latencyStats[j]+" "+Measure(q))
			}
		}
		if len(parts) > 0 {
			p.para("", 2, row.name(rows)+": "+strings.Join(parts, ", ")+"; n "+Integer(row.n().N))
		}
	}
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
	if s := driftLine(m.r); s != "" {
		m.printf("* %s\n\n", mdText(s))
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

// A latencyCells is a row of the page's table of latencies.
type latencyCells struct {
	Phase, Title string
	Cells        []pair // value and interval
	N            string
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
	if v.Unseen = unseen(r); v.Unseen != "" {
		if r.Limit == nil {
			v.Limit = ""
		}
		if len(overloaded(r)) == 0 {
			v.Overload = ""
		}
	}
}

// failuresText says how often the service failed of itself. Requests that fail here and there make no failure of the service; they are told beside it.
func failuresText(r *assay.Report) string {
	if requestless(r) && !requestsCounted(r) {
		return Things(naturalFailures(r, assay.InstanceOf), "failures") + " of instances"
	}
	return Things(naturalFailures(r, assay.Service), "failures") + " of the service" + instanceFailures(r) + failedRequests(r)
}

// failedRequests says how many requests of the natural ledger failed; nothing where none did.
func failedRequests(r *assay.Report) string {
	f := r.Find("error_ratio")
	if f == nil || !f.Quantity.Known() || !(f.Quantity.Value > 0) {
		return ""
	}
	q := f.Quantity
	return fmt.Sprintf("; %s of %s failed", Integer(int(q.Value*float64(q.N)+0.5)), Things(q.N, "requests"))
}

// instanceFailures says how often instances failed of themselves; nothing where none was watched.
func instanceFailures(r *assay.Report) string {
	if plain(r) {
		return ""
	}
	return ", " + Integer(naturalFailures(r, assay.InstanceOf)) + " of instances"
}

// capital writes a sentence with a capital at its begin.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
