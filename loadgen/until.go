package loadgen

import "time"

// untilPeriod is how often a phase whose end is not known beforehand is asked for it.
const untilPeriod = 100 * time.Millisecond

// over waits for the instant at of a stretch and reports whether the stretch has ended by then. Only a phase with Until ends before its
// length is over.
func (g *Generator) over(s *stretch, at int64, wait Wait) bool {
	if s.phase.Until == nil {
		wait(g.halted, at)
		return false
	}
	for {
		now, end := g.cfg.Clock.Now(), s.end()
		switch {
		case now >= end:
			return true
		case now >= at || g.stopping():
			return false
		}
		wait(g.halted, min(at, end, now+int64(untilPeriod)))
	}
}

// end returns when the stretch ends, as far as is known now.
func (s *stretch) end() int64 {
	end := s.begin + s.length
	if s.phase.Until != nil {
		end = min(end, s.phase.Until(s.begin))
	}
	return end
}
