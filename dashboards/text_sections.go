package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// natural writes what the service does of itself.
func (p *page) natural() {
	r := p.r
	const label = "NATURAL"
	switch {
	case len(r.Segments) == 0:
		p.para(label, 11, "not measured, because nothing was watched")
		return
	default:
		p.para(label, 11, fmt.Sprintf("%s, %s", watchedFor(r), failuresText(r)))
	}
	subjects := []string{"service", "instance"}
	switch {
	case requestless(r) && !requestsCounted(r):
		subjects = subjects[1:]
	case plain(r):
		subjects = subjects[:1]
	}
	for _, s := range subjects {
		mtbf, rate := r.Find("mtbf/"+s), r.Find("failure_rate/"+s)
		if mtbf == nil && rate == nil {
			p.para("", 2, "MTBF/"+s+" not measured, because the run did not count failures of it")
			continue
		}
		var parts []string
		if mtbf != nil {
			parts = append(parts, "MTBF/"+s+" "+Measure(mtbf.Quantity))
		}
		if rate != nil {
			parts = append(parts, "rate "+Measure(rate.Quantity)+confidenceText(rate.Quantity))
		}
		if mtbf != nil && s == "service" {
			if c := cleanTime(mtbf.Quantity); c != "" {
				parts = append(parts, c)
			}
		}
		p.para("", 2, strings.Join(parts, "; "))
	}
	if !requestless(r) || requestsCounted(r) {
		p.para("", 2, availabilityLine(r))
	}
	if s := probesLine(r); s != "" {
		p.para("", 2, s)
	}
	for _, s := range naturalLines(r) {
		p.para("", 2, s)
	}
	for _, s := range failuresOfInstances(r) {
		p.para("", 2, s)
	}
}

func confidenceText(q assay.Quantity) string {
	if !q.Bounded() || q.Confidence <= 0 || q.Confidence >= 1 {
		return ""
	}
	return " (" + Percent(math.Round(q.Confidence*1000)/1000) + ")"
}

// monthHours is a round figure for what people ask of an MTBF.
const monthHours = 720

// cleanTime says how long a run without failure would have to be to show a month, when
// this one saw no failure and shows less.
func cleanTime(q assay.Quantity) string {
	if !q.Bounded() || !math.IsInf(q.Hi, 1) || !math.IsNaN(q.Value) || q.Lo >= monthHours*3600 || q.Confidence <= 0 || q.Confidence >= 1 {
		return ""
	}
	return fmt.Sprintf("%d h needs %s clean days", monthHours, Number(math.Ceil(monthHours/24*-math.Log(1-q.Confidence))))
}

// injected writes what each fault did.
func (p *page) injected() error {
	r := p.r
	if len(r.Faults) == 0 {
		p.para("INJECTED", 11, noFaults(r))
		return nil
	}
	if p.Width < narrow {
		p.injectedNarrow()
		return nil
	}
	t := &table{head: []string{"INJECTED", "verdict", "score", "detect", "isolate", "recover", "total", "lost"}}
	for i, f := range r.Faults {
		t.rows = append(t.rows, []string{"  " + faultName(i, f), verdictText(f), scoreText(f.Score), dash(f.Detect), dash(f.Isolate),
			dash(f.Restore), dash(f.User), lostText(f)})
	}
	if err := p.table(t, 0); err != nil {
		return err
	}
	for _, n := range allNotes(r) {
		p.para("", 2, n.String())
	}
	p.para("", 2, rates(r))
	p.covered()
	p.scores()
	return nil
}

// injectedNarrow writes the faults as sentences, where a table would break every word.
func (p *page) injectedNarrow() {
	p.para("INJECTED", 11, Things(len(p.r.Faults), "faults"))
	own, shared := splitNotes(p.r)
	for i, f := range p.r.Faults {
		s := fmt.Sprintf("%s: %s, score %s; %s = detect %s + isolate %s + recover %s; lost %s", faultName(i, f), verdictText(f), scoreText(f.Score),
			Value(f.User), Value(f.Detect), Value(f.Isolate), Value(f.Restore), lostText(f))
		if !f.User.Known() {
			s = faultName(i, f)
		}
		p.para("", 2, strings.Join(append([]string{s}, own[i]...), "; "))
	}
	for _, n := range shared {
		p.para("", 2, n.String())
	}
	p.para("", 2, rates(p.r))
	p.covered()
	p.scores()
}

// covered writes what the faults amount to beyond each of them.
func (p *page) covered() {
	for _, s := range coverageLines(p.r) {
		p.para("", 2, s)
	}
}

// scores writes the score of the run, if it has one.
func (p *page) scores() {
	if s := runScore(p.r); s != "" {
		p.para("", 2, s)
	}
}

// hypothesis writes what was seen of the steady state around the faults, if it was looked at.
func (p *page) hypothesis() {
	for i, s := range hypothesisLines(p.r) {
		label := ""
		if i == 0 {
			label = "HYPOTHESIS"
		}
		p.para(label, 11, s)
	}
}

