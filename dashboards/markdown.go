package dashboards

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
)

// Markdown writes the report as GitHub-flavoured Markdown, for pull requests and job summaries.
func Markdown(w io.Writer, r *assay.Report) error {
	m := &markdown{r: r}
	m.head()
	m.objectives()
	m.load()
	m.goodput()
	m.slos()
	m.replays()
	m.service()
	if s := unseen(r); s != "" {
		m.printf("### Not seen\n\n%s.\n\n", mdText(s))
		if r.Limit != nil {
			m.printf("* Limit: %s\n", mdText(limitLine(r)))
		}
		if s := kneeLine(r); s != "" {
			m.printf("* Knee: %s\n", mdText(s))
		}
		if len(overloaded(r)) > 0 {
			m.printf("* Overload: %s\n", mdText(overloadLine(r)))
		}
		m.extras()
		m.printf("\n")
		m.hypothesis()
	} else {
		m.faults()
		m.suite()
		m.costs()
	}
	m.notes()
	m.errors()
	m.trust()
	_, err := io.WriteString(w, m.b.String())
	return err
}

type markdown struct {
	b strings.Builder
	r *assay.Report
}

var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;",
	"&", "&amp;", "~", `\~`, "#", `\#`)

// mdText makes s safe inside one line or one cell: no markup, no break, no further column.
func mdText(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r' || c == '\u2028' || c == '\u2029':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return '?'
		}
		return c
	}, s)
	return markdownEscapes.Replace(s)
}

func (m *markdown) printf(format string, args ...any) { fmt.Fprintf(&m.b, format, args...) }

// table writes a table; right tells which columns hold numbers. It does the escaping.
func (m *markdown) table(head []string, right string, rows [][]string) {
	row := func(cells []string) {
		for _, c := range cells {
			m.b.WriteString("| " + mdText(c) + " ")
		}
		m.b.WriteString("|\n")
	}
	row(head)
	for i := range head {
		if i < len(right) && right[i] == 'r' {
			m.b.WriteString("| ---: ")
			continue
		}
		m.b.WriteString("| --- ")
	}
	m.b.WriteString("|\n")
	for _, r := range rows {
		row(r)
	}
	m.b.WriteString("\n")
}

func (m *markdown) head() {
	r := m.r
	m.printf("## %s: %s\n\n", mdText(orElse(r.Name, "run")), mdText(string(r.Decision)))
	in := " in "
	if r.Untimed {
		in = ", "
	}
	m.printf("**%s**%s%s, exit %d. %s\n\n", mdText(scoreLine(r)), in, length(r), r.Exit, mdText(r.Why))
	if r.Next != "" {
		m.printf("Next: %s\n\n", mdText(r.Next))
	}
	m.printf("Target %s, %s", mdText(orElse(r.Target, "not named")), mdText(sourceLine(r)))
	if r.Attempt > 0 {
		m.printf(", attempt %d of this plan on this release", r.Attempt)
	}
	m.printf(".\n\n")
	if len(r.Simulated) > 0 {
		m.printf("> **Demo:** real processes and faults; SIMULATED: %s.\n\n", mdText(strings.Join(r.Simulated, ", ")))
	}
}

func (m *markdown) objectives() {
	r := m.r
	m.printf("### Objectives\n\n")
	if len(r.Objectives) == 0 {
		m.printf("None: nothing was asked, so nothing can pass or fail.\n\n")
		return
	}
	var rows [][]string
	for _, j := range r.Objectives {
		why := ""
		if j.Verdict != assay.VerdictPass {
			why = note(r, j)
		}
		rows = append(rows, []string{objectiveTitle(j), Goal(j.Objective, j.Quantity.Unit), Value(j.Quantity), Interval(j.Quantity),
			NText(j.Quantity), verdictSign(j.Verdict) + " " + string(j.Verdict), why})
	}
	m.table([]string{"objective", "goal", "measured", "interval", "n", "verdict", "why"}, "lrrrrll", rows)
}

