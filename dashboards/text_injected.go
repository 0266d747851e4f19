package dashboards

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

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
		row := []string{"  " + faultName(i, f), verdictText(f), scoreText(f.Score)}
		for _, q := range []assay.Quantity{f.Detect, f.Isolate, f.Restore, f.User} {
			if !q.Known() {
				row = append(row, "–")
				continue
			}
			row = append(row, Value(q))
		}
		t.rows = append(t.rows, append(row, lostText(f)))
	}
	if err := p.table(t, 0); err != nil {
		return err
	}
	for i, f := range r.Faults {
		if s := betweens(f); s != "" {
			p.para("", 2, faultName(i, f)+": "+s)
		}
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
		s := fmt.Sprintf("%s: %s, score %s; %s = detect %s + isolate %s + recover %s; lost %s", faultName(i, f), verdictText(f), scoreText(f.Score)+scoreBounds(f.Score),
			Measure(f.User), Brief(f.Detect), Brief(f.Isolate), Brief(f.Restore), lostText(f))
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

// betweens says what the figures in a fault's row lie between; "" where all are exact.
func betweens(f assay.FaultResult) string {
	var parts []string
	if f.Score.Known() {
		if scoreBounds(f.Score) != "" {
			parts = append(parts, fmt.Sprintf("score %.2f..%.2f", f.Score.Lo, f.Score.Hi))
		}
	}
	for _, x := range []struct {
		name string
		q    assay.Quantity
	}{{"detect", f.Detect}, {"isolate", f.Isolate}, {"recover", f.Restore}, {"total", f.User}} {
		if Bracket(x.q) != "" {
			parts = append(parts, x.name+" "+Interval(x.q))
		}
	}
	return strings.Join(parts, ", ")
}
