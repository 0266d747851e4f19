package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// This file holds the words that all views of a comparison share.

// ComparisonJSON writes the comparison as it is.
func ComparisonJSON(w io.Writer, c *assay.Comparison) error { return indented(w, c) }

func indented(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode comparison: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// signed writes v, given on the scale of a change, with its sign: +9.8 %, −0.3 points.
func signed(v float64, scale assay.Scale, unit assay.Unit) string {
	s := scaled(math.Abs(v), scale, unit)
	switch {
	case scale == assay.ScaleRate && v >= 1:
		return s
	case v < 0:
		return "−" + s
	case v > 0:
		return "+" + s
	}
	return s
}

// scaled writes v, 0 or more, on the scale of a change.
func scaled(v float64, scale assay.Scale, unit assay.Unit) string {
	switch {
	case math.IsInf(v, 0):
		return "∞"
	case scale == assay.ScaleRate && v >= 1:
		return "×" + Number(v+1)
	case scale != assay.ScaleDifference:
		return Percent(v)
	case unit == assay.Ratio:
		return Number(v*100) + " pp"
	}
	return In(v, unit)
}

// changeText writes the change of a metric: its value, or why there is none.
func changeText(c *assay.Change) string {
	q := c.Change
	switch {
	case !q.Known():
		return reasonKind(q.Reason)
	case math.IsNaN(q.Value) || math.IsInf(q.Value, 0):
		return "none before"
	}
	return signed(q.Value, c.Scale, q.Unit)
}

// changeInterval writes the interval of a change.
func changeInterval(c *assay.Change, q assay.Quantity) string {
	if !q.Bounded() {
		return "none"
	}
	lo, hi := signed(q.Lo, c.Scale, q.Unit), signed(q.Hi, c.Scale, q.Unit)
	if math.IsInf(q.Hi, 1) {
		return "≥" + lo
	}
	for _, unit := range []string{" %", " pp", " ms", " s", " µs"} {
		if l, ok := strings.CutSuffix(lo, unit); ok && strings.HasSuffix(hi, unit) {
			lo = l
			break
		}
	}
	return lo + ".." + hi
}

// marginText writes the margin of a metric as what it may change to.
func marginText(c *assay.Change) string {
	if c.Scale == assay.ScaleRate {
		return "×" + Number(c.Margin+1)
	}
	if c.Better == "higher" {
		return "−" + scaled(c.Margin, c.Scale, c.Change.Unit)
	}
	return "+" + scaled(c.Margin, c.Scale, c.Change.Unit)
}

// changesOf returns the changes of a candidate that have a role.
func changesOf(c *assay.Comparison, side string, role assay.ChangeRole) []*assay.Change {
	var out []*assay.Change
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.Candidate == side && ch.Role == role {
			out = append(out, ch)
		}
	}
	return out
}

// A noted is what is to be said of several metrics alike.
type noted struct{ Titles, Note string }

// changeNotes says why metrics are not decided, or on what a pass rests, those with the same words together.
func changeNotes(cs []*assay.Change) []noted {
	var out []noted
	for _, ch := range cs {
		s := changeNote(ch)
		if s == "" || ch.Role == assay.ChangeShow {
			continue
		}
		i := slices.IndexFunc(out, func(n noted) bool { return n.Note == s })
		if i < 0 {
			out = append(out, noted{ch.Title, s})
			continue
		}
		out[i].Titles += "; " + ch.Title
	}
	return out
}

// withinOne writes what one run says: its interval, or its value where that cannot err.
func withinOne(q assay.Quantity) string {
	if s := Interval(q); s != "exact" {
		return s
	}
	return Value(q)
}