// verdictSign marks a verdict by shape, not colour.
func verdictSign(v assay.Verdict) string {
	switch v {
	case assay.VerdictPass:
		return "✓"
	case assay.VerdictFail:
		return "✗"
	case assay.VerdictInconclusive:
		return "?"
	}
	return "!"
}

func (m *markdown) service() {
	r := m.r
	m.printf("### Of itself (natural)\n\n")
	if len(r.Segments) == 0 {
		m.printf("Not measured, because nothing was watched.\n\n")
		return
	}
	m.printf("%s, %s.\n\n", capital(watchedFor(r)), failuresText(r))
	var rows [][]string
	for _, f := range r.Findings {
		switch f.Metric {
		case "availability/natural", "availability/nines", "availability/windowed", "mtbf/service", "mtbf/instance", "failure_rate/service", "failure_rate/instance", "error_ratio", "episodes/service", "watch/good", "watch/bad", "watch/unknown", "lifetime/instance", "lifetime/instance/shape":
			rows = append(rows, []string{f.Metric + labelText(f.Labels), Measure(f.Quantity), NText(f.Quantity), f.Quantity.Method})
		}
	}
	if len(rows) > 0 {
		m.table([]string{"metric", "value", "n", "method"}, "lrrl", rows)
	}
	if s := usersLine(r); s != "" {
		m.printf("%s.\n\n", capital(mdText(s)))
	}
	if s := probesLine(r); s != "" {
		m.printf("%s.\n\n", capital(mdText(s)))
	}
	for _, s := range failuresOfInstances(r) {
		m.printf("* %s\n", mdText(s))
	}
	if len(failuresOfInstances(r)) > 0 {
		m.printf("\n")
	}
}

func (m *markdown) faults() {
	r := m.r
	m.printf("### Injected faults\n\n")
	if len(r.Faults) == 0 {
		m.printf("%s.\n\n", capital(noFaults(r)))
		return
	}
	own, shared := splitNotes(r)
	var rows [][]string
	for i, f := range r.Faults {
		v := verdictOf(f)
		rows = append(rows, []string{faultName(i, f), faultSign(v) + " " + verdictText(f), string(f.State), scoreText(f.Score) + scoreBounds(f.Score), Brief(f.Detect), Brief(f.Isolate),
			Brief(f.Restore), Brief(f.User), Brief(f.Capacity), lostText(f), dash(f.Degraded), streamText(f.Streams), f.Revert, strings.Join(own[i], "; ")})
	}
	m.table([]string{"fault", "verdict", "state", "score", "detect", "isolate", "recover", "total", "capacity back", "lost", "degraded area", "streams", "reverted", "note"}, "lllrrrrrrlrlll", rows)
	for _, n := range shared {
		m.printf("* %s\n", mdText(n.String()))
	}
	covered := coverageLines(r)
	for _, s := range covered {
		m.printf("* %s\n", mdText(s))
	}
	if len(shared)+len(covered) > 0 {
		m.printf("\n")
	}
	if s := runScore(r); s != "" {
		m.printf("%s.\n\n", mdText(s))
	}
	m.hypothesis()
}

// hypothesis tells what was seen of the steady state, if it was looked at.
func (m *markdown) hypothesis() {
	lines := hypothesisLines(m.r)
	if len(lines) == 0 {
		return
	}
	m.printf("Steady state:\n\n")
	for _, s := range lines {
		m.printf("* %s\n", mdText(s))
	}
	m.printf("\n")
}

// extras tells of canaries and retries, if there were any.
func (m *markdown) extras() {
	r := m.r
	if s := alertsLine(r); s != "" {
		m.printf("* Alerts: %s\n", mdText(s))
	}
	for _, s := range gpuLines(r) {
		m.printf("* GPU: %s\n", mdText(s))
	}
	for _, s := range engineLines(r) {
		m.printf("* Engine: %s\n", mdText(s))
	}
	if s := canaryLine(r); s != "" {
		m.printf("* Canary: %s\n", mdText(s))
	}
	if s := retriesLine(r); s != "" {
		m.printf("* Retries: %s\n", mdText(s))
	}
}

