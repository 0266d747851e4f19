package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

func (v *view) objectives(r *assay.Report) {
	for i, j := range r.Objectives {
		row := objectiveRow{Title: objectiveTitle(j), Metric: j.Objective.Metric + labelText(j.Objective.Labels), Goal: Goal(j.Objective, j.Quantity.Unit),
			Value: Value(j.Quantity), Interval: Interval(j.Quantity), N: NText(j.Quantity), Verdict: string(j.Verdict), Sign: verdictSign(j.Verdict),
			Plot: goalPlot(fmt.Sprintf("goal%d", i+1), j)}
		if j.Verdict != assay.VerdictPass {
			row.Because = note(r, j)
		}
		v.Objectives = append(v.Objectives, row)
	}
}

func (v *view) tiles(r *assay.Report) {
	tileOf := func(name, metric, fallback string) (tile, *assay.Finding) {
		f := r.Find(metric)
		if metric == "availability/natural" {
			f = availability(r)
		}
		switch {
		case f == nil:
			return tile{Name: name, Value: "not measured", Sub: fallback}, nil
		case !f.Quantity.Known():
			_, why, _ := strings.Cut(f.Quantity.Reason, ", ")
			return tile{Name: name, Value: Value(f.Quantity), Sub: orElse(why, f.Quantity.Reason)}, nil
		}
		sub := "on " + NText(f.Quantity)
		if !math.IsNaN(f.Quantity.Value) {
			sub = Interval(f.Quantity) + ", " + NText(f.Quantity)
		} else if c := confidenceText(f.Quantity); c != "" {
			sub = "one-sided bound" + c + ", " + NText(f.Quantity)
		}
		return tile{Name: name, Value: Value(f.Quantity), Sub: sub}, f
	}
	a, f := tileOf("availability, natural", "availability/natural", "no request was judged")
	if f != nil && !math.IsNaN(f.Quantity.Value) {
		a.More = Nines(f.Quantity.Value)
	}
	m, f := tileOf("MTBF of the service", "mtbf/service", "failures were not counted")
	m.More = fmt.Sprintf("%s, %s", Things(naturalFailures(r, assay.Service), "natural failures"), watchedFor(r)) + failedRequests(r)
	if f != nil {
		if c := cleanTime(f.Quantity); c != "" {
			m.More += "; " + c
		}
	}
	rate, _ := tileOf("failure rate of the service", "failure_rate/service", "failures were not counted")
	rate.More = "injected faults are never counted"
	rec, _ := tileOf("recovery of users, worst", "recovery/user", "no fault was injected")
	if len(r.Faults) > 0 {
		rec.More = rates(r)
	}
	lim, _ := tileOf("limit", "limit/rate", "no load of the plan looked for it")
	if l := r.Limit; l != nil && l.Rate.Known() {
		lim.Value = strings.Replace(Value(l.Rate), "/s", " req/s", 1)
		lim.Sub = Interval(l.Rate) + ", " + NText(l.Rate)
		lim.More = strings.TrimSpace(words(l.Cause) + " " + words(l.Detail))
	}
	cold, _ := tileOf("cold start, worst", "cold/start/worst", "no instance started")
	if p := r.Find("cold/start/p50"); p != nil && p.Quantity.Known() {
		cold.More = "median " + Whole(p.Quantity)
	}
	v.Tiles = []tile{a, m, rate, rec, lim, cold}
	if f := r.Find("score"); f != nil && f.Quantity.Known() {
		q, between := f.Quantity, ""
		if scoreBounds(q) != "" {
			between = fmt.Sprintf("%.2f..%.2f ", q.Lo, q.Hi)
		}
		v.Tiles = append(v.Tiles, tile{Name: "score of resilience", Value: scoreText(q), Sub: between + fmt.Sprintf("of 1, %d %s measured", q.N, q.Of), More: "what was not measured counts as 0"})
	}
	if plain(r) {
		v.Tiles = v.Tiles[:3]
		if r.Limit != nil {
			v.Tiles = append(v.Tiles, lim)
		}
	}
}

func (v *view) natural(r *assay.Report) {
	v.NaturalLine = fmt.Sprintf("%s without fault or overload: %s.", capital(watchedFor(r)), failuresText(r))
	if s := usersLine(r); s != "" {
		v.NaturalLine += " " + capital(s) + "."
	}
	if s := probesLine(r); s != "" {
		v.NaturalLine += " " + capital(s) + "."
	}
	if len(r.Segments) == 0 {
		v.NaturalLine = "Not measured, because nothing was watched."
	}
	for _, e := range r.Episodes {
		if e.Ledger != assay.Natural {
			continue
		}
		row := episodeRow{Subject: string(e.Subject), Cause: words(orElse(e.Cause, "not known")), Begin: edge(e.BeginLo, e.Begin, r.Begin), End: edge(e.End, e.EndHi, r.Begin), Lost: Integer(e.Lost)}
		if e.Instance != "" {
			row.Subject += " " + e.Instance
		}
		if e.LeftCensored {
			row.Notes = "began before the run"
		}
		if e.RightCensored {
			row.Notes = strings.TrimSpace(row.Notes + " was not over when the run ended")
		}
		if s := evidenceText(&e); s != "" {
			row.Notes = strings.TrimSpace(row.Notes + " " + s)
		}
		v.Episodes = append(v.Episodes, row)
	}
}