// withinLine describes the one run of each side by what is known within it.
func withinLine(c *assay.Comparison, s *assay.Side) string {
	if c.Race != nil || c.Base.Used() != 1 || s.Used() != 1 {
		return ""
	}
	var parts []string
	for _, ch := range changesOf(c, s.Name, assay.ChangeGate) {
		if ch.Base.Bounded() && ch.Other.Bounded() {
			parts = append(parts, fmt.Sprintf("%s %s against %s", ch.Title, withinOne(ch.Other), withinOne(ch.Base)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "intervals within the one run of each side, which describe these two runs and decide nothing: " + strings.Join(parts, "; ")
}

// changeNote says why a metric is not decided and what would be enough.
func changeNote(ch *assay.Change) string {
	s := ch.Why
	if ch.Verdict == assay.VerdictInconclusive && ch.Enough != "" {
		if s != "" {
			s += "; "
		}
		s += "enough: " + ch.Enough
	}
	return s
}

// sideLine says what a side is made of.
func sideLine(s *assay.Side) string {
	n := s.Used()
	text := Things(n, "runs")
	if out := len(s.Runs) - n; out > 0 {
		text += fmt.Sprintf(" (%d more left out)", out)
	}
	if n == 0 {
		return text
	}
	var first, last *assay.ComparedRun
	for i := range s.Runs {
		if s.Runs[i].LeftOut != "" {
			continue
		}
		if first == nil {
			first = &s.Runs[i]
		}
		last = &s.Runs[i]
	}
	if first.Begin != 0 {
		text += ", " + minuteOf(first.Begin)
		if n > 1 {
			text += " to " + minuteOf(last.Begin)
		}
	}
	if first.Release != "" && first.Release != s.Name && first.Release == last.Release {
		text += ", release " + first.Release
	}
	return text
}

func minuteOf(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04") }

// orderLine says in which order the runs of a candidate and of the base were made.
func orderLine(s *assay.Side) string {
	if s.Order == "" {
		return string(s.Turns)
	}
	order := s.Order
	if len(order) > 40 {
		order = order[:40] + "…"
	}
	return fmt.Sprintf("%s: %s", order, s.Turns)
}

// selfLine says what the base compared with itself came to.
func selfLine(cs []*assay.Change) string {
	looked, alarms, why := 0, 0, ""
	worst := 0.0
	var of *assay.Change
	for _, ch := range cs {
		if !ch.Self.Known() {
			why = orElse(why, ch.Self.Reason)
			continue
		}
		looked++
		if ch.Self.Lo > ch.Margin || ch.Self.Hi < -ch.Margin {
			alarms++
		}
		if v := math.Abs(ch.Self.Value) / ch.Margin; v >= worst {
			worst, of = v, ch
		}
	}
	if looked == 0 {
		return why
	}
	return fmt.Sprintf("the base against itself, by turns: %d alarms in %s; the largest change is that of %s, %s (%s, %s)", alarms, Things(looked, "metrics"),
		of.Title, signed(of.Self.Value, of.Scale, of.Self.Unit), changeInterval(of, of.Self), NText(of.Self))
}

// powerLine says which changes would have been found.
func powerLine(cs []*assay.Change) string {
	var parts []string
	why := ""
	for _, ch := range cs {
		if !ch.Smallest.Known() {
			why = orElse(why, ch.Smallest.Reason)
			continue
		}
		parts = append(parts, ch.Title+" "+scaled(ch.Smallest.Value, ch.Scale, ch.Smallest.Unit))
	}
	if len(parts) == 0 {
		return why
	}
	return "changes for the worse that would be found four times in five: " + strings.Join(parts, "; ")
}

// raceLine says how two targets were loaded in turns.
func raceLine(r *assay.Race) string {
	s := fmt.Sprintf("%s of at most %d, blocks of %s at %s/s, seed %d, %s requests in %s", Things(r.Pairs, "pairs"), r.Most, Duration(r.Block), Number(r.Rate), r.Seed, Integer(r.Requests), Duration(r.Took))
	if r.Stopped != "" {
		s += "; stopped: " + r.Stopped
	}
	return s
}

// RaceStanding writes where a race stands in one line: what must pass, with its change and bounds so far.
func RaceStanding(cs []assay.Change) string {
	var parts []string
	for i := range cs {
		ch := &cs[i]
		if ch.Role != assay.ChangeGate && ch.Verdict != assay.VerdictFail {
			continue
		}
		s := ch.Title + " " + changeText(ch)
		if ch.Change.Bounded() {
			s += " (" + changeInterval(ch, ch.Change) + ")"
		}
		if ch.Verdict != assay.VerdictInconclusive {
			s += " " + string(ch.Verdict)
		}
		parts = append(parts, s)
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), nbsp, " ")
}
