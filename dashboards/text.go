package dashboards

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/assay-dev/assay"
)

// TextOptions are the settings of the terminal view. The zero value is 80 columns, no
// colour, UTF-8.
type TextOptions struct {
	Width  int      // columns; 80 when 0
	Colour bool     // mark decisions and verdicts with ANSI colours
	ASCII  bool     // write nothing beyond ASCII
	Files  []string // where the other views were written; none: no FILES line
}

// TextOptionsFor returns the settings that suit an output: width and colour of a
// terminal of the given width (0: not a terminal), NO_COLOR and the locale as getenv tells them.
func TextOptionsFor(width int, getenv func(string) string) TextOptions {
	o := TextOptions{Width: 80}
	if width > 0 {
		o.Width = max(60, min(width, 120))
		o.Colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			o.ASCII = !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
			break
		}
	}
	return o
}

// repeatAfter is the number of lines after which the decision is said again at the end,
// so that it is in sight when the top has scrolled away.
const repeatAfter = 30

// Text returns the terminal view: what a person reads first, decision before everything.
func Text(o TextOptions) Render {
	if o.Width <= 0 {
		o.Width = 80
	}
	return func(w io.Writer, r *assay.Report) error {
		p := &page{TextOptions: o, r: r}
		p.top()
		if err := p.objectives(); err != nil {
			return err
		}
		if err := p.load(); err != nil {
			return err
		}
		if !requestless(r) {
			p.goodput()
		}
		p.natural()
		p.slos()
		p.replays()
		p.gpu()
		p.engine()
		if requestless(r) {
			p.cold()
			p.scaling()
			p.para("UNSEEN", 11, unrequested(r))
		} else if s := unseen(r); s != "" {
			if len(overloaded(r)) > 0 {
				p.overload()
			}
			p.hypothesis()
			p.alerts()
			p.canary()
			p.retries()
			if r.Find("cold/forced", "forced", "true") != nil || coldKnown(r) {
				p.cold()
			}
			p.para("UNSEEN", 11, s)
		} else if err := p.watched(); err != nil {
			return err
		}
		p.notes()
		p.budget()
		p.trust()
		if r.Seed != 0 || r.PlanHash != "" || r.Schedule != "" { // an import has none of them
			p.para("RUN", 11, sourceLine(r))
		}
		p.files()
		if len(p.out) > repeatAfter {
			p.blank()
			p.out = append(p.out, p.out[0])
		}
		_, err := io.WriteString(w, strings.Join(p.out, "\n")+"\n")
		return err
	}
}

// watched writes what needs more than requests: faults, instances, spans.
func (p *page) watched() error {
	if err := p.injected(); err != nil {
		return err
	}
	p.suite()
	p.hypothesis()
	p.alerts()
	p.overload()
	p.canary()
	p.retries()
	p.cold()
	p.bottleneck()
	p.scaling()
	return nil
}

// A page collects the lines of the terminal view.
type page struct {
	TextOptions
	r   *assay.Report
	out []string
}

func (p *page) blank() { p.out = append(p.out, "") }

// para writes text after a label, wrapped, its further lines indented as deep as the first.
func (p *page) para(label string, indent int, text string) {
	label = p.clean(label)
	pad := strings.Repeat(" ", max(indent, textWidth(label)+1))
	for i, l := range wrap(p.clean(text), max(p.Width-len(pad), 20)) {
		if i == 0 {
			p.out = append(p.out, strings.TrimRight(label+pad[textWidth(label):]+l, " "))
			continue
		}
		p.out = append(p.out, pad+l)
	}
}

func (p *page) table(t *table, indent int) error {
	clean := func(row []string) {
		for i := range row {
			row[i] = p.clean(row[i])
		}
	}
	clean(t.head)
	for _, row := range t.rows {
		clean(row)
	}
	lines, err := t.lines(p.Width - indent)
	if err != nil {
		return err
	}
	for _, l := range lines {
		p.out = append(p.out, strings.Repeat(" ", indent)+l)
	}
	return nil
}

