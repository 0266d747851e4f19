package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// covered writes what the faults amount to beyond each of them.
func (p *page) covered() {
	for _, s := range coverageLines(p.r) {
		p.para("", 2, s)
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// overload writes what happened past the limit.
func (p *page) overload() { p.para("OVERLOAD", 11, overloadLine(p.r)) }

// overloaded says what became of requests past the limit; nothing where there were none.
func overloaded(r *assay.Report) (parts []string) {
	for _, s := range []struct{ metric, word string }{{"overload/refused", "refused past the limit"}, {"overload/throttled", "throttled"}} {
		if f := r.Find(s.metric); f != nil && f.Quantity.Known() {
			parts = append(parts, Value(f.Quantity)+" "+s.word+rests(f.Quantity))
		}
	}
	return parts
}

func overloadLine(r *assay.Report) string {
	parts := overloaded(r)
	if len(parts) > 0 {
		parts = append(parts, "not counted as failures")
	} else {
		parts = append(parts, reasonOf(r, "overload/refused", "not measured, because no load went past the limit on purpose"))
	}
	if n := capRefusals(r); n > 0 {
		parts = append(parts, Integer(n)+" not sent: our own in-flight cap")
	}
	return strings.Join(parts, "; ")
}

// canary writes what the requests with known answers showed, if there were any.
func (p *page) canary() {
	if s := canaryLine(p.r); s != "" {
		p.para("CANARY", 11, s)
	}
}

func canaryLine(r *assay.Report) string {
	wrong, failed := r.Find("canary/wrong"), r.Find("canary/failed")
	if wrong == nil || failed == nil {
		return ""
	}
	s := Things(failed.Quantity.N, "canary requests")
	if failed.Quantity.Known() {
		s += ", " + Measure(failed.Quantity) + " failed"
	}
	if !wrong.Quantity.Known() {
		return s + "; wrong content " + wrong.Quantity.Reason
	}
	return s + "; wrong content " + strings.Join(wrong.Evidence, "; ")
}

// retries writes what sending requests again did, if the plan had it done.
func (p *page) retries() {
	if s := retriesLine(p.r); s != "" {
		p.para("RETRIES", 11, s)
	}
}

func retriesLine(r *assay.Report) string {
	var parts []string
	for _, m := range []struct{ metric, word string }{{"retries/ratio", "sent again"}, {"retries/served", "of these served in the end"}, {"retries/success", "of all served"}} {
		if f := r.Find(m.metric); f != nil && f.Quantity.Known() {
			parts = append(parts, of(f.Quantity)+" "+m.word)
		}
	}
	if f := r.Find("retries/amplification"); f != nil && f.Quantity.Known() {
		parts = append(parts, "×"+Measure(f.Quantity)+" attempts per request"+rests(f.Quantity))
	}
	return strings.Join(parts, "; ")
}

// bottleneck writes the ranked causes.
func (p *page) bottleneck() {
	r := p.r
	if len(r.Attribution) == 0 {
		p.para("BOTTLENECK", 11, reasonOf(r, "bottleneck/unexplained", "not measured, because no request was traced"))
		return
	}
	var names []string
	for i, s := range r.Attribution {
		if !s.Ratio.Known() {
			names = append(names, words(s.Name)+" "+reasonKind(s.Ratio.Reason))
			continue
		}
		n := percent(roundShare(s.Ratio.Value))
		if i == 0 {
			n += " %"
		}
		names = append(names, words(s.Name)+" "+n+wholePercents(s.Ratio))
	}
	p.para("BOTTLENECK", 11, strings.Join(names, " · ")+restShares(r.Attribution))
	if first := r.Attribution[0]; len(first.Evidence) > 0 {
		p.para("", 2, words(first.Name)+": "+strings.Join(first.Evidence, "; "))
	}
	if text := tracesText(r); text != "" {
		p.para("", 2, text)
	}
}

// scaling writes how fast the number of instances followed the load.
func (p *page) scaling() {
	r := p.r
	const most = 3
	if f := r.Find("scaling/provision"); len(r.Scaling) == 0 && f != nil && len(f.Evidence) > 0 {
		said := Measure(f.Quantity)
		if f.Quantity.Known() {
			said = "at most " + said + rests(f.Quantity)
		}
		p.para("SCALING", 11, f.Evidence[0]+"; from a decision to a ready instance "+said)
		return
	}
	if len(r.Scaling) == 0 {
		p.para("SCALING", 11, reasonOf(r, "scaling/total", "not measured, because the number of instances did not follow a change of load"))
		return
	}
	for i, s := range r.Scaling {
		label := ""
		if i == 0 {
			label = "SCALING"
		}
		if i == most {
			p.para("", 11, fmt.Sprintf("and %s more", Things(len(r.Scaling)-most, "steps")))
			break
		}
		p.para(label, 11, stepText(s, r.Begin))
	}
	if s := scalingQuality(r); s != "" {
		p.para("", 11, s)
	}
	if f := r.Find("scaling/decide"); f != nil {
		for _, s := range f.Warnings {
			p.para("", 11, s)
		}
	}
}

func stepText(s assay.ScaleStep, begin int64) string {
	head := fmt.Sprintf("%d→%d at %s: ", s.From, s.To, Instant(s.At, begin))
	if !s.Total.Known() && s.Provision.Known() {
		return head + fmt.Sprintf("decide %s %s + provision %s + serve, which is %s", Value(s.Decide), Bracket(s.Decide), Value(s.Provision), s.Serve.Reason)
	}
	if !s.Total.Known() {
		return head + s.Total.Reason
	}
	return head + fmt.Sprintf("%s = decide %s + provision %s + serve %s", Brief(s.Total), Brief(s.Decide), Brief(s.Provision), Brief(s.Serve))
}

// problems says what makes the run invalid, each with the name of the rule that it broke.
func problems(r *assay.Report) []string {
	var out []string
	for i, s := range r.Trust.Problems {
		if i < len(r.Trust.Rules) {
			out = append(out, fmt.Sprintf("problem (rule %s): %s", r.Trust.Rules[i], s))
			continue
		}
		out = append(out, "problem: "+s)
	}
	return out
}

// budget writes what was used of the budget, if the plan has one.
func (p *page) budget() {
	if s := budgetLine(p.r); s != "" {
		p.para("BUDGET", 11, s)
	}
}

// budgetLine says what was used of each part of the budget, as its findings do.
func budgetLine(r *assay.Report) string {
	var parts []string
	for i := range r.Findings {
		f := &r.Findings[i]
		what, ok := strings.CutPrefix(f.Metric, "budget/")
		switch {
		case !ok:
		case !f.Quantity.Known():
			parts = append(parts, what+" "+f.Quantity.Reason)
		default:
			parts = append(parts, strings.TrimSpace(what+" "+Value(f.Quantity)+" "+strings.Join(append(slices.Clone(f.Evidence), f.Warnings...), "; ")))
		}
	}
	return strings.Join(parts, " · ")
}

// trust writes whether the run could measure what it claims.
func (p *page) trust() {
	r := p.r
	head := "valid"
	if !r.Trust.Valid {
		head = "INVALID"
	}
	var rows []entry
	var parts, why []string
	missing := map[string][]string{} // rows without a value, by why there is none
	for _, row := range r.Trust.Rows {
		s := row.Name + " " + Measure(row.Quantity)
		if !row.Quantity.Known() {
			none := Value(row.Quantity)
			if missing[none] == nil {
				why = append(why, none)
			}
			missing[none] = append(missing[none], row.Name)
			continue
		}
		if !row.OK {
			s += " (MISSED"
			if row.Limit != "" {
				s += " " + row.Limit
			}
			s += ")"
		}
		rows = append(rows, entry{s, row.Quantity})
	}
	if len(rows) > 0 {
		parts = append(parts, listed(rows, ", "))
	}
	if len(r.Trust.Rows) == 0 {
		parts = append(parts, "no check of the measurement was recorded")
	}
	if r.Attempt > 0 && !slices.ContainsFunc(r.Trust.Rows, func(row assay.TrustRow) bool { return row.Name == "attempt" }) {
		parts = append(parts, fmt.Sprintf("attempt %d", r.Attempt))
	}
	told := []string{strings.Join(parts, ", ")}
	for _, none := range why {
		told = append(told, none+": "+strings.Join(missing[none], ", "))
	}
	p.para("TRUST", 11, head+": "+strings.Join(told, "; "))
	if r.Trust.Machine != "" {
		p.para("", 11, "this machine: "+r.Trust.Machine)
	}
	if s := clocksLine(r, coarseClock); s != "" {
		p.para("", 11, s)
	}
	for _, s := range problems(r) {
		p.para("", 11, s)
	}
	for _, s := range r.Trust.Doubts {
		p.para("", 11, "doubt: "+s)
	}
	const most = 5
	for i, s := range r.Warnings {
		if i == most {
			p.para("", 11, fmt.Sprintf("and %s more", Things(len(r.Warnings)-most, "warnings")))
			break
		}
		p.para("", 11, "warning: "+s)
	}
}