// edge writes an end of an episode, which is known no better than the traffic that showed it.
func edge(lo, hi, begin int64) string {
	if lo == 0 || lo == hi {
		return Instant(hi, begin)
	}
	if hi == 0 {
		return Instant(lo, begin)
	}
	return bounds(seconds(lo-begin), seconds(hi-begin), assay.Seconds)
}

func (v *view) faults(r *assay.Report) {
	v.Hypothesis = hypothesisLines(r)
	if len(r.Faults) == 0 {
		return
	}
	v.Rates, v.RunScore = strings.Join(append([]string{rates(r)}, coverageLines(r)...), "; "), runScore(r)
	own, shared := splitNotes(r)
	v.SharedNotes = shared
	var rows []barRow
	for i, f := range r.Faults {
		name := faultName(i, f)
		row := faultRow{Name: name, Target: orElse(f.Window.Target, "not named"), At: "never", State: string(f.State), Verdict: string(verdictOf(f)), Told: strings.TrimPrefix(verdictText(f), string(verdictOf(f))), Sign: faultSign(verdictOf(f)), Score: pair{scoreText(f.Score), strings.Replace(strings.Trim(scoreBounds(f.Score), " []"), ", ", "..", 1)}, Degraded: figurePair(f.Degraded), Detect: figurePair(f.Detect), Isolate: figurePair(f.Isolate),
			Restore: figurePair(f.Restore), User: figurePair(f.User), Capacity: figurePair(f.Capacity), Lost: fmt.Sprintf("%s of %s", Integer(f.Lost), Integer(f.Touched)), How: lostWays(f),
			Bad: verdictOf(f) == assay.FaultFail}
		if f.Window.Applied != 0 {
			row.At = Instant(f.Window.Applied, r.Begin)
		}
		row.Notes = own[i]
		if f.Window.Effect != "" && basisNote(f) == "" {
			row.Notes = append(row.Notes, "effect: "+f.Window.Effect)
		}
		if s := lifeText(f.Life); s != "" {
			row.Notes = append(row.Notes, s)
		} else {
			row.Notes = append(row.Notes, "revert: "+orElse(f.Revert, "not told"))
		}
		if !f.Capacity.Known() && f.State != assay.VoidFault && f.State != assay.Unmeasured {
			row.Notes = append(row.Notes, "capacity: "+f.Capacity.Reason)
		}
		v.Faults = append(v.Faults, row)
		bar := barRow{label: name, sub: f.Window.Target}
		known := true
		for _, part := range []struct {
			name string
			q    assay.Quantity
		}{{"detect", f.Detect}, {"isolate", f.Isolate}, {"recover", f.Restore}} {
			if !part.q.Known() {
				known = false
				continue
			}
			bar.parts = append(bar.parts, barPart{part.name, part.q.Value, part.name + " " + Measure(part.q)})
		}
		switch {
		case f.State == assay.VoidFault, f.State == assay.Unmeasured:
			bar.end = string(f.State)
		case f.State == assay.Tolerated:
			bar.end = strings.TrimSpace(Value(f.User) + " tolerated")
		case !known:
			bar.end = Value(f.User)
		default:
			bar.end = Value(f.User) + " " + string(f.State)
		}
		rows = append(rows, bar)
	}
	v.FaultBars = bars("faults", "Recovery of users after each fault", "For each fault, the time to detect it, to isolate the victim and to recover, in a row.", assay.Seconds, rows, 0)
}

// figurePair writes a value and its interval for a cell of two lines; one that is exact, or has a reason in the row below, has one.
func figurePair(q assay.Quantity) pair {
	switch {
	case !q.Known():
		return pair{"–", ""}
	case Bracket(q) == "":
		return pair{Value(q), ""}
	}
	return pair{Value(q), Interval(q)}
}

// dash writes a value for a cell whose reason, if it has none, stands in the row below.
func dash(q assay.Quantity) string {
	if !q.Known() {
		return "–"
	}
	return Measure(q)
}