var asciiForms = strings.NewReplacer("≤", "<=", "≥", ">=", "±", "+-", "−", "-", "–", "-", "→", "->", "…", "...",
	"·", ";", "µ", "u", "∞", "inf", "\u00a0", " ", "×", "x")

// clean makes a string from a report safe for a terminal: a run may not move the cursor,
// change colours or reverse the direction of text. Our own colours are added afterwards.
func (p *page) clean(s string) string {
	if p.ASCII {
		s = asciiForms.Replace(s)
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t' || c == '\r':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == unicode.ReplacementChar:
			return '?'
		case p.ASCII && c > unicode.MaxASCII:
			return '?'
		}
		return c
	}, s)
}

var paints = map[string]string{
	string(assay.Go): "1;32", string(assay.NoGo): "1;31", string(assay.FaultMayRemain): "1;31", string(assay.Failed): "1;31",
	string(assay.Undecided): "1;33", string(assay.InvalidRun): "1;35", string(assay.Aborted): "1;33", string(assay.Interrupted): "1;33",
	string(assay.FaultVoid): "33", string(assay.FaultSimulated): "33", string(assay.FaultUnmeasured): "33",
	string(assay.VerdictPass): "32", string(assay.VerdictFail): "31", string(assay.VerdictInconclusive): "33", string(assay.VerdictInvalid): "35",
}

// paint returns the escape sequences around one of our words.
func (p *page) paint(word string) (before, after string) {
	if code, ok := paints[word]; ok && p.Colour {
		return "\x1b[" + code + "m", "\x1b[0m"
	}
	return "", ""
}

// decision writes the line that answers the question.
func (p *page) decision() {
	r := p.r
	said := p.clean(scoreLine(r))
	tail := p.clean(fmt.Sprintf("%s  exit %d", length(r), r.Exit))
	head := p.clean(string(r.Decision))
	pad := strings.Repeat(" ", max(7-textWidth(head), 1))
	room := p.Width - textWidth(head) - len(pad) - textWidth(tail) - 2
	before, after := p.paint(head)
	first, rest := before+head+after+pad, ""
	if room < textWidth(said) {
		said, rest, _ = strings.Cut(said, "; ")
	}
	if room < textWidth(said) {
		said, rest = "", strings.Trim(said+"; "+rest, "; ")
		p.out = append(p.out, first+tail)
	} else {
		p.out = append(p.out, first+said+strings.Repeat(" ", room-textWidth(said)+2)+tail)
	}
	if rest == "" {
		return
	}
	for _, l := range wrap(rest, p.Width-7) {
		p.out = append(p.out, "       "+l)
	}
}

// scoreLine counts the objectives that hold and says what is known of availability.
func scoreLine(r *assay.Report) string {
	hold := 0
	for _, j := range r.Objectives {
		if j.Verdict == assay.VerdictPass {
			hold++
		}
	}
	if requestless(r) && len(r.Objectives) == 0 {
		if f := availability(r); requestsCounted(r) && f != nil && f.Quantity.Known() {
			return "no gated objectives; availability " + Whole(f.Quantity) + " by counters"
		} else if serviceProbed(r) && f != nil && f.Quantity.Known() {
			return "no gated objectives; availability " + Whole(f.Quantity) + " of the time, by looks"
		}
		return "no gated objectives; a recording without requests"
	}
	s := fmt.Sprintf("%d/%d gated objectives hold", hold, len(r.Objectives))
	if len(r.Objectives) == 0 {
		s = "no gated objectives"
	}
	if r.Decision == assay.InvalidRun {
		return useNone + "; " + s + notServed(r)
	}
	f := availability(r)
	s += notServed(r)
	switch {
	case f == nil:
		return s + "; availability not measured"
	case !f.Quantity.Known():
		return s + "; availability " + reasonKind(f.Quantity.Reason)
	}
	return s + "; availability " + Whole(f.Quantity)
}

