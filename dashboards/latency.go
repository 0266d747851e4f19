package dashboards

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

var latencyNames = [...]struct{ family, title string }{{"ttft", "TTFT"}, {"itl", "ITL"}, {"tpot", "TPOT"}, {"e2e", "E2E"}}

var latencyStats = [...]string{"p50", "p90", "p95", "p99"}

// A latencyRow is one latency of one phase.
type latencyRow struct {
	phase, title string
	q            [len(latencyStats)]assay.Quantity
	warnings     []string
}

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

// A latencyCells is a row of the page's table of latencies.
type latencyCells struct {
	Phase, Title string
	Cells        []pair // value and interval
	N            string
}