func (v *view) costs(r *assay.Report) {
	var left int
	v.ColdGantt, left = coldGantt("cold", r.Starts)
	if left > 0 {
		v.ColdLeft = fmt.Sprintf("The %d slowest are drawn; %s more are in result.json.", maxStarts, Integer(left))
	}
	for _, t := range timelines(r) {
		v.ColdTimelines = append(v.ColdTimelines, coldTimeline{t.said(), coldLanes("cold-"+t.which, t)})
	}
	v.ColdDoubts = startDoubts(r)
	parts, total, _ := coldParts(r.Starts)
	for _, p := range parts {
		row := costRow{Name: words(p.Name), Time: Duration(p.Seconds), Share: Percent(roundShare(p.Seconds / total)), Interval: "not measured"}
		if f := r.Find("cold/phase/" + p.Name); f != nil {
			row.Interval = Value(f.Quantity)
			if f.Quantity.Known() {
				row.Interval = Whole(f.Quantity)
			}
		}
		v.ColdPhases = append(v.ColdPhases, row)
	}
	v.ECDF = ecdf("ecdf", r)
	if len(r.Attribution) == 0 {
		v.BottleneckNone = reasonOf(r, "bottleneck/unexplained", "not measured, because no request was traced")
		return
	}
	row := barRow{label: "end-to-end time"}
	for _, s := range r.Attribution {
		c := costRow{Name: words(s.Name), Share: Value(s.Ratio), Interval: Interval(s.Ratio), N: NText(s.Ratio), Time: Duration(s.Seconds), Evidence: s.Evidence}
		v.Causes = append(v.Causes, c)
		if s.Ratio.Known() {
			row.parts = append(row.parts, barPart{s.Name, s.Ratio.Value, words(s.Name) + " " + Measure(s.Ratio)})
		}
	}
	v.Bottleneck = bars("bottleneck", "Where the end-to-end time of requests went", "Shares of the end-to-end time by cause, ranked, with the unexplained remainder last.", assay.Ratio, []barRow{row}, 1)
}

func (v *view) scaling(r *assay.Report) {
	const most = 12
	if len(r.Scaling) == 0 {
		v.ScalingNone = reasonOf(r, "scaling/total", "not measured, because the number of instances did not follow a change of load")
	}
	var rows []barRow
	for i, s := range r.Scaling {
		v.Scaling = append(v.Scaling, scaleRow{Instant(s.At, r.Begin), fmt.Sprintf("%d → %d", s.From, s.To), Brief(s.Decide), Brief(s.Provision), Brief(s.Serve), Brief(s.Total)})
		if i >= most || !s.Total.Known() {
			continue
		}
		row := barRow{label: fmt.Sprintf("%d → %d", s.From, s.To), sub: "at " + Instant(s.At, r.Begin), end: Value(s.Total)}
		for _, p := range []struct {
			name string
			q    assay.Quantity
		}{{"decide", s.Decide}, {"provision", s.Provision}, {"serve", s.Serve}} {
			if p.q.Known() {
				row.parts = append(row.parts, barPart{p.name, p.q.Value, p.name + " " + Measure(p.q)})
			}
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		v.ScalingBars = bars("scaling", "Lag from a change of load to an instance that serves it", "For each step, the time to decide, to provision and to serve, in a row.", assay.Seconds, rows, 0)
	}
	v.ScalingMore = scalingQuality(r)
}

func (v *view) requests(r *assay.Report) {
	for i, s := range r.Slowest {
		row := slowRow{Request: fmt.Sprint(s.Request), At: Instant(s.Due, r.Begin), E2E: Duration(s.E2E), TTFT: "none", Outcome: words(s.Outcome.String()),
			Cold: s.Cold.String(), Fault: s.Fault, Trace: s.TraceID, Bar: miniBar(fmt.Sprintf("slow%d", i+1), s.Shares), Bad: s.Outcome.Failed()}
		if s.TTFT > 0 {
			row.TTFT = Duration(s.TTFT)
		}
		if s.Missed != "" {
			row.Outcome += ", missed " + s.Missed
		}
		v.Slowest = append(v.Slowest, row)
	}
	for _, e := range r.Errors {
		v.Errors = append(v.Errors, errorRow{string(e.Ledger), words(e.Outcome.String()), Integer(e.Count), outcomeNote(e, 1000), e.Outcome.Failed()})
	}
}

func (v *view) trust(r *assay.Report) {
	v.Trust = trustBox{Valid: r.Trust.Valid, Clocks: clocksLine(r, 0), Doubts: r.Trust.Doubts, Warnings: r.Warnings, Machine: r.Trust.Machine, Lateness: latenessChart("lateness", r)}
	for i, s := range r.Trust.Problems {
		if i < len(r.Trust.Rules) {
			s = "rule " + r.Trust.Rules[i] + ": " + s
		}
		v.Trust.Problems = append(v.Trust.Problems, s)
	}
	for _, row := range r.Trust.Rows {
		value := Value(row.Quantity)
		if !row.Quantity.Known() {
			value = row.Quantity.Reason
		}
		v.Trust.Rows = append(v.Trust.Rows, trustRow{row.Name, value, trustInterval(row), NText(row.Quantity), row.Limit, trustAnswer(r, row)})
	}
}

func (v *view) findings(r *assay.Report) {
	v.FindingCount = Things(len(r.Findings), "findings")
	for _, f := range r.Findings {
		q := f.Quantity
		row := findingRow{Metric: f.Metric, Labels: labelText(f.Labels), Ledger: string(f.Ledger), Value: Value(q), Interval: Interval(q), N: NText(q),
			Method: q.Method, Basis: string(q.Basis), Simulated: q.Basis == assay.Simulated}
		if !q.Known() {
			row.Interval = ""
			row.Notes = append(row.Notes, q.Reason)
		}
		row.Notes = append(row.Notes, f.Warnings...)
		row.Notes = slices.Concat(row.Notes, f.Evidence)
		v.Findings = append(v.Findings, row)
	}
}