func (p *page) top() {
	r := p.r
	p.decision()
	if r.Decision != assay.Go && r.Why != "" {
		p.para("WHY", 7, r.Why)
	}
	if len(r.Simulated) > 0 {
		p.para("DEMO", 7, "real processes, load and faults; SIMULATED: "+strings.Join(r.Simulated, ", "))
	}
	if r.Limit != nil || !plain(r) && !requestless(r) {
		p.para("LIMIT", 7, limitLine(r))
	}
	if s := kneeLine(r); s != "" {
		p.para("KNEE", 7, s)
	}
	if r.Next != "" {
		p.para("NEXT", 7, r.Next)
	}
	p.blank()
}

func limitLine(r *assay.Report) string {
	l := r.Limit
	if l == nil {
		return reasonOf(r, "limit/rate", "not measured, because no load of the plan looked for it")
	}
	s := words(l.Cause)
	if l.Detail != "" {
		s += " (" + words(l.Detail) + ")"
	}
	if !l.Rate.Known() {
		return strings.TrimSpace(s + " " + l.Rate.Reason)
	}
	rate := Value(l.Rate)
	if num, ok := strings.CutSuffix(rate, "/s"); ok {
		rate = num + " req/s"
	}
	s = strings.TrimSpace(s+" at "+rate+" "+Bracket(l.Rate)) + rests(l.Rate)
	if l.Broke != "" {
		s += "; broke beyond it: " + l.Broke
	}
	for _, d := range l.Doubts {
		s += "; " + d
	}
	return s
}

func (p *page) objectives() error {
	r := p.r
	if len(r.Objectives) == 0 {
		p.para("OBJECTIVES", 11, "none: nothing was asked, so nothing can pass or fail")
		p.blank()
		return nil
	}
	if p.Width < narrow {
		p.objectivesNarrow()
	} else if err := p.objectivesTable(); err != nil {
		return err
	}
	for _, j := range r.Objectives {
		if j.Verdict == assay.VerdictPass {
			continue
		}
		if s := note(r, j); s != "" {
			p.para("", 2, objectiveTitle(j)+": "+s)
		}
	}
	p.blank()
	return nil
}

func (p *page) objectivesTable() error {
	t := &table{head: []string{"OBJECTIVE", "goal", "measured", "interval", "n", "verdict"}, paint: p.paint}
	for _, j := range p.r.Objectives {
		t.rows = append(t.rows, []string{objectiveTitle(j), Goal(j.Objective, j.Quantity.Unit), Value(j.Quantity),
			Interval(j.Quantity), shortN(j.Quantity), string(j.Verdict)})
	}
	return p.table(t, 0)
}

// narrow is the width below which tables would break words and lists are written in their place.
const narrow = 76

// objectivesNarrow writes each objective as a sentence after its verdict.
func (p *page) objectivesNarrow() {
	p.out = append(p.out, "OBJECTIVES")
	for _, j := range p.r.Objectives {
		verdict := p.clean(string(j.Verdict))
		first := len(p.out)
		rests := shortN(j.Quantity)
		if j.Quantity.Bounded() {
			rests = Interval(j.Quantity) + ", " + rests
		}
		p.para("  "+verdict, 15, fmt.Sprintf("%s: %s (%s), goal %s", objectiveTitle(j), Value(j.Quantity), rests, Goal(j.Objective, j.Quantity.Unit)))
		before, after := p.paint(verdict)
		p.out[first] = strings.Replace(p.out[first], verdict, before+verdict+after, 1)
	}
}

// shortN writes n in the fewest words that the column needs.
func shortN(q assay.Quantity) string {
	if rest, ok := strings.CutPrefix(q.Of, "requests"); ok {
		return Integer(q.N) + " req" + strings.Replace(rest, " in ", "/", 1)
	}
	if q.Of == "instance starts" {
		q.Of = "starts"
	}
	return NText(q)
}

func (p *page) files() {
	if len(p.Files) > 0 {
		p.para("FILES", 11, strings.Join(p.Files, " · "))
	}
}