func (m *markdown) costs() {
	r := m.r
	m.printf("### Limit, cold starts, bottleneck, scaling\n\n")
	m.printf("* Limit: %s\n", mdText(limitLine(r)))
	if s := kneeLine(r); s != "" {
		m.printf("* Knee: %s\n", mdText(s))
	}
	m.printf("* Overload: %s\n", mdText(overloadLine(r)))
	m.extras()
	if s := budgetLine(r); s != "" {
		m.printf("* Budget: %s\n", mdText(s))
	}
	m.printf("* Cold starts: %s\n", mdText(coldLine(r)))
	for _, t := range timelines(r) {
		m.printf("  * %s\n", mdText(t.said()))
	}
	for _, s := range startDoubts(r) {
		m.printf("  * doubt: %s\n", mdText(s))
	}
	for _, s := range r.Scaling {
		m.printf("* Scaling %s\n", mdText(stepText(s, r.Begin)))
	}
	m.printf("\n")
	if len(r.Attribution) == 0 {
		m.printf("Bottleneck: %s.\n\n", mdText(reasonOf(r, "bottleneck/unexplained", "not measured, because no request was traced")))
		return
	}
	var rows [][]string
	for _, s := range r.Attribution {
		rows = append(rows, []string{words(s.Name), Value(s.Ratio), Interval(s.Ratio), NText(s.Ratio), Duration(s.Seconds), strings.Join(s.Evidence, "; ")})
	}
	m.table([]string{"cause", "share of time", "interval", "n", "time", "evidence"}, "lrrrrl", rows)
}

func (m *markdown) errors() {
	if len(m.r.Errors) == 0 {
		return
	}
	m.printf("### Outcomes by ledger\n\n")
	var rows [][]string
	for _, e := range m.r.Errors {
		rows = append(rows, []string{string(e.Ledger), words(e.Outcome.String()), Integer(e.Count), outcomeNote(e, 1000)})
	}
	m.table([]string{"ledger", "outcome", "requests", "example"}, "llrl", rows)
}

func (m *markdown) trust() {
	r := m.r
	m.printf("### Can this run be trusted?\n\n")
	if r.Trust.Valid {
		m.printf("Valid.\n\n")
	} else {
		m.printf("**INVALID.**\n\n")
	}
	if r.Trust.Machine != "" {
		m.printf("This machine: %s.\n\n", mdText(r.Trust.Machine))
	}
	if s := clocksLine(r, 0); s != "" {
		m.printf("%s.\n\n", capital(mdText(s)))
	}
	for _, s := range problems(r) {
		m.printf("* %s\n", mdText(s))
	}
	for _, s := range r.Trust.Doubts {
		m.printf("* doubt: %s\n", mdText(s))
	}
	for _, s := range r.Warnings {
		m.printf("* warning: %s\n", mdText(s))
	}
	if len(r.Trust.Problems)+len(r.Trust.Doubts)+len(r.Warnings) > 0 {
		m.printf("\n")
	}
	var rows [][]string
	for _, t := range r.Trust.Rows {
		rows = append(rows, []string{t.Name, Value(t.Quantity), trustInterval(t), NText(t.Quantity), t.Limit, trustAnswer(r, t)})
	}
	if len(rows) > 0 {
		m.table([]string{"check", "value", "interval", "n", "limit", "answer"}, "lrrrrl", rows)
	}
}

// trustInterval is the interval of a check; nothing where there is no value, whose reason stands in its place.
func trustInterval(t assay.TrustRow) string {
	if !t.Quantity.Known() {
		return ""
	}
	return Interval(t.Quantity)
}

// trustAnswer is what a check of the measurement found. What was not measured and does not spoil the run has no answer.
func trustAnswer(r *assay.Report, t assay.TrustRow) string {
	switch {
	case !t.Quantity.Known() && (t.OK || r.Trust.Valid):
		return "–"
	case t.OK:
		return "✓ ok"
	}
	return "✗ not ok"
}