// rates says how many of the faults users recovered from and how many they never felt.
func rates(r *assay.Report) string {
	if a, b := r.Find("recovery/rate"), r.Find("fault_tolerance"); a != nil && b != nil && !a.Quantity.Known() && a.Quantity.Reason == b.Quantity.Reason {
		return "recovered and tolerated " + a.Quantity.Reason
	}
	var parts []string
	for _, s := range []struct{ word, metric string }{{"recovered", "recovery/rate"}, {"tolerated", "fault_tolerance"}} {
		switch f := r.Find(s.metric); {
		case f == nil:
			parts = append(parts, s.word+" not measured, because no finding tells")
		case !f.Quantity.Known():
			parts = append(parts, s.word+" "+f.Quantity.Reason)
		default:
			parts = append(parts, s.word+" "+of(f.Quantity))
		}
	}
	return strings.Join(parts, "; ")
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
			parts = append(parts, Value(f.Quantity)+" "+s.word)
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
		s += ", " + Percent(failed.Quantity.Value) + " failed"
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
		parts = append(parts, "×"+Number(f.Quantity.Value)+" attempts per request")
	}
	return strings.Join(parts, "; ")
}

// cold writes what starting an instance costs and where the time goes.
func (p *page) cold() {
	p.para("COLD", 11, coldLine(p.r))
	for _, t := range timelines(p.r) {
		p.para("", 2, t.said())
	}
	for _, s := range startDoubts(p.r) {
		p.para("", 2, "doubt: "+s)
	}
}

func coldLine(r *assay.Report) string { return startsLine(r) + coldRequests(r) + coldCost(r) }

// coldRequests says what the cold requests of a recording took: LATENCY speaks of those that were warm, and nobody forced a start whose wait would tell.
func coldRequests(r *assay.Report) string {
	f := r.Find("e2e/p50", "cold", "cold")
	if !recording(r) || f == nil || f.Quantity.N == 0 {
		return ""
	}
	s := "; " + Things(f.Quantity.N, "cold requests") + ": E2E"
	for i, m := range []string{"p50", "max"} {
		if f := r.Find("e2e/"+m, "cold", "cold"); f != nil && f.Quantity.Known() {
			s += strings.Repeat(",", min(i, 1)) + " " + m + " " + Value(f.Quantity)
		}
	}
	return s
}

func startsLine(r *assay.Report) string {
	if len(r.Starts) == 0 {
		s := reasonOf(r, "cold/start/worst", "not measured, because no instance started in the run")
		if f := r.Find("cold/forced", "forced", "true"); f != nil { // only the requests tell
			s = Things(f.Quantity.N, "forced starts") + waitText(r) + "; starts of instances " + s
		}
		return s
	}
	var natural, forced []assay.Start
	for _, st := range r.Starts {
		if st.Forced {
			forced = append(forced, st)
		} else {
			natural = append(natural, st)
		}
	}
	switch {
	case len(forced) == 0:
		return startsText(r, natural, "")
	case len(natural) == 0:
		return startsText(r, forced, "forced ") + waitText(r)
	}
	return startsText(r, natural, "") + "; " + startsText(r, forced, "forced ") + waitText(r)
}

// waitText says how long those waited who forced cold starts.
func waitText(r *assay.Report) string {
	s := ""
	for _, m := range []struct{ metric, word string }{{"cold/wait/p50", "median"}, {"cold/wait/worst", "worst"}} {
		if f := r.Find(m.metric, "forced", "true"); f != nil && f.Quantity.Known() {
			s += ", " + m.word + " " + Value(f.Quantity)
		}
	}
	if s != "" {
		s = "; first token" + s
	}
	if f := r.Find("cold/failed", "forced", "true"); f != nil && f.Quantity.Known() && f.Quantity.Value > 0 {
		s += "; " + of(f.Quantity) + " not served"
	}
	return s
}

// startsText sums up natural or forced starts.
func startsText(r *assay.Report, starts []assay.Start, kind string) string {
	var labels []string
	if kind != "" {
		labels = []string{"forced", "true"}
	}
	parts, total, held := coldParts(starts)
	s := fmt.Sprintf("%s held %s", Things(len(starts), kind+"starts"), Things(held, "requests"))
	if requestless(r) {
		s = Things(len(starts), kind+"starts")
	}
	if f := r.Find("idle/gap"); kind == "" && f != nil && f.Quantity.Known() && !math.IsInf(f.Quantity.Hi, 1) {
		s += ", to zero after " + strings.TrimSpace(Value(f.Quantity)+" "+Bracket(f.Quantity)) + " idle"
	}
	if f := r.Find("cold/start/p50", labels...); f != nil && f.Quantity.Known() {
		s += ", median " + Value(f.Quantity)
	}
	if f := r.Find("cold/start/worst", labels...); f != nil && f.Quantity.Known() {
		s += ", worst " + Value(f.Quantity)
	}
	if total <= 0 {
		return s + "; phases not measured, because no start told them"
	}
	var names []string
	for i, part := range parts {
		n := percent(roundShare(part.Seconds / total))
		if i == 0 {
			n += " %"
		}
		names = append(names, words(part.Name)+" "+n)
	}
	return s + ": " + strings.Join(names, " · ")
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
		names = append(names, words(s.Name)+" "+n)
	}
	p.para("BOTTLENECK", 11, strings.Join(names, " · "))
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
			said = "at most " + said
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
}

func stepText(s assay.ScaleStep, begin int64) string {
	head := fmt.Sprintf("%d→%d at %s: ", s.From, s.To, Instant(s.At, begin))
	if !s.Total.Known() {
		return head + s.Total.Reason
	}
	return head + fmt.Sprintf("%s = decide %s + provision %s + serve %s", Value(s.Total), Value(s.Decide), Value(s.Provision), Value(s.Serve))
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
	var parts, why []string
	missing := map[string][]string{} // rows without a value, by why there is none
	for _, row := range r.Trust.Rows {
		s := row.Name + " " + Value(row.Quantity)
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
		parts = append(parts, s)
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
