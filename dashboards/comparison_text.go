package dashboards

import (
	"fmt"
	"io"
	"strings"

	"github.com/assay-dev/assay"
)

// ComparisonText returns the terminal view of a comparison.
func ComparisonText(o TextOptions) func(io.Writer, *assay.Comparison) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	return func(w io.Writer, c *assay.Comparison) error {
		p := &page{TextOptions: o}
		p.compared(c)
		if err := p.sides(c); err != nil {
			return err
		}
		for i, s := range c.Doubts {
			p.para([]string{"DOUBTS", ""}[min(i, 1)], 11, s)
		}
		_, err := io.WriteString(w, strings.Join(p.out, "\n")+"\n")
		return err
	}
}

// compared writes the answer.
func (p *page) compared(c *assay.Comparison) {
	head := strings.ToUpper(string(c.Verdict))
	before, after := p.paint(string(c.Verdict))
	tail := fmt.Sprintf("exit %d", c.Exit)
	p.out = append(p.out, before+head+after+strings.Repeat(" ", max(p.Width-len(head)-len(tail), 2))+tail)
	p.para("WHY", 11, c.Why)
	for _, s := range c.Problems[min(len(c.Problems), 1):] {
		p.para("", 11, s)
	}
	if c.Next != "" {
		p.para("NEXT", 11, c.Next)
	}
	p.blank()
	p.para("BASE", 11, c.Base.Name+": "+sideLine(&c.Base))
	if c.Race != nil {
		p.para("RACE", 11, raceLine(c.Race))
	}
}

// sides writes each candidate against the base.
func (p *page) sides(c *assay.Comparison) error {
	for i := range c.Candidates {
		s := &c.Candidates[i]
		p.para("CANDIDATE", 11, s.Name+": "+sideLine(s))
		if s.Turns != "" {
			p.para("ORDER", 11, orderLine(s))
		}
		p.blank()
		for _, r := range []struct {
			role assay.ChangeRole
			name string
		}{{assay.ChangeGate, "MUST PASS"}, {assay.ChangeWatch, "MAY FAIL"}, {assay.ChangeShow, "SHOWN"}} {
			if err := p.changes(changesOf(c, s.Name, r.role), r.name); err != nil {
				return err
			}
		}
		judged := append(changesOf(c, s.Name, assay.ChangeGate), changesOf(c, s.Name, assay.ChangeWatch)...)
		if within := withinLine(c, s); within != "" {
			p.para("WITHIN", 11, within)
		}
		if len(judged) > 0 {
			if c.Race == nil {
				p.para("SELF-CHECK", 11, selfLine(judged))
				p.para("POWER", 11, powerLine(changesOf(c, s.Name, assay.ChangeGate)))
			}
			p.para("METHOD", 11, methodLine(c, judged))
		}
		p.blank()
	}
	return nil
}

// methodLine says how it was decided.
func methodLine(c *assay.Comparison, judged []*assay.Change) string {
	if c.Race != nil {
		return raceMethods(judged) + fmt.Sprintf("; %s, valid at every look", Percent(c.Confidence))
	}
	for _, ch := range judged {
		if ch.Change.Known() && ch.Role == assay.ChangeGate {
			return fmt.Sprintf("%s; %s intervals; a failure must hold by Holm among all that may fail; for one look: more runs until it decides make each verdict likelier to be wrong than that", ch.Change.Method, Percent(c.Confidence))
		}
	}
	return "no interval of what must pass could be given"
}

// raceMethods says how each metric was bounded, once where several are by the same method.
func raceMethods(judged []*assay.Change) string {
	var methods []string
	of := map[string][]string{}
	for _, ch := range judged {
		m := ch.Change.Method
		if m == "" {
			continue
		}
		if of[m] == nil {
			methods = append(methods, m)
		}
		of[m] = append(of[m], ch.Title)
	}
	if len(methods) == 1 {
		return methods[0]
	}
	for i, m := range methods {
		methods[i] = strings.Join(of[m], ", ") + ": " + m
	}
	if len(methods) == 0 {
		return "no interval could be given yet"
	}
	return strings.Join(methods, "; ")
}

func (p *page) changes(cs []*assay.Change, name string) error {
	if len(cs) == 0 {
		return nil
	}
	shown := cs[0].Role == assay.ChangeShow
	t := &table{head: []string{name, "base", "candidate", "change", "interval", "margin", "verdict"}, paint: p.paint}
	if shown {
		t.head, t.paint = []string{name, "base", "candidate", "change", "interval", "n"}, nil
	}
	for _, ch := range cs {
		row := []string{ch.Title, Value(ch.Base), Value(ch.Other), changeText(ch), changeInterval(ch, ch.Change)}
		if shown {
			row = append(row, shortChangeN(ch.Change))
		} else {
			row = append(row, marginText(ch), string(ch.Verdict))
		}
		t.rows = append(t.rows, row)
	}
	if err := p.table(t, 0); err != nil {
		return err
	}
	for _, n := range changeNotes(cs) {
		p.para("", 2, n.Titles+": "+n.Note)
	}
	p.blank()
	return nil
}

// shortChangeN writes what a change rests on: "5+5 runs".
func shortChangeN(q assay.Quantity) string {
	what, each, ok := strings.Cut(q.Of, ", ")
	if !ok {
		return NText(q)
	}
	return strings.Replace(each, " and ", "+", 1) + " " + what
}

// HistoryText returns the terminal view of a history.
func HistoryText(o TextOptions) func(io.Writer, *assay.History) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	return func(w io.Writer, h *assay.History) error {
		p := &page{TextOptions: o}
		p.para("HISTORY", 11, historyLine(h))
		p.blank()
		if len(h.Points) == 0 {
			p.para("CHANGES", 11, "no change of level")
		} else {
			t := &table{head: []string{"CHANGE", "from run", "release", "before", "after", "change", "p", ""}}
			t.rows = historyRows(h)
			if err := p.table(t, 0); err != nil {
				return err
			}
		}
		p.blank()
		p.para("LOOKED AT", 11, lookedLine(h))
		if len(h.Short) > 0 {
			p.para("TOO SHORT", 11, strings.Join(h.Short, "; "))
		}
		p.para("METHOD", 11, historyMethod(h))
		for i, s := range h.Doubts {
			p.para([]string{"DOUBTS", ""}[min(i, 1)], 11, s)
		}
		_, err := io.WriteString(w, strings.Join(p.out, "\n")+"\n")
		return err
	}
}
