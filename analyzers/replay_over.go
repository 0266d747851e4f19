package analyzers

import (
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// overspent finds a promise that was broken when an alert fired: in a window that the alert looks back over, more was bad than the promise allows. A rule of a promise is held against
// that one, and a person's own against all. What counts is what was recorded, without a past that was put before the run.
func (p *replayPass) overspent(x *assay.Replay, at int64, m *promrules.Memory) (assay.Overspend, bool) {
	for i := range p.slos {
		s := &p.slos[i]
		if x.SLO != "" && x.SLO != s.Name {
			continue
		}
		for _, window := range p.longWindows(x, s) {
			bad, n, of := p.badShare(s, window, at, m)
			if n > 0 && bad > 1-s.Target+1e-12 {
				return assay.Overspend{At: at, SLO: s.Name, Window: int64(window), Allowed: 1 - s.Target,
					Bad: counted(bad, assay.Ratio, n, of, "bad of all in the window before the alert, as recorded")}, true
			}
		}
	}
	return assay.Overspend{}, false
}

// longWindows returns those over which an alert says that it matters, shortest first.
func (p *replayPass) longWindows(x *assay.Replay, s *assay.SLO) (out []time.Duration) {
	if x.SLO == "" {
		return []time.Duration{time.Duration(max(x.Longest, x.Step))}
	}
	for _, pair := range promrules.Pairs(time.Duration(s.Window)) {
		if pair.Severity == x.Severity {
			out = append(out, p.scaled(pair.Long))
		}
	}
	for _, a := range s.Alerts {
		if a.Severity == x.Severity {
			out = append(out, p.scaled(time.Duration(a.Over)))
		}
	}
	slices.Sort(out)
	return out
}

// badShare is the share of bad events of a promise in the window before an instant, and of how many.
func (p *replayPass) badShare(s *assay.SLO, window time.Duration, at int64, m *promrules.Memory) (share float64, n int, of string) {
	ms := p.ms(at)
	if s.Good.Own() {
		w := p.made.windows(p.f, p.made.lines(p.f), s, 0)
		if w == nil {
			return 0, 0, ""
		}
		bad, all := w.count(window, ms)
		return bad / max(1, all), int(all), "requests"
	}
	for _, span := range promrules.Windows(time.Duration(s.Window)) {
		if p.scaled(span) != window {
			continue
		}
		for _, l := range m.Lines(promrules.ErrorRecording(span)) {
			if i, is := slices.BinarySearch(l.Times, ms); is && l.Labels.Get("sloth_id") == promrules.ID(s) {
				if there := p.there(window, ms); p.Past != NoPast && there > 0 {
					return l.Values[i] / there, 1, "values of metrics"
				}
				return l.Values[i], 1, "values of metrics"
			}
		}
	}
	return 0, 0, ""
}
