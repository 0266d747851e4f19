package dashboards

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// A block is one part of the ledger of evidence: a title, lines of text and a table, each of which may be missing.
type block struct {
	title string
	rank  int // of its title: 1 for a service, 2 within it
	lines []string
	head  []string
	right string // 'r' for a column of numbers
	rows  [][]string
}

// EvidenceText writes the ledger of evidence for a terminal.
func EvidenceText(o TextOptions) func(w io.Writer, e *assay.Evidence) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	return func(w io.Writer, e *assay.Evidence) error {
		p := &page{TextOptions: o}
		for i, b := range evidenceBlocks(e) {
			if i > 0 {
				p.blank()
			}
			p.out = append(p.out, wrap(p.clean(b.title), p.Width)...)
			for _, line := range b.lines {
				p.para(" ", 2, line)
			}
			if len(b.rows) == 0 {
				continue
			}
			t := table{head: b.head, rows: b.rows, paint: p.paint}
			for i := range b.head {
				t.right = append(t.right, i < len(b.right) && b.right[i] == 'r')
			}
			if err := p.table(&t, 2); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, strings.Join(p.out, "\n")+"\n")
		return err
	}
}

// EvidenceMarkdown writes the ledger of evidence as GitHub-flavoured Markdown.
func EvidenceMarkdown(w io.Writer, e *assay.Evidence) error {
	m := &markdown{}
	for _, x := range evidenceBlocks(e) {
		m.printf("%s %s\n\n", strings.Repeat("#", x.rank+1), mdText(x.title))
		for _, line := range x.lines {
			m.printf("* %s\n", mdText(line))
		}
		if len(x.lines) > 0 {
			m.printf("\n")
		}
		if len(x.rows) > 0 {
			m.table(x.head, x.right, x.rows)
		}
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

// evidenceBlocks is the ledger in the order people should read it.
func evidenceBlocks(e *assay.Evidence) []block {
	runs := 0
	for i := range e.Services {
		runs += len(e.Services[i].Runs)
	}
	top := block{title: fmt.Sprintf("EVIDENCE: %s of %s", Things(runs, "runs"), Things(len(e.Services), "services")), rank: 1}
	if e.Decision != "" {
		top.title = fmt.Sprintf("%s: %s of %s", e.Decision, Things(runs, "runs"), Things(len(e.Services), "services"))
	}
	below := common(e)
	if below != "" {
		top.lines = append(top.lines, "runs below "+below)
	}
	top.lines = append(top.lines, missed(e)...)
	out := []block{top}
	for i := range e.Services {
		out = append(out, serviceBlocks(&e.Services[i], below)...)
	}
	if len(e.LeftOut) > 0 {
		b := block{title: "LEFT OUT: these runs add nothing", rank: 2}
		for _, r := range e.LeftOut {
			b.lines = append(b.lines, fmt.Sprintf("%s, of %s: %s", strings.TrimPrefix(r.Dir, below), day(r.Begin), r.Why))
		}
		out = append(out, b)
	}
	return out
}

// missed names what decided: which objective of which service failed, or, where none did, is not decided. One line each, and no more than fit on a screen.
func missed(e *assay.Evidence) []string {
	const most = 8
	for _, v := range []assay.Verdict{assay.VerdictFail, assay.VerdictInconclusive} {
		var lines []string
		for i := range e.Services {
			s := &e.Services[i]
			for _, j := range s.Objectives {
				if j.Verdict == v {
					lines = append(lines, fmt.Sprintf("%s: %s of %s: %s", v, j.Title, serviceName(s), j.Why))
				}
			}
		}
		if n := len(lines); n > most {
			lines = append(lines[:most], fmt.Sprintf("%d more below", n-most))
		}
		if lines != nil {
			return lines
		}
	}
	return nil
}

// serviceName names a service with its model.
func serviceName(s *assay.ServiceEvidence) string {
	name := orElse(s.Target, "a target without a name")
	if s.Model != "" && !strings.Contains(name, "model ") {
		name += ", model " + s.Model
	}
	return name
}

func serviceBlocks(s *assay.ServiceEvidence, below string) []block {
	name := serviceName(s)
	top := block{title: "SERVICE " + name, rank: 1}
	if len(s.Simulated) > 0 {
		top.lines = append(top.lines, "SIMULATED: "+strings.Join(s.Simulated, ", ")+"; never added to a real target")
	}
	if n := len(s.Runs); n > 0 {
		used := 0
		for _, r := range s.Runs {
			if r.Why == "" {
				used++
			}
		}
		line := fmt.Sprintf("%s from %s to %s", Things(used, "runs"), day(s.Runs[0].Begin), day(s.Runs[n-1].End))
		if left := n - used; left > 0 {
			line += fmt.Sprintf("; %s left out", Things(left, "runs"))
		}
		top.lines = append(top.lines, line)
	}
	if len(s.Releases) > 1 {
		top.lines = append(top.lines, "added up over releases: "+strings.Join(releasesOf(s), ", "))
	}
	top.lines = append(top.lines, s.Warnings...)
	sound := slices.ContainsFunc(s.Runs, func(r assay.RunEvidence) bool { return r.Why == "" })
	if !sound {
		top.lines = append(top.lines, "nothing to add up: not one of its runs could measure")
	}
	out := []block{top}
	add := func(b block) {
		if len(b.rows) > 0 || len(b.lines) > 0 {
			b.rank = 2
			out = append(out, b)
		}
	}
	add(evidenceObjectives(s))
	if sound {
		add(evidenceUnits(s))
		add(evidenceCauses(s))
		add(evidenceAvailability(s))
		add(evidenceRecovery(s))
		add(evidenceModes(s, below))
	}
	add(evidenceAttempts(s))
	return out
}

// releasesOf names the releases of a service, each with its sound runs.
func releasesOf(s *assay.ServiceEvidence) []string {
	var out []string
	for _, name := range s.Releases {
		n := 0
		for _, r := range s.Runs {
			if r.Why == "" && r.Release == name {
				n++
			}
		}
		out = append(out, fmt.Sprintf("%s (%s)", orElse(name, "one without a name"), Things(n, "runs")))
	}
	return out
}

func evidenceObjectives(s *assay.ServiceEvidence) block {
	b := block{title: "OBJECTIVES", head: []string{"Objective", "Goal", "Value", "Interval", "Verdict"}, right: " rrr"}
	for _, j := range s.Objectives {
		b.rows = append(b.rows, []string{j.Title, Goal(j.Objective, j.Objective.Unit), Value(j.Quantity), Interval(j.Quantity), string(j.Verdict)})
		if j.Verdict == assay.VerdictPass {
			continue
		}
		line := j.Title + ": " + j.Why
		if j.Enough != "" {
			line += "; enough would be " + j.Enough
		}
		b.lines = append(b.lines, line)
	}
	return b
}

func evidenceUnits(s *assay.ServiceEvidence) block {
	b := block{title: "NATURAL FAILURES", head: []string{"Unit", "Watched", "Failures", "MTBF", "Interval 95 %", "Rate", "Trend"}, right: " rrrrr "}
	for _, u := range s.Units {
		trend := "too few to see"
		switch t := u.Trend; {
		case u.Failures == 0:
			trend = "none to see"
		case t != nil && t.Constant:
			trend = fmt.Sprintf("none: MIL-HDBK p %.2g", t.MilHdbkP)
		case t != nil:
			trend = fmt.Sprintf("%s: MIL-HDBK p %.2g, Laplace p %.2g", t.Way, t.MilHdbkP, t.LaplaceP)
		}
		name := string(u.Subject)
		if u.Units > 1 {
			name = Things(u.Units, string(u.Subject)+"s")
		}
		b.rows = append(b.rows, []string{name, Duration(u.Exposure), Integer(u.Failures), Value(u.MTBF), Interval(u.MTBF), Value(u.Rate), trend})
		if u.AtEnd != nil && (u.Trend == nil || !u.Trend.Constant) {
			b.rows = append(b.rows, []string{name + " at the end", "", "", Value(u.AtEnd.MTBF), Interval(u.AtEnd.MTBF), Value(u.AtEnd.Rate), "by Crow-AMSAA"})
		}
		for _, d := range u.Doubts {
			b.lines = append(b.lines, string(u.Subject)+": "+d)
		}
	}
	if len(b.rows) == 0 {
		b.lines = append(b.lines, "not measured: no run of it watched natural time")
		return b
	}
	b.lines = append(b.lines, "the mean over the watch by chi-square, which holds whether or not the rate is constant; where it is not, beside it what it was at the end of the watch, by Crow-AMSAA")
	return b
}

func evidenceCauses(s *assay.ServiceEvidence) block {
	b := block{title: "BY CAUSE", head: []string{"Unit", "Cause", "Failures", "MTBF", "Interval 95 %", "Rate"}, right: "  rrrr"}
	for _, u := range s.Units {
		for _, c := range u.Causes {
			b.rows = append(b.rows, []string{string(u.Subject), c.Cause, Integer(c.Failures), Value(c.MTBF), Interval(c.MTBF), Value(c.Rate)})
		}
	}
	return b
}

func evidenceAvailability(s *assay.ServiceEvidence) block {
	b := block{title: "NATURAL AVAILABILITY: bound on the rate of failures times bound on their mean length", head: []string{"By", "Value", "Interval 95 %", "n", "Nines", "Rests on"}, right: " rrrr "}
	for _, f := range s.Availability {
		by := f.Labels["by"]
		if !f.Quantity.Known() {
			b.lines = append(b.lines, fmt.Sprintf("by %s: %s", by, f.Quantity.Reason))
			continue
		}
		b.rows = append(b.rows, []string{by, Value(f.Quantity), Interval(f.Quantity), NText(f.Quantity), Nines(f.Quantity.Lo) + " at least", strings.Join(f.Evidence, "; ")})
		b.lines = append(b.lines, f.Warnings...)
	}
	return b
}

func evidenceRecovery(s *assay.ServiceEvidence) block {
	b := block{title: "RECOVERY FROM FAULTS", head: []string{"Fault", "Drills", "Well", "95 %", "Median", "Mean (MTTR)", "n"}, right: " rrrrrr"}
	for _, r := range s.Recovery {
		n := Integer(r.Median.N)
		if r.Censored > 0 {
			n += fmt.Sprintf(" + %d that did not end", r.Censored)
		}
		b.rows = append(b.rows, []string{r.Fault, Integer(r.Drills), fmt.Sprintf("%d/%d", r.Recovered, r.Felt), Interval(r.Rate), Measure(brief(r.Median)), Measure(brief(r.Mean)), n})
	}
	if len(b.rows) > 0 {
		b.lines = append(b.lines, "share by Clopper-Pearson; times of users that were hurt by a lognormal distribution, what did not end censored")
	}
	if len(b.rows) > 0 || len(s.Weights) > 0 {
		b.lines = append(b.lines, "coverage, weighted as faults strike in operation: "+Measure(s.Coverage))
	}
	return b
}

// brief leaves the kind of a reason alone, for a cell.
func brief(q assay.Quantity) assay.Quantity {
	if !q.Known() {
		q.Reason = reasonKind(q.Reason)
	}
	return q
}

func evidenceModes(s *assay.ServiceEvidence, below string) block {
	b := block{title: "FAILURE MODES", head: []string{"Mode", "Drills", "Last", "Users", "Age", "Run"}, right: " r r  "}
	var never []string
	for _, m := range s.Modes {
		if m.Last == nil && m.Empty == nil {
			never = append(never, m.Mode)
			continue
		}
		if d := m.Last; d != nil {
			age := days(d.Age)
			if m.Stale {
				age += ", STALE"
			}
			b.rows = append(b.rows, []string{m.Mode, Integer(m.Shown), string(d.State), Value(d.User), age, named(d.Dir, below)})
		}
		if d := m.Empty; d != nil {
			b.rows = append(b.rows, []string{m.Mode, "0", string(d.State) + ": shows nothing", "", days(d.Age), named(d.Dir, below)})
		}
	}
	if len(never) > 0 {
		b.lines = append(b.lines, "never drilled: "+strings.Join(never, ", "))
	}
	return b
}

func evidenceAttempts(s *assay.ServiceEvidence) block {
	b := block{title: "ATTEMPTS: several runs of one plan on one release", head: []string{"Plan", "Release", "Runs", "Decisions in order"}, right: "  r "}
	for _, a := range s.Attempts {
		var all []string
		for _, r := range a.Runs {
			all = append(all, orElse(string(r.Decision), "NO RESULT"))
		}
		last := len(a.Runs) - 1
		if a.Runs[last].Decision == assay.Go && slices.ContainsFunc(a.Runs[:last], func(r assay.RunEvidence) bool { return r.Decision != assay.Go }) {
			b.lines = append(b.lines, fmt.Sprintf("%s on %s was run until it passed: the last GO is one of %d", a.Name, orElse(a.Release, "a release without a name"), len(a.Runs)))
		}
		b.rows = append(b.rows, []string{fmt.Sprintf("%s %.8s", a.Name, a.Plan), orElse(a.Release, "not named"), Integer(len(a.Runs)), sequence(all)})
	}
	return b
}

// common returns the directory that all runs lie below, with its slash; "" where there is none.
func common(e *assay.Evidence) string {
	var dirs []string
	for i := range e.Services {
		for _, r := range e.Services[i].Runs {
			dirs = append(dirs, r.Dir)
		}
	}
	for _, r := range e.LeftOut {
		dirs = append(dirs, r.Dir)
	}
	if len(dirs) == 0 {
		return ""
	}
	below := dirs[0]
	for _, d := range dirs {
		for !strings.HasPrefix(d, below) || d == below || !strings.HasSuffix(below, "/") {
			cut := strings.LastIndexByte(strings.TrimSuffix(below, "/"), '/')
			if below = below[:cut+1]; below == "" {
				return ""
			}
		}
	}
	return below
}

// named writes a run's directory for a cell: below the common one, and no longer than it takes to find it.
func named(dir, below string) string {
	name := []rune(strings.TrimPrefix(dir, below))
	if len(name) > 24 {
		name = append(name[:23:23], '…')
	}
	return string(name)
}

// sequence writes decisions in order, those in a row counted.
func sequence(all []string) string {
	var out []string
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		if out = append(out, all[i]); n > 1 {
			out[len(out)-1] += fmt.Sprintf(" ×%d", n)
		}
		i += n
	}
	return strings.Join(out, ", ")
}

func day(ns int64) string {
	if ns == 0 {
		return "?"
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02 15:04")
}

// days writes an age in seconds.
func days(s float64) string {
	if s < 86400 {
		return "today"
	}
	return Things(int(s/86400), "days")
}
