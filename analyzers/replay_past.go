package analyzers

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/promrules"
)

// recordingOf returns the promise that a recording is of, and its window as it is replayed; nil where it is of none.
func (p *replayPass) recordingOf(x *rulefmt.Rule) (s *assay.SLO, window time.Duration) {
	for i := range p.slos {
		if x.Labels["sloth_id"] == promrules.ID(&p.slos[i]) {
			span, err := model.ParseDuration(x.Labels["sloth_window"])
			if err != nil {
				return nil, 0
			}
			return &p.slos[i], p.scaled(time.Duration(span))
		}
	}
	return nil, 0
}

// scaled is a time of the rules as they are replayed.
func (p *replayPass) scaled(d time.Duration) time.Duration {
	if p.Speed == 1 {
		return d
	}
	return max(time.Millisecond, time.Duration(float64(d)/p.Speed).Round(time.Millisecond))
}

// known gives recordings of promises without the engine: those on the run's own requests, and in a long run also those on recorded metrics.
func (p *replayPass) known(past time.Duration) func(*rulefmt.Rule) func(int64) (float64, bool) {
	lines := p.made.lines(p.f)
	return func(x *rulefmt.Rule) func(int64) (float64, bool) {
		s, window := p.recordingOf(x)
		switch {
		case s == nil:
			return nil
		case !s.Good.Own():
			return p.knownLooks(s, window, past)
		}
		w := p.made.windows(p.f, lines, s, past)
		if w == nil {
			return nil
		}
		return func(ms int64) (float64, bool) { return w.ratio(window, ms) }
	}
}

// weight puts a good past before recordings of promises on recorded metrics: what is bad of a window that begins before the metrics do is so of the part that there is.
func (p *replayPass) weight(x *rulefmt.Rule) func(int64) float64 {
	s, window := p.recordingOf(x)
	if s == nil || s.Good.Own() || p.f.Metrics == nil {
		return nil
	}
	return func(ms int64) float64 { return p.there(window, ms) }
}

// there is the part of a window that ends at ms for which there are metrics.
func (p *replayPass) there(window time.Duration, ms int64) float64 {
	begin, _, _ := facts.MetricsSpan(p.f)
	return min(1, max(0, float64(ms-p.ms(begin))/float64(window.Milliseconds())))
}
